"""The REST cache as HTTP: shapes, statuses, bounds, what is refused and how it is told."""

from __future__ import annotations

from typing import Any

import pytest
from running import Gateway

from gateway.core.events import Outcome

QUESTION = "How do I reset my password?"
PUT = {"prompt": QUESTION, "response": "Click."}


def put(gateway: Gateway, base: str, **more: Any) -> str:
    answer = gateway.ask(f"{base}/entries", {**PUT, **more})
    assert answer.status_code == 201, answer.text
    entry_id: str = answer.json()["entryId"]
    return entry_id


def test_answers_have_just_the_members_of_the_api(gateway: Gateway, cache_id: str) -> None:
    base = f"/v1/caches/{cache_id}"
    answer = gateway.ask(f"{base}/entries", {**PUT, "attributes": {"lang": "en"}, "ttlMillis": 60000})
    assert (answer.status_code, list(answer.json())) == (201, ["entryId"])
    assert answer.headers["content-type"] == "application/json"
    entry_id = answer.json()["entryId"]
    found = gateway.ask(f"{base}/entries/search", {"prompt": QUESTION, "searchStrategies": ["exact"]})
    assert found.status_code == 200
    assert found.json() == {
        "data": [
            {
                "id": entry_id,
                "prompt": QUESTION,
                "response": "Click.",
                "attributes": {"lang": "en"},
                "similarity": 1.0,
                "searchStrategy": "exact",
            }
        ]
    }
    talk = gateway.ask(f"{base}/conversations/search", {"prompt": "nothing like it"})
    assert talk.json() == {"actualPrompt": "nothing like it", "data": []}
    deleted = gateway.http.request("DELETE", f"{base}/entries", json={"attributes": {"lang": "en"}})
    assert (deleted.status_code, deleted.json()) == (200, {"deletedEntriesCount": 1})
    for method, path in (("DELETE", f"entries/{put(gateway, base)}"), ("POST", "flush")):
        answer = gateway.http.request(method, f"{base}/{path}")
        assert (answer.status_code, answer.content) == (204, b"")


def test_headers_say_what_was_found(gateway: Gateway, cache_id: str) -> None:
    base = f"/v1/caches/{cache_id}"
    missed = gateway.ask(f"{base}/entries/search", {"prompt": QUESTION})
    assert (missed.headers["x-cache"], missed.headers["cache-status"]) == ("MISS", "semgate; detail=no-candidate")
    put(gateway, base, ttlMillis=60_000)
    hit = gateway.ask(f"{base}/entries/search", {"prompt": QUESTION})
    assert hit.headers["x-cache"] == "HIT"
    assert hit.headers["cache-status"] in ("semgate; hit; ttl=59; detail=exact", "semgate; hit; ttl=58; detail=exact")
    assert hit.headers["x-cache-entry"].replace("-", "") == hit.json()["data"][0]["id"]
    assert (hit.headers["x-cache-similarity"], hit.headers["x-cache-source"]) == ("1.0000", "postgres")
    assert hit.headers["age"] == "0"
    near = gateway.ask(f"{base}/entries/search", {"prompt": "How can I reset my password?"})
    assert near.headers["cache-status"].endswith("; detail=verified")
    far = gateway.ask(
        f"{base}/entries/search", {"prompt": "What is the capital of France?", "similarityThreshold": 0.9}
    )
    assert (far.headers["x-cache"], far.headers["cache-status"]) == ("MISS", "semgate; detail=below-threshold")
    silent = gateway.ask(f"/bounded/v1/caches/{cache_id}/entries/search", {"prompt": QUESTION})
    assert silent.headers["x-served-by"] == "semgate"
    assert not {"x-cache", "cache-status"} & silent.headers.keys()


