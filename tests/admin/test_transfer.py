"""Out and in again: what was exported is found again after an import, and a cache is warmed with answers that are known."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from desk import RESET, RESET_OTHERWISE, WEATHER, ask, desk, keep, listed, look, purge, topic
from running import Gateway, RawUpstream, chat, completion, events


def export(gateway: Gateway, route: str) -> list[str]:
    answer = gateway.admin("GET", "export", params={"route": route})
    assert answer.status_code == 200, answer.text
    return answer.text.splitlines()


def send(gateway: Gateway, *lines: Any, route: str | None = None) -> dict[str, Any]:
    content = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines).encode()
    asked = {"route": route} if route else {}
    headers = {"Authorization": "Bearer TOKEN"}
    answer = gateway.http.post("/-/import", content=content, params=asked, headers=headers)
    assert answer.status_code == 200, answer.text
    imported: dict[str, Any] = answer.json()
    return imported


def forwarded(answer: Any) -> bool:
    return answer.headers["x-cache"] == "MISS"


def test_what_was_exported_and_purged_is_found_again_after_its_import(gateway: Gateway):
    body = chat(RESET, topic=topic())
    first = ask(gateway, "/v1/chat/completions", body)
    keep(gateway, "/v1/chat/completions", chat(WEATHER, topic=topic()))
    lines = export(gateway, "chat")
    assert {json.loads(line)["question"] for line in lines} == {RESET, WEATHER}
    before = {each["question"]: each for each in listed(gateway, route="chat")}
    assert purge(gateway, route="chat", dry_run=False)["purged"] == 2
    assert ask(gateway, "/v1/chat/completions", body, {"Cache-Control": "only-if-cached"}).status_code == 504
    assert send(gateway, *lines) == {"kept": 2, "known": 0, "problems": []}
    again = ask(gateway, "/v1/chat/completions", body)
    assert (again.headers["x-cache"], again.content) == ("HIT", first.content)
    near = ask(gateway, "/v1/chat/completions", {**body, "messages": chat(RESET_OTHERWISE)["messages"]})
    assert (near.headers["x-cache"], near.content) == ("HIT", first.content)
    after = {each["question"]: each for each in listed(gateway, route="chat")}
    for question, entry in after.items():
        for name in ("created_at", "expires_at", "tags"):
            assert entry[name] == before[question][name]


def test_what_is_there_already_is_left(gateway: Gateway):
    body = {"query": RESET, "topic": topic(), "documents": ["x"]}
    entry = keep(gateway, "/loose", body)
    lines = [line for line in export(gateway, "loose") if RESET in line]
    assert send(gateway, *lines, *lines) == {"kept": 0, "known": 2 * len(lines), "problems": []}
    assert entry in {each["id"] for each in listed(gateway, route="loose")}
    row = {"route": "loose", "body": body, "answer": completion("another")}
    assert send(gateway, row)["known"] == 1
    assert "another" not in ask(gateway, "/loose", body).text


def test_a_line_twice_in_a_batch_is_stored_once(gateway: Gateway):
    row = {"body": {"query": WEATHER, "topic": topic()}, "answer": completion("rain")}
    result = send(gateway, *[row] * 20, route="loose")
    assert (result["kept"], result["known"]) == (1, 19)


def test_a_faq_warms_the_cache_for_the_same_words_and_for_others(gateway: Gateway):
    about = topic()
    faq = [(RESET, "Choose Forgot password."), (WEATHER, "Take an umbrella."), ("Who are you?", "A bot.")]
    rows = [
        {"scope": "web", "body": chat(question, topic=about), "answer": completion(answer), "tags": ["faq", about]}
        for question, answer in faq
    ]
    assert send(gateway, *rows, route="chat") == {"kept": 3, "known": 0, "problems": []}
    for question, answer in faq:
        hit = ask(gateway, "/v1/chat/completions", chat(question, topic=about))
        assert hit.headers["x-cache"] == "HIT"
        assert hit.json()["choices"][0]["message"]["content"] == answer
        assert hit.headers["content-type"] == "application/json"
    near = ask(gateway, "/v1/chat/completions", chat(RESET_OTHERWISE, topic=about))
    assert near.json()["choices"][0]["message"]["content"] == "Choose Forgot password."
    assert look(gateway, route="chat", body=chat(RESET, topic=about), scope="app")["verdict"] == "miss"
    streamed = ask(gateway, "/v1/chat/completions", chat(RESET, topic=about, stream=True))
    assert streamed.headers["x-cache"] == "HIT"
    assert b"data: [DONE]" in streamed.content
    assert purge(gateway, tags=[about])["matched"] == 3


def test_a_row_may_say_all_that_a_request_does(gateway: Gateway):
    about = topic()
    row = {
        "route": "lang",
        "path": "/lang/ann/ask",
        "headers": {"Accept-Language": "de"},
        "body": {"query": RESET, "topic": about},
        "answer": {"text": "Passwort vergessen wählen"},
        "content_type": "application/json; charset=utf-8",
        "ttl": "1h",
    }
    search = {"route": "search", "path": "/search?q=reset+password&t=" + about, "answer": {"hits": 3}, "ttl": 60}
    tenant = {"route": "tenant", "scope": "acme", "body": {"query": RESET, "topic": about}, "answer": {"a": 1}}
    before = time.time()
    assert send(gateway, row, search, tenant)["kept"] == 3
    body = {"query": RESET, "topic": about}
    hit = ask(gateway, "/lang/ann/ask", body, {"Accept-Language": "de"})
    assert (hit.headers["x-cache"], hit.json()) == ("HIT", {"text": "Passwort vergessen wählen"})
    assert hit.headers["content-type"] == "application/json; charset=utf-8"
    entry = gateway.admin("GET", f"entries/{hit.headers['x-cache-entry']}").json()
    assert entry["expires_at"] - before == pytest.approx(3600, abs=20)
    assert forwarded(ask(gateway, "/lang/ann/ask", body, {"Accept-Language": "en"}))
    assert ask(gateway, "/tenant", body, {"X-Tenant": "acme"}).json() == {"a": 1}
    key = {"Authorization": "Bearer web-key-0123456789"}
    assert gateway.http.get(search["path"], headers=key).json() == {"hits": 3}


def test_a_stream_may_be_imported_as_it_was(gateway: Gateway):
    about = topic()
    stream = b"".join(events("Hel", "lo")).decode()
    row = {
        "scope": "web",
        "body": chat(RESET, topic=about, stream=True),
        "answer": stream,
        "content_type": "text/event-stream",
    }
    assert send(gateway, row, route="chat")["kept"] == 1
    hit = ask(gateway, "/v1/chat/completions", chat(RESET, topic=about, stream=True))
    assert (hit.headers["x-cache"], hit.text) == ("HIT", stream)
    single = ask(gateway, "/v1/chat/completions", chat(RESET, topic=about))
    assert single.json()["choices"][0]["message"]["content"] == "Hello"


def test_a_text_too_long_for_the_model_is_found_by_its_words(gateway: Gateway):
    row = {"body": {"query": "word " * 5000, "topic": topic()}, "answer": {"a": 1}}
    assert send(gateway, row, route="loose")["kept"] == 1
    assert ask(gateway, "/loose", row["body"]).headers["x-cache"] == "HIT"


GOOD: dict[str, Any] = {"route": "loose", "body": {"query": "fine"}, "answer": {"a": 1}}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "JSON"),
        ("[]", "object"),
        ("\xff", "JSON"),
        ({**GOOD, "route": "chta"}, "chat"),
        ({**GOOD, "route": None}, "route"),
        ({**GOOD, "answers": 1}, "answers"),
        ({**GOOD, "answer": None}, "answer"),
        ({"route": "loose", "answer": {}}, "body"),
        ({**GOOD, "body": {"words": "?"}}, "no-text"),
        ({**GOOD, "body": {"query": "a", "private": True}}, "bypass-rule"),
        ({**GOOD, "body": {"query": "a" * 1_100_000}}, "body-too-large"),
        ({**GOOD, "answer": "not JSON"}, "not-json"),
        ({**GOOD, "status": 500}, "status"),
        ({**GOOD, "status": 99}, "status"),
        ({**GOOD, "ttl": "60"}, "ttl"),
        ({**GOOD, "ttl": -1}, "ttl"),
        ({**GOOD, "ttl": 1e300}, "ttl"),
        ({**GOOD, "tags": [f"tag-{n}" for n in range(65)]}, "tags"),
        ({**GOOD, "scope": "web"}, "public"),
        ({**GOOD, "route": "tenant"}, "no-scope"),
        ({**GOOD, "route": "open"}, "off"),
        ({**GOOD, "route": "strict"}, "rejected"),
        ({**GOOD, "route": "lang"}, "path"),
        ({**GOOD, "content_type": "a\nb"}, "content_type"),
        ({**GOOD, "content_type": "a\x01b"}, "content_type"),
        ({"route": "chat", "scope": "web", "body": chat(RESET, model="claude"), "answer": completion("x")}, "models"),
        ({"route": "chat", "scope": "web", "body": chat(RESET), "answer": {"error": {"m": 1}}}, "rejected"),
        ({"route": "chat", "stored": {}}, "$"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_the_others_are_kept(gateway: Gateway, line: Any, says: str):
    good = {**GOOD, "body": {"query": RESET, "topic": topic()}}
    result = send(gateway, "", good, line)
    assert result["kept"] == 1
    [[number, text]] = result["problems"]
    assert number == 3
    assert says in text


def test_an_unknown_route_of_the_whole_batch_is_refused(gateway: Gateway):
    answer = gateway.admin("POST", "import", GOOD, params={"route": "chta"})
    assert answer.status_code == 422


def test_lines_of_another_key_or_rule_are_refused(
    gateway: Gateway, upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    keep(gateway, "/loose", {"query": RESET, "topic": topic()})
    line = export(gateway, "loose")[0]
    with desk(upstream, data_dir, tmp_path, "elsewhere") as other:
        result = send(other, line)
    assert result["kept"] == 0
    assert "digest key, namespace" in result["problems"][0][1]


def test_lines_are_embedded_anew_where_another_model_is_used(
    gateway: Gateway, upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    body = {"query": RESET, "topic": topic()}
    keep(gateway, "/loose", body)
    lines = [line for line in export(gateway, "loose") if body["topic"] in line or RESET in line]
    made = [json.loads(line) for line in lines]
    for each in made:
        each["stored"]["space"] = "another model"
    purge(gateway, route="loose", dry_run=False)
    assert send(gateway, *made)["kept"] == len(made)
    near = look(gateway, route="loose", body={**body, "query": RESET_OTHERWISE})
    assert near["verdict"] == "hit"


def test_damaged_and_expired_lines_are_refused(gateway: Gateway):
    keep(gateway, "/loose", {"query": WEATHER, "topic": topic()})
    line = json.loads(export(gateway, "loose")[-1])
    purge(gateway, route="loose", dry_run=False)
    expired = {**line, "expires_at": time.time() - 1}
    short = {**line, "stored": {**line["stored"], "exact": "ab"}}
    crooked = {**line, "stored": {**line["stored"], "vector": "!"}}
    result = send(gateway, expired, short, crooked)
    assert (result["kept"], len(result["problems"])) == (0, 3)
    stretched = {**line, "stored": {**line["stored"], "vector": "AAB/RA" + line["stored"]["vector"][6:]}}
    assert send(gateway, stretched)["kept"] == 1  # embedded anew: such a vector would be near to everything
    assert look(gateway, route="loose", text="something else")["verdict"] == "miss"


def test_a_line_that_somebody_has_edited_spoils_no_hit(gateway: Gateway):
    about = topic()
    body = {"query": WEATHER, "topic": about}
    first = keep(gateway, "/tenant", body, {"X-Tenant": about})
    [text] = [line for line in export(gateway, "tenant") if first in line]
    line = json.loads(text)
    purge(gateway, route="tenant", dry_run=False)

    def edited(stored: dict[str, Any], **members: Any) -> dict[str, Any]:
        return {**line, **members, "stored": {**line["stored"], **stored}}

    wrong = [
        edited({"status": 100}),
        edited({"status": 99999}),
        edited({"headers": [["content-type", "text/html\r\nset-cookie: a=b"]]}),
        edited({"headers": [["content-type", "\x01"]]}),
        edited({"cost": ["gpt-4o", -5, 5]}),
        edited({"stale": 1e300}),
        edited({}, expires_at=1e300),
        edited({}, created_at=-1e300),
        edited({}, created_at=line["created_at"] + 86400, expires_at=line["created_at"] + 2 * 86400),
        edited({}, tags=["a\0b"]),
        edited({}, tags=[f"tag-{nth}" for nth in range(65)]),
        edited({"body": "x" * (11 << 20)}),
    ]
    result = send(gateway, *wrong)
    assert (result["kept"], len(result["problems"])) == (0, len(wrong))

    foreign = [["Content-Type", "application/json"], ["set-cookie", "a=b"], ["transfer-encoding", "chunked"]]
    assert send(gateway, edited({"headers": [*foreign, ["x-request-id", "1"], ["bad name\n", ""]]}))["kept"] == 1
    hit = ask(gateway, "/tenant", body, {"X-Tenant": about})
    assert (hit.headers["x-cache"], hit.headers["content-type"]) == ("HIT", "application/json")
    assert not {"set-cookie", "x-request-id", "transfer-encoding"} & set(hit.headers)
    assert ask(gateway, "/tenant", body, {"X-Tenant": f"not-{about}"}).headers["x-cache"] == "MISS"
    purge(gateway, route="tenant", dry_run=False)


def test_an_export_is_readable_and_holds_no_key(gateway: Gateway):
    keep(gateway, "/tenant", {"query": RESET, "topic": topic()}, {"X-Tenant": "secret-tenant"})
    text = "\n".join(export(gateway, "tenant"))
    line = json.loads(text.splitlines()[0])
    assert (line["route"], line["question"]) == ("tenant", RESET)
    assert "secret-tenant" not in text


def test_a_thousand_rows_go_in_one_batch(gateway: Gateway):
    about = topic()
    rows = [
        {"body": {"query": f"What does part number {n} cost?", "topic": about}, "answer": {"price": n}}
        for n in range(1000)
    ]
    assert send(gateway, *rows, route="strict")["problems"][0][1].count("rejected") == 1
    assert send(gateway, *rows, route="loose") == {"kept": 1000, "known": 0, "problems": []}
    assert ask(gateway, "/loose", rows[517]["body"]).json() == {"price": 517}
    assert send(gateway, *rows, route="loose")["known"] == 1000
