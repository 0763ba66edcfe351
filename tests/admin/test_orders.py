"""How orders are read: what passes, in which shape, and what is said of what does not. Nothing sent is ever a 500."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar.testing import TestClient
from scripted import BODIES, GUARDED, TOKEN, Scripted, app_for

from gateway.errors import EmbedError, InvalidOrder, ReloadRefused, StoreError
from gateway.fronts.admin import examples
from gateway.fronts.admin.operations import FileProblem, LookupQuestion, PurgeOrder, Similar
from gateway.fronts.admin.transfer import LARGEST_BATCH, MOST_LINES

PROBLEM = "application/problem+json"


def test_answers_have_the_documented_shapes(client: TestClient):
    assert client.get("/-/config").json() == examples.RUNNING
    assert client.get("/-/stats").json()["routes"]["chat"]["hits"] == {"exact": 310, "semantic": 120}
    assert client.post("/-/reload").json() == examples.RELOADED
    assert client.get("/-/entries").json() == examples.PAGE
    assert client.get("/-/entries/01a1fd2e").json() == examples.ENTRY
    assert client.post("/-/purge").json() == examples.PURGED
    assert client.post("/-/lookup", json=examples.QUESTION).json() == examples.ANSWER
    assert client.post("/-/import", content=b"{}").json() == examples.IMPORTED


def test_an_entry_is_removed_once(client: TestClient, operations: Scripted):
    done = client.delete("/-/entries/01a1fd2e")
    assert (done.status_code, done.content) == (204, b"")
    operations.known_ids.clear()
    assert client.delete("/-/entries/01a1fd2e").status_code == 404


def test_an_id_that_can_be_none_is_not_asked_for(client: TestClient, operations: Scripted):
    for wrong in ("%00", "a%20b", "x" * 65, "%F0%9F%8C%B1"):
        assert client.get(f"/-/entries/{wrong}").status_code == 404
    assert operations.asked == []


def test_a_body_is_handed_over_as_it_was_sent(client: TestClient, operations: Scripted):
    body = b'{"model": "m",   "messages": [], "n": 1.0, "n": 2}'
    client.post("/-/lookup", content=b'{"route": "chat", "body": %s, "scope": ["a", "b"]}' % body)
    [(_, question)] = operations.asked
    assert isinstance(question, LookupQuestion)
    assert bytes(question.body) == body
    assert (question.text, question.scope) == (None, ["a", "b"])


@pytest.mark.parametrize(
    ("sent", "order"),
    [
        (None, PurgeOrder()),
        ({}, PurgeOrder(dry_run=True)),
        ({"dry_run": False}, PurgeOrder(dry_run=False)),
        ({"older_than": 90.5, "scope": "web"}, PurgeOrder(older_than=90.5, scope="web")),
        ({"older_than": "24h", "tags": ["a"]}, PurgeOrder(older_than="24h", tags=["a"])),
        ({"route": None, "scope": None, "tags": None, "similar_to": None}, PurgeOrder(tags=None)),
        ({"similar_to": "Hi"}, PurgeOrder(similar_to="Hi")),
        ({"similar_to": {"text": "Hi", "at_least": 0.8}}, PurgeOrder(similar_to=Similar("Hi", 0.8))),
    ],
)
def test_a_purge_is_read(client: TestClient, operations: Scripted, sent: object, order: PurgeOrder):
    assert client.post("/-/purge", content=b"" if sent is None else json.dumps(sent)).status_code == 200
    assert operations.asked == [("purge", order)]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/-/entries", (None, 50, None)),
        ("/-/entries?route=chat&limit=7&after=01a1", ("chat", 7, "01a1")),
        ("/-/entries?limit=100000", (None, 1000, None)),
        ("/-/entries?route=&limit=&after=", (None, 50, None)),
    ],
)
def test_a_page_is_asked_for(client: TestClient, operations: Scripted, path: str, asked: object):
    assert client.get(path).status_code == 200
    assert operations.asked == [("entries", asked)]


@pytest.mark.parametrize(("path", "force"), [("", False), ("?force=true", True), ("?force", True), ("?force=0", False)])
def test_a_reload_is_forced_only_where_it_is_said(client: TestClient, operations: Scripted, path: str, force: bool):
    assert client.post(f"/-/reload{path}").status_code == 200
    assert operations.asked == [("reload", force)]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("GET", "/-/entries?limit=0", b"", 422, "limit"),
        ("GET", "/-/entries?limit=-1", b"", 422, "limit"),
        ("GET", "/-/entries?limit=ten", b"", 422, "limit"),
        ("GET", "/-/entries?limit=%D9%A3", b"", 422, "limit"),
        ("GET", "/-/entries?limit=" + "9" * 5000, b"", 422, "limit"),
        ("GET", "/-/entries?after=%00", b"", 422, "after"),
        ("GET", "/-/entries?rout=chat", b"", 422, "did you mean `route`"),
        ("GET", "/-/entries?route=a&route=b", b"", 422, "twice"),
        ("GET", "/-/export?rout=chat", b"", 422, "did you mean `route`"),
        ("GET", "/-/stats?route=chat", b"", 422, "route"),
        ("POST", "/-/reload?force=maybe", b"", 422, "force"),
        ("POST", "/-/lookup", b"", 400, "JSON"),
        ("POST", "/-/lookup", b"{", 400, "JSON"),
        ("POST", "/-/lookup", b"\xff\xfe", 400, "JSON"),
        ("POST", "/-/lookup", b"[" * 100_000, 422, "object"),
        ("POST", "/-/lookup", b'{"route": ' + b"[" * 100_000, 422, "$.route"),
        ("POST", "/-/lookup", b"[]", 422, "object"),
        ("POST", "/-/lookup", b"{}", 422, "route"),
        ("POST", "/-/lookup", b'{"route": 1}', 422, "$.route"),
        ("POST", "/-/lookup", b'{"route": "chat", "scopes": "a"}', 422, "scopes"),
        ("POST", "/-/lookup", b'{"route": "chat", "headers": {"a": 1}}', 422, "$.headers"),
        ("POST", "/-/purge", b'{"dry_run": "no"}', 422, "$.dry_run"),
        ("POST", "/-/purge", b'{"tag": "x"}', 422, "tag"),
        ("POST", "/-/purge", b'{"similar_to": {"text": 1}}', 422, "$.similar_to"),
        ("POST", "/-/purge", b"null", 422, "object"),
        ("POST", "/-/import", b"\n" * (MOST_LINES + 1), 413, "lines"),
        ("POST", "/-/import", b" " * (LARGEST_BATCH + 1), 413, ""),
    ],
)
def test_what_is_wrong_with_an_order_is_said(
    client: TestClient, operations: Scripted, method: str, path: str, body: bytes, status: int, says: str
):
    answer = client.request(method, path, content=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert says in answer.json()["detail"]
    assert operations.asked == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidOrder("no route is named 'x'; there is chat"), 422),
        (StoreError("postgres: no answer"), 503),
        (EmbedError("embedders.default: no answer"), 503),
    ],
)
def test_what_cannot_be_done_is_a_problem_with_its_reason(
    client: TestClient, operations: Scripted, error: Exception, status: int
):
    operations.fails = error
    for method, path in GUARDED:
        if path == "/-/openapi":
            continue
        answer = client.request(method, path, content=BODIES.get((method, path), b""))
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), path
        assert answer.json()["detail"] == str(error)
        assert ("retry-after" in answer.headers) is (status == 503)


def test_a_refused_reload_lists_every_problem(client: TestClient, operations: Scripted):
    problems = tuple(FileProblem(f"$.routes[{n}]", "routes.yaml", n, 3, "error", "wrong", "right") for n in range(3))
    operations.fails = ReloadRefused("the routes file has 3 errors", problems)
    answer = client.post("/-/reload")
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    shown = answer.json()
    assert (shown["title"], shown["detail"]) == ("The configuration was not reloaded", "the routes file has 3 errors")
    assert shown["problems"] == [
        {
            "path": f"$.routes[{n}]",
            "file": "routes.yaml",
            "line": n,
            "column": 3,
            "level": "error",
            "text": "wrong",
            "hint": "right",
        }
        for n in range(3)
    ]


def test_an_error_of_our_own_tells_nothing_of_itself(client: TestClient, operations: Scripted, caplog):
    operations.fails = RuntimeError("a secret")
    answer = client.get("/-/stats")
    assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
    assert "a secret" not in answer.text
    assert [record.exc_info[1] for record in caplog.records if record.name == "semgate"] == [operations.fails]


def test_an_export_is_a_stream_of_lines(client: TestClient, operations: Scripted):
    answer = client.get("/-/export?route=chat")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in answer.text.splitlines()] == [{"nth": 1}, {"nth": 2}]
    assert operations.asked == [("export", "chat")]


def test_a_batch_is_handed_over_as_it_was_sent(client: TestClient, operations: Scripted):
    lines = b"\n".join([b"{}"] * MOST_LINES)
    assert client.post("/-/import?route=chat", content=lines).status_code == 200
    assert client.post("/-/import", content=lines + b"\n").status_code == 200
    assert operations.asked == [("import", (lines, "chat")), ("import", (lines + b"\n", None))]


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
members = st.sampled_from(
    ["route", "body", "text", "scope", "headers", "path", "tags", "older_than", "similar_to", "dry_run", "at_least"]
)
orders = st.dictionaries(members, documents, max_size=6)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    target=st.sampled_from(GUARDED),
    query=st.dictionaries(
        st.sampled_from(["route", "limit", "after", "force", "x"]) | st.text(max_size=5),
        st.text(max_size=30),
        max_size=3,
    ),
    body=st.binary(max_size=60) | (orders | documents).map(lambda document: json.dumps(document).encode()),
)
def test_whatever_is_sent_is_answered_and_never_an_error_of_ours(target, query, body):
    with TestClient(app_for(Scripted()), raise_server_exceptions=False) as client:
        method, path = target
        answer = client.request(method, path, params=query, content=body, headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json()["detail"]
