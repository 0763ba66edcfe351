"""Denied questions through the admin API: in effect at once, listed with their counts, taken back, and reported as wrong."""

from __future__ import annotations

from typing import Any

import pytest
from desk import RESET, RESET_OTHERWISE, WEATHER, ask, keep, look, topic
from litestar.testing import TestClient
from running import Gateway, until
from scripted import Scripted

from gateway.core.denial import LONGEST_QUESTION, Then
from gateway.fronts.admin import examples
from gateway.fronts.admin.deny_shapes import DenyOrder


def test_orders_are_handed_over(client: TestClient, operations: Scripted) -> None:
    assert client.get("/-/deny").json() == examples.DENIED_PAGE
    assert client.get("/-/deny?route=chat&limit=7&after=file-1").status_code == 200
    assert client.post("/-/deny", json={"text": "How?"}).json() == examples.DENIED
    refuse = {"text": "How?", "route": "chat", "at_least": 0.8, "then": "refuse", "answer": "No.", "verify": False}
    assert client.post("/-/deny", json=refuse).status_code == 200
    assert client.post("/-/deny/01a1fd2e/false-positive", json={"question": "How not?"}).json() == examples.SPARED
    done = client.delete("/-/deny/01a1fd2e")
    assert (done.status_code, done.content) == (204, b"")
    assert operations.asked == [
        ("denied", (None, 1000, None)),
        ("denied", ("chat", 7, "file-1")),
        ("deny", DenyOrder(text="How?")),
        ("deny", DenyOrder(text="How?", route="chat", at_least=0.8, then=Then.REFUSE, answer="No.", verify=False)),
        ("spare", ("01a1fd2e", "How not?")),
        ("allow", "01a1fd2e"),
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("POST", "deny", {}, 422, "text"),
        ("POST", "deny", {"text": "How?", "atleast": 0.9}, 422, "atleast"),
        ("POST", "deny", {"text": "How?", "then": "drop"}, 422, "then"),
        ("POST", "deny?force=true", {"text": "How?"}, 422, "force"),
        ("POST", "deny/01a1fd2e/false-positive", {}, 422, "question"),
        ("POST", "deny/unknown/false-positive", {"question": "How?"}, 404, "unknown"),
        ("POST", "deny/a%20b/false-positive", {"question": "How?"}, 404, "no denied question"),
        ("DELETE", "deny/unknown", None, 404, "unknown"),
        ("GET", "deny?limit=none", None, 422, "limit"),
    ],
)
def test_what_is_wrong_in_an_order_is_named(
    client: TestClient, method: str, path: str, body: Any, status: int, says: str
) -> None:
    answer = client.request(method, f"/-/{path}", json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]


def deny(gateway: Gateway, text: str, **more: Any) -> dict[str, Any]:
    answer = gateway.admin("POST", "deny", {"text": text, **more})
    assert answer.status_code == 200, answer.text
    denied: dict[str, Any] = answer.json()
    return denied


