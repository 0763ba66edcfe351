"""Entries as an operator handles them: paging, showing, removing, purging by each selection, and figures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from desk import RESET, RESET_OTHERWISE, WEATHER, ask, keep, listed, look, purge, topic
from running import Gateway, chat, serve, until


def ids(entries: list[dict[str, Any]]) -> set[str]:
    return {each["id"] for each in entries}


def is_hit(gateway: Gateway, path: str, body: Any, headers: dict[str, str] | None = None) -> bool:
    """Asked so that nothing is kept if it is not."""
    answer = ask(gateway, path, body, {"Cache-Control": "only-if-cached", **(headers or {})})
    assert answer.status_code in (200, 504)
    return answer.status_code == 200


def test_an_entry_is_listed_and_shown(gateway: Gateway):
    before = time.time()
    entry = keep(gateway, "/loose", {"query": RESET, "topic": topic(), "documents": ["a", "b"]})
    [found] = [each for each in listed(gateway, route="loose") if each["id"] == entry]
    assert found.keys() == {"id", "route", "created_at", "expires_at", "hits", "bytes", "tags", "question"}
    assert (found["route"], found["question"]) == ("loose", RESET)
    assert set(found["tags"]) == {"a", "b", "kept", "by-upstream"}
    assert before - 1 < found["created_at"] < time.time() + 1
    assert found["expires_at"] - found["created_at"] == pytest.approx(86400, abs=1)
    assert found["bytes"] > 100
    whole = gateway.admin("GET", f"entries/{entry}").json()
    assert whole.keys() > found.keys()
    assert (whole["status"], whole["form"], whole["encoding"]) == (200, "json", "utf-8")
    assert "answer" in whole["body"]
    assert ["content-type", "application/json"] in whole["headers"]


def test_hits_are_counted(gateway: Gateway):
    body = {"query": RESET, "topic": topic()}
    entry = keep(gateway, "/loose", body)
    for _ in range(4):
        ask(gateway, "/loose", body)
    until(lambda: gateway.admin("GET", f"entries/{entry}").json()["hits"] == 5, "the hits are not counted")


def test_pages_reach_the_end_though_entries_come_meanwhile(gateway: Gateway):
    kept = {keep(gateway, "/words", {"query": f"question {n}", "topic": topic()}) for n in range(7)}
    seen: list[str] = []
    after: str | None = None
    pages = 0
    while True:
        page = gateway.admin(
            "GET", "entries", params={"route": "words", "limit": 3, **({"after": after} if after else {})}
        ).json()
        assert len(page["entries"]) <= 3
        seen += [each["id"] for each in page["entries"]]
        pages += 1
        assert pages < 20
        keep(gateway, "/words", {"query": f"meanwhile {pages}", "topic": topic()})
        after = page["next"]
        if after is None:
            break
    assert kept <= set(seen)
    assert len(seen) == len(set(seen))
    created = [each["created_at"] for each in listed(gateway, route="words", limit=2)]
    assert created == sorted(created, reverse=True)


def test_a_removed_entry_is_served_no_more(gateway: Gateway):
    body = {"query": RESET, "topic": topic()}
    entry = keep(gateway, "/loose", body)
    assert gateway.admin("DELETE", f"entries/{entry}").status_code == 204
    assert gateway.admin("GET", f"entries/{entry}").status_code == 404
    assert gateway.admin("DELETE", f"entries/{entry}").status_code == 404
    assert not is_hit(gateway, "/loose", body)


def test_a_purge_only_counts_unless_told_otherwise(gateway: Gateway):
    tag = topic()
    body = {"query": RESET, "topic": topic(), "documents": tag}
    keep(gateway, "/loose", body)
    assert purge(gateway, tags=[tag]) == {"matched": 1, "purged": 0}
    assert is_hit(gateway, "/loose", body)
    assert purge(gateway, tags=[tag], dry_run=False) == {"matched": 1, "purged": 1}
    assert not is_hit(gateway, "/loose", body)
    assert purge(gateway, tags=[tag], dry_run=False) == {"matched": 0, "purged": 0}


def test_a_purge_by_tags_takes_any_of_them(gateway: Gateway):
    one, other, third = topic(), topic(), topic()
    bodies = [{"query": RESET, "topic": topic(), "documents": tags} for tags in ([one], [one, other], [third])]
    for body in bodies:
        keep(gateway, "/loose", body)
    assert purge(gateway, tags=[other, one], dry_run=False)["purged"] == 2
    assert [is_hit(gateway, "/loose", body) for body in bodies] == [False, False, True]


def test_a_purge_by_scope_leaves_the_others(gateway: Gateway):
    about = topic()
    for tenant in ("red", "blue"):
        keep(gateway, "/tenant", {"query": RESET, "topic": about}, {"X-Tenant": tenant})
    assert purge(gateway, route="tenant", scope="red", dry_run=False)["purged"] == 1
    assert not is_hit(gateway, "/tenant", {"query": RESET, "topic": about}, {"X-Tenant": "red"})
    assert is_hit(gateway, "/tenant", {"query": RESET, "topic": about}, {"X-Tenant": "blue"})


def test_a_purge_of_a_client_without_a_route_takes_its_answers_of_all(gateway: Gateway):
    about = topic()
    keep(gateway, "/v1/chat/completions", chat(RESET, topic=about))
    keep(gateway, "/loose", {"query": RESET, "topic": about})
    matched = purge(gateway, scope="web")["matched"]
    assert matched == len(listed(gateway, route="chat"))
    assert purge(gateway, scope="web", dry_run=False)["purged"] == matched
    assert not is_hit(gateway, "/v1/chat/completions", chat(RESET, topic=about))
    assert is_hit(gateway, "/loose", {"query": RESET, "topic": about})


def test_a_scope_read_from_a_body_may_have_been_a_number(gateway: Gateway):
    team, org = {"query": RESET, "topic": topic(), "team": 7}, {"X-Org": "acme"}
    keep(gateway, "/team", team, org)
    keep(gateway, "/team", {**team, "team": "7"}, org)
    assert purge(gateway, route="team", scope=["acme", "7"], dry_run=False)["purged"] == 2


def test_a_purge_by_digest(gateway: Gateway):
    body, tenant = {"query": RESET, "topic": topic()}, {"X-Tenant": topic()}
    keep(gateway, "/tenant", body, tenant)
    digest = look(gateway, route="tenant", body=body, headers=tenant)["subject"]["scope"]
    assert purge(gateway, scope=f"digest:{digest}", dry_run=False) == {"matched": 1, "purged": 1}


def test_a_purge_by_age(gateway: Gateway):
    tag = topic()
    body = {"query": RESET, "topic": topic(), "documents": tag}
    keep(gateway, "/loose", body)
    time.sleep(1.1)
    keep(gateway, "/loose", {**body, "topic": topic()})
    assert purge(gateway, tags=[tag], older_than="1h")["matched"] == 0
    assert purge(gateway, tags=[tag], older_than=1)["matched"] == 1
    assert purge(gateway, tags=[tag], older_than=0)["matched"] == 2
    assert purge(gateway, tags=[tag], older_than="1s", dry_run=False)["purged"] == 1
    assert not is_hit(gateway, "/loose", body)


def test_a_purge_by_similarity(gateway: Gateway):
    tag = topic()
    near = {"query": RESET, "topic": topic(), "documents": tag}
    far = {"query": WEATHER, "topic": topic(), "documents": tag}
    keep(gateway, "/loose", near)
    keep(gateway, "/loose", far)
    order: dict[str, Any] = {"route": "loose", "tags": [tag]}
    assert purge(gateway, **order, similar_to={"text": RESET_OTHERWISE, "at_least": 0.999})["matched"] == 0
    assert purge(gateway, **order, similar_to={"text": "unheard of", "at_least": 0.01})["matched"] >= 1
    assert purge(gateway, **order, similar_to=RESET, dry_run=False) == {"matched": 1, "purged": 1}
    assert (is_hit(gateway, "/loose", near), is_hit(gateway, "/loose", far)) == (False, True)


def test_a_purge_of_a_route_leaves_the_others(gateway: Gateway):
    about = topic()
    keep(gateway, "/words", {"query": RESET, "topic": about})
    keep(gateway, "/loose", {"query": RESET, "topic": about})
    purge(gateway, route="words", dry_run=False)
    assert listed(gateway, route="words") == []
    assert is_hit(gateway, "/loose", {"query": RESET, "topic": about})


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"route": "chta"}, "chat"),
        ({"older_than": "24"}, "duration"),
        ({"older_than": -1}, "older_than"),
        ({"similar_to": "Hi"}, "route"),
        ({"route": "words", "similar_to": "Hi"}, "exact"),
        ({"route": "loose", "similar_to": ""}, "text"),
        ({"route": "loose", "similar_to": {"text": "Hi", "at_least": 2}}, "at_least"),
        ({"route": "loose", "scope": "web"}, "public"),
        ({"route": "team", "scope": "one"}, "header:X-Org"),
        ({"scope": ["a", "b", "c"]}, "scope"),
        ({"scope": []}, "scope"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["a\0b"]}, "tags"),
    ],
)
def test_an_order_that_means_nothing_is_refused(gateway: Gateway, order: Any, says: str):
    answer = gateway.admin("POST", "purge", {"dry_run": False, **order})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), answer.text
    assert says in answer.json()["detail"]


def test_entries_of_an_unknown_route_are_refused(gateway: Gateway):
    for path in ("entries?route=chta", "export?route=chta"):
        answer = gateway.admin("GET", path)
        assert answer.status_code == 422
        assert "chat" in answer.json()["detail"]


def test_stats_count_what_was_served_and_what_is_stored(gateway: Gateway):
    body = {"query": RESET, "topic": topic()}
    before = gateway.admin("GET", "stats").json()["routes"]["lang"]
    headers = {"Accept-Language": "de"}
    for path in ("/lang/a/ask", "/lang/a/ask", "/lang/b/ask"):
        ask(gateway, path, body, headers)
    ask(gateway, "/lang/a/ask", {"words": "none"}, headers)
    until(lambda: len(listed(gateway, route="lang")) == before["entries"] + 2, "the rows are not there")
    stats = gateway.admin("GET", "stats").json()
    after = stats["routes"]["lang"]
    assert {"requests", "hits", "misses", "bypasses", "not_kept", "saved", "entries", "bytes"} <= after.keys()
    assert after["requests"] - before["requests"] == 4
    assert after["misses"] - before["misses"] == 2
    assert after["hits"]["exact"] - before["hits"].get("exact", 0) == 1
    assert after["bypasses"]["no-text"] - before["bypasses"].get("no-text", 0) == 1
    assert after["entries"] - before["entries"] == 2
    assert after["bytes"] > before["bytes"]
    [bounds, counts] = (after["seconds"]["miss"][name] for name in ("bounds", "counts"))
    assert (len(counts), sum(counts)) == (len(bounds) + 1, after["misses"])
    assert sum(stats["seconds"]["miss"]["counts"]) == sum(each["misses"] for each in stats["routes"].values())
    assert after["saved"].keys() == {"prompt_tokens", "completion_tokens", "dollars"}
    assert stats["since"] < time.time()
    assert stats["routes"].keys() >= {"chat", "loose", "open"}


def test_without_postgresql_what_needs_it_says_so_and_the_rest_is_told(tmp_path: Path):
    config = """