def test_requests_are_counted_by_how_they_ended(gateway: Gateway, cache_id: str) -> None:
    base, route = f"/second/v1/caches/{cache_id}", "kv2"
    before = {outcome: gateway.metric("semgate_requests_total", route=route, outcome=outcome) for outcome in Outcome}
    put(gateway, base)
    gateway.ask(f"{base}/entries/search", {"prompt": QUESTION})
    gateway.ask(f"{base}/entries/search", {"prompt": "What is the capital of France?"})
    gateway.ask(f"{base}/entries/search", {})
    gateway.http.get(f"{base}/entries")
    gateway.ask(f"{base}/flush")
    after = {outcome: gateway.metric("semgate_requests_total", route=route, outcome=outcome) for outcome in Outcome}
    counted = {
        outcome.value: after[outcome] - before[outcome] for outcome in Outcome if after[outcome] > before[outcome]
    }
    assert counted == {"hit": 1, "miss": 1, "refused": 2, "written": 2}
    figures = gateway.admin("GET", "stats").json()["routes"][route]
    assert figures["requests"] == sum(count for outcome, count in after.items() if outcome is not Outcome.WRITTEN)


@pytest.mark.parametrize(
    ("path", "body", "wrong"),
    [
        ("entries", {"response": "x"}, {("prompt", "required")}),
        ("entries", {"prompt": 1, "response": None}, {("prompt", "type"), ("response", "required")}),
        ("entries", {**PUT, "ttlMillis": "60"}, {("ttlMillis", "type")}),
        ("entries", {**PUT, "ttlMillis": 0.5}, {("ttlMillis", "type")}),
        ("entries", {**PUT, "ttlMillis": True}, {("ttlMillis", "type")}),
        ("entries", {**PUT, "attributes": ["a"]}, {("attributes", "type")}),
        (
            "entries",
            {**PUT, "attributes": {"a": 1, "b": "c,d"}},
            {("attributes.a", "type"), ("attributes.b", "pattern")},
        ),
        ("entries", {**PUT, "attributes": {"": "x"}}, {("attributes.", "pattern")}),
        ("entries", {**PUT, "attributes": {"x" * 33: "x"}}, {("attributes." + "x" * 33, "pattern")}),
        ("entries", {**PUT, "ttl_millis": 5}, {("ttl_millis", "unknown")}),
        ("entries/search", {"prompt": "  "}, {("prompt", "minLength")}),
        ("entries/search", {"prompt": QUESTION, "similarityThreshold": "0.9"}, {("similarityThreshold", "type")}),
        ("entries/search", {"prompt": QUESTION, "similarityThreshold": -0.1}, {("similarityThreshold", "range")}),
        ("entries/search", {"prompt": QUESTION, "searchStrategies": ["fuzzy"]}, {("searchStrategies", "enum")}),
        ("entries/search", {"prompt": QUESTION, "searchStrategies": "exact"}, {("searchStrategies", "type")}),
        ("entries/search", {"prompt": QUESTION, "searchStrategies": [["exact"]]}, {("searchStrategies", "enum")}),
        ("entries/search", {"prompt": QUESTION, "maxResults": 101}, {("maxResults", "range")}),
        ("entries/search", {"prompt": QUESTION, "context": ["x"]}, {("context", "unknown")}),
        ("conversations/search", {"prompt": QUESTION, "context": [1]}, {("context", "type")}),
        ("conversations/search", {"prompt": QUESTION, "context": ["x"] * 101}, {("context", "maxItems")}),
        ("conversations/search", {"prompt": QUESTION, "context": ["x" * 1025]}, {("context", "maxLength")}),
    ],
)
def test_each_field_that_is_wrong_is_named(gateway: Gateway, path: str, body: Any, wrong: set[tuple[str, str]]) -> None:
    answer = gateway.ask(f"/v1/caches/wrong/{path}", body)
    assert answer.status_code == 400, answer.text
    said = answer.json()
    assert said["type"] == "/errors/invalid-data"
    assert {(each["field"], each["rule"]) for each in said["fields"]} == wrong
    assert all(each["message"].startswith(each["field"]) for each in said["fields"])
    assert answer.headers["content-type"] == "application/json"