def listed(gateway: Gateway, **asked: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = gateway.admin("GET", "deny", params=asked).json()["denied"]
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(request: pytest.FixtureRequest) -> Any:
    yield
    if "gateway" in request.fixturenames:
        gateway: Gateway = request.getfixturevalue("gateway")
        for each in listed(gateway):
            assert gateway.admin("DELETE", f"deny/{each['id']}").status_code == 204


def status_of(gateway: Gateway, query: str, about: str, path: str = "/loose") -> str:
    return str(ask(gateway, path, {"query": query, "topic": about}).headers["cache-status"])


def test_from_the_answer_on_a_denied_question_is_forwarded_however_it_is_worded(gateway: Gateway) -> None:
    about = topic()
    for question in (RESET, WEATHER):
        keep(gateway, "/loose", {"query": question, "topic": about})
    denied = deny(gateway, RESET, at_least=0.8)
    assert (denied["source"], denied["route"], denied["compared"]) == ("api", None, "similarity")
    for question in (RESET, RESET.upper(), RESET_OTHERWISE):
        for _ in range(2):
            assert status_of(gateway, question, about) == "semgate; fwd=bypass; detail=denied"
    assert "; hit;" in status_of(gateway, WEATHER, about)
    assert gateway.admin("DELETE", f"deny/{denied['id']}").status_code == 204
    assert "; hit;" in status_of(gateway, RESET, about)


def test_a_route_of_its_own_and_a_refusal(gateway: Gateway) -> None:
    denied = deny(gateway, RESET, route="loose", then="refuse", answer="Ask the desk.", name="desk")
    refused = ask(gateway, "/loose", {"query": RESET_OTHERWISE, "topic": topic()})
    about_it = {"at_least": 0.8, "route": "loose", "then": "refuse", "answer": "Ask the desk.", "name": "desk"}
    if refused.status_code != 403:  # at 0.9 other words may be too far
        assert deny(gateway, RESET, **about_it)["id"] == denied["id"]
        refused = ask(gateway, "/loose", {"query": RESET_OTHERWISE, "topic": topic()})
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["cache-status"] == "semgate; detail=denied"
    assert refused.json() == {
        "type": "about:blank",
        "title": "Question denied",
        "status": 403,
        "detail": "Ask the desk.",
        "deny": "desk",
    }
    elsewhere = ask(gateway, "/tenant", {"query": RESET, "topic": topic()}, {"X-Tenant": "a"})
    assert elsewhere.status_code == 200
    assert [each["id"] for each in listed(gateway, route="loose")] == [denied["id"]]
    assert listed(gateway, route="tenant") == []


def test_on_a_route_of_exact_words_they_are_what_counts(gateway: Gateway) -> None:
    denied = deny(gateway, RESET, route="words")
    assert denied["compared"] == "words"
    about = topic()
    assert "detail=denied" in status_of(gateway, f" {RESET.lower()}", about, "/words")
    assert "fwd=miss" in status_of(gateway, RESET_OTHERWISE, about, "/words")


def test_a_text_that_does_not_fit_the_model_is_compared_by_its_words(gateway: Gateway) -> None:
    long = "How do I reset it, and why? " * 100
    assert deny(gateway, long)["compared"] == "words"
    assert "detail=denied" in status_of(gateway, long, topic())


def test_a_false_positive_is_remembered_listed_and_taken_back(gateway: Gateway) -> None:
    about = topic()
    denied = deny(gateway, RESET, at_least=0.8)
    assert "denied" in status_of(gateway, RESET_OTHERWISE, about)
    reported = gateway.admin("POST", f"deny/{denied['id']}/false-positive", {"question": RESET_OTHERWISE})
    assert reported.status_code == 200, reported.text
    assert "fwd=miss" in status_of(gateway, RESET_OTHERWISE.upper(), about)
    assert "denied" in status_of(gateway, RESET, about)
    (shown,) = listed(gateway)
    assert shown["false_positives"] == [reported.json()]
    assert reported.json()["question"] == RESET_OTHERWISE
    assert gateway.admin("DELETE", f"deny/{reported.json()['id']}").status_code == 204
    assert "denied" in status_of(gateway, RESET_OTHERWISE, about)


def test_how_often_it_was_asked_is_counted(gateway: Gateway) -> None:
    before = gateway.metric("semgate_denied_total", route="loose", then="forward")
    denied = deny(gateway, WEATHER)
    for _ in range(3):
        status_of(gateway, WEATHER, topic())
    until(lambda: listed(gateway)[0]["hits"] == 3, "they are not counted")
    assert listed(gateway)[0]["id"] == denied["id"]
    assert gateway.metric("semgate_denied_total", route="loose", then="forward") == before + 3


def test_a_look_up_says_by_what_it_is_denied_and_counts_nothing(gateway: Gateway) -> None:
    deny(gateway, RESET, at_least=0.8, name="resetting")
    body = {"query": RESET_OTHERWISE, "topic": topic()}
    for question in ({"body": body}, {"text": RESET_OTHERWISE}):
        answer = look(gateway, route="loose", **question)
        assert (answer["verdict"], answer["reason"]) == ("bypass", "denied")
        (step,) = [step["result"] for step in answer["steps"] if step["step"] == "deny"]
        assert step.startswith('denied by "resetting" (text similarity 0.')
    deny(gateway, RESET, then="refuse")
    for question in ({"body": {"query": RESET}}, {"text": RESET}):
        answer = look(gateway, route="loose", **question)
        assert (answer["verdict"], answer["reason"]) == ("refuse", "denied")
    deny(gateway, RESET, route="words")
    assert look(gateway, route="words", text=RESET)["reason"] == "denied"
    assert look(gateway, route="loose", text=WEATHER)["reason"] != "denied"
    assert {each["hits"] for each in listed(gateway)} == {0}


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ({"text": " "}, "`text`"),
        ({"text": "x" * (LONGEST_QUESTION + 1)}, "`text`"),
        ({"text": "nul\0"}, "`text`"),
        ({"text": "How?", "route": "chatt"}, "no route is named 'chatt'"),
        ({"text": "How?", "at_least": 0}, "`at_least`"),
        ({"text": "How?", "at_least": 1.1}, "`at_least`"),
        ({"text": "How?", "name": "two words"}, "`name`"),
        ({"text": "How?", "answer": "No."}, "refuse"),
        ({"text": "How?", "then": "refuse", "answer": ""}, "`answer`"),
    ],
)
def test_what_cannot_be_denied_is_said(gateway: Gateway, order: dict[str, Any], says: str) -> None:
    answer = gateway.admin("POST", "deny", order)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]
    assert listed(gateway) == []


def test_pages_follow_each_other(gateway: Gateway) -> None:
    ids = [deny(gateway, f"Question number {number}?")["id"] for number in range(5)]
    found: list[str] = []
    after: str | None = None
    while True:
        page = gateway.admin("GET", "deny", params={"limit": "2", **({"after": after} if after else {})}).json()
        found += [each["id"] for each in page["denied"]]
        after = page["next"]
        if after is None:
            break
    assert found == ids
    gone = gateway.admin("GET", "deny", params={"after": "file-unknown"})
    assert gone.status_code == 422