server: {{listen: LISTEN, data_dir: "{data}", digest_key: "0123456789abcdef", admin: {{token: TOKEN}}}}
stores: {{postgres: {{url: "postgresql://nobody:secret@127.0.0.1:1/none"}}}}
upstreams: {{fixed: {{respond: {{body: '{{"answer": 1}}'}}}}}}
routes: [{{name: ask, path: /ask, upstream: fixed, preset: json-query, scope: public}}]
""".format(data=tmp_path / "data")
    with serve(tmp_path, config) as gateway:
        gateway.ask("/ask", {"query": RESET})
        assert gateway.ask("/ask", {"query": RESET}).headers["x-cache"] == "HIT"  # memory
        for method, path, body in (
            ("GET", "entries", None),
            ("GET", "entries/01a1", None),
            ("DELETE", "entries/01a1", None),
            ("POST", "purge", {"dry_run": False}),
            ("GET", "export", None),
            ("POST", "import", {"route": "ask", "body": {"query": "a"}, "answer": {"b": 1}}),
        ):
            answer = gateway.admin(method, path, body)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), path
            assert "postgres" in answer.json()["detail"]
            assert "secret" not in answer.text
        stats = gateway.admin("GET", "stats").json()["routes"]["ask"]
        assert (stats["requests"], stats["entries"], stats["bytes"]) == (2, None, None)
        hit = look(gateway, route="ask", body={"query": RESET})
        assert (hit["verdict"], hit["candidates"][0]["question"]) == ("hit", None)
        miss = look(gateway, route="ask", body={"query": WEATHER})
        assert (miss["verdict"], miss["reason"]) == ("miss", "store-trouble")
        assert gateway.admin("GET", "config").status_code == 200


def test_an_empty_list_of_tags_does_not_mean_everything(gateway: Gateway):
    refused = gateway.admin("POST", "purge", {"tags": [], "dry_run": False})
    assert refused.status_code == 422
    assert "`tags` is empty" in refused.json()["detail"]
    assert gateway.admin("POST", "purge", {"route": "loose", "tags": []}).status_code == 200