def test_a_misspelt_member_is_told_what_was_meant(gateway: Gateway) -> None:
    body = {"prompt": QUESTION, "similarity_threshold": 0.9}
    (field,) = gateway.ask("/v1/caches/wrong/entries/search", body).json()["fields"]
    assert "did you mean `similarityThreshold`?" in field["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b'{"prompt": "a", "prompt": "b"}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "\xff"}',
        b"[" * 200,
    ],
)
def test_a_body_that_cannot_be_read_is_refused(gateway: Gateway, body: bytes) -> None:
    for path in ("entries", "entries/search", "conversations/search"):
        answer = gateway.http.post(f"/v1/caches/wrong/{path}", content=body)
        assert (answer.status_code, answer.json()["type"]) == (400, "/errors/invalid-data")
        assert "fields" not in answer.json()
    assert gateway.http.request("DELETE", "/v1/caches/wrong/entries", content=body).status_code == 400


def test_absent_and_null_are_the_same_and_no_content_type_is_needed(gateway: Gateway, cache_id: str) -> None:
    base = f"/v1/caches/{cache_id}"
    put(gateway, base, attributes=None, ttlMillis=None)
    nothing = '"similarityThreshold":null,"searchStrategies":null,"attributes":null,"maxResults":null'
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = f'{{"prompt":"{QUESTION}",{nothing}}}'
    assert len(gateway.http.post(f"{base}/entries/search", content=body, headers=form).json()["data"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "kind", "allow"),
    [
        ("GET", "entries", 405, "about:blank", "DELETE, POST"),
        ("DELETE", "entries/search", 405, "about:blank", "POST"),
        ("POST", "entries/0123", 405, "about:blank", "DELETE"),
        ("PUT", "flush", 405, "about:blank", "DELETE, POST"),
        ("DELETE", "flush", 405, "about:blank", "POST"),
        ("POST", "", 404, "/errors/resource-not-found", None),
        ("POST", "entries/", 404, "/errors/resource-not-found", None),
        ("POST", "entries/search/", 404, "/errors/resource-not-found", None),
        ("POST", "Entries", 404, "/errors/resource-not-found", None),
        ("DELETE", "entries/a/b", 404, "/errors/resource-not-found", None),
        ("DELETE", "entries/no-uuid", 404, "/errors/resource-not-found", None),
        ("DELETE", "entries/%00%ff", 404, "/errors/resource-not-found", None),
        ("DELETE", "entries/" + "f" * 4000, 404, "/errors/resource-not-found", None),
    ],
)
def test_what_a_cache_does_not_have(
    gateway: Gateway, method: str, path: str, status: int, kind: str, allow: str | None
) -> None:
    answer = gateway.http.request(method, f"/v1/caches/any/{path}", json=PUT)
    assert (answer.status_code, answer.json()["type"], answer.headers.get("allow")) == (status, kind, allow)


def test_a_body_that_is_too_large_is_refused(gateway: Gateway, cache_id: str) -> None:
    base = f"/bounded/v1/caches/{cache_id}"
    answer = gateway.ask(f"{base}/entries", {**PUT, "response": "x" * 3000})
    assert (answer.status_code, answer.json()["type"]) == (413, "/errors/payload-too-large")
    assert answer.headers["x-served-by"] == "semgate"


def test_the_route_bounds_what_clients_ask_for(gateway: Gateway, cache_id: str) -> None:
    base = f"/bounded/v1/caches/{cache_id}"
    put(gateway, base, ttlMillis=31_556_952_000)
    put(gateway, base, prompt="Where is my parcel?")
    lenient = gateway.ask(
        f"{base}/entries/search", {"prompt": "How can I reset my password?", "similarityThreshold": 0}
    )
    assert lenient.json() == {"data": []}
    rows = gateway.admin("GET", "entries", params={"route": "bounded"}).json()["entries"]
    lives = {each["question"]: each["expires_at"] - each["created_at"] for each in rows}
    assert lives[QUESTION] == pytest.approx(3600, abs=1)
    assert lives["Where is my parcel?"] == pytest.approx(1800, abs=1)


def test_where_only_exact_words_are_compared(gateway: Gateway, cache_id: str) -> None:
    base = f"/words/v1/caches/{cache_id}"
    put(gateway, base)
    for more in ({}, {"searchStrategies": ["exact"]}, {"searchStrategies": ["semantic", "exact"]}):
        assert len(gateway.ask(f"{base}/entries/search", {"prompt": QUESTION, **more}).json()["data"]) == 1
    assert gateway.ask(f"{base}/entries/search", {"prompt": "How can I reset my password?"}).json() == {"data": []}
    refused = gateway.ask(f"{base}/entries/search", {"prompt": QUESTION, "searchStrategies": ["semantic"]})
    assert (refused.status_code, "match: exact" in refused.json()["detail"]) == (400, True)


def test_a_cache_that_is_off_finds_and_keeps_nothing(gateway: Gateway, cache_id: str) -> None:
    base = f"/resting/v1/caches/{cache_id}"
    before = gateway.metric("semgate_bypass_total", route="resting", reason="off")
    entry_id = put(gateway, base)
    found = gateway.ask(f"{base}/entries/search", {"prompt": QUESTION})
    assert (found.json(), found.headers["x-cache"]) == ({"data": []}, "BYPASS")
    assert gateway.http.delete(f"{base}/entries/{entry_id}").status_code == 204
    deleted = gateway.http.request("DELETE", f"{base}/entries", json={"attributes": {"a": "b"}})
    assert deleted.json() == {"deletedEntriesCount": 0}
    assert gateway.ask(f"{base}/flush").status_code == 204
    assert gateway.ask(f"{base}/entries/search", {}).status_code == 400
    assert gateway.metric("semgate_bypass_total", route="resting", reason="off") - before == 5


def test_denied_questions_are_neither_found_nor_kept(gateway: Gateway, cache_id: str) -> None:
    base = f"/guarded/v1/caches/{cache_id}"
    put(gateway, base)
    weather = {"prompt": "What is the weather today?"}
    kept = gateway.ask(f"{base}/entries", {**weather, "response": "Rain."})
    assert (kept.status_code, kept.headers["cache-status"]) == (201, "semgate; detail=denied")
    found = gateway.ask(f"{base}/entries/search", weather)
    assert (found.json(), found.headers["cache-status"]) == ({"data": []}, "semgate; detail=denied")
    refused = gateway.ask(f"{base}/entries/search", {"prompt": "Who will win the election?"})
    assert refused.status_code == 403
    said = refused.json()
    assert (said["type"], said["detail"]) == ("/errors/insufficient-permissions", "We do not talk about that.")
    assert len(gateway.ask(f"{base}/entries/search", {"prompt": QUESTION}).json()["data"]) == 1


@pytest.mark.parametrize(
    ("agent", "not_found"),
    [
        ("speakeasy-sdk/typescript 0.11.1 2.692.0 1.0.0 @redis-ai/langcache", "/errors/cache/entry/not-found"),
        ("speakeasy-sdk/python 0.9.0 2.692.0 1.0.0 langcache", "/errors/cache/entry/not-found"),
        ("speakeasy-sdk/python 0.12.0 2.9.0 langcache", "/errors/resource-not-found"),
        ("speakeasy-sdk/typescript 0.110.1 2.9.0 @redis-ai/langcache", "/errors/resource-not-found"),
        ("curl/8.5.0", "/errors/resource-not-found"),
    ],
)
def test_an_earlier_sdk_is_told_in_the_words_that_it_knows(gateway: Gateway, agent: str, not_found: str) -> None:
    answer = gateway.http.delete(f"/v1/caches/any/entries/{'0' * 32}", headers={"user-agent": agent})
    assert (answer.status_code, answer.json()["type"]) == (404, not_found)
