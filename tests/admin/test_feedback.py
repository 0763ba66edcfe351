"""Feedback: who may speak of what, what a word does, and how often."""

from __future__ import annotations

import itertools
import json
from typing import Any

import httpx
import pytest
from desk import APP, RESET, RESET_OTHERWISE, WEB, ask, keep, topic
from litestar.testing import TestClient
from running import Gateway, chat, until
from scripted import Scripted, app_for

from gateway.fronts.admin.door import MOST_FEEDBACK
from gateway.fronts.admin.evidence import LARGEST_FEEDBACK
from gateway.fronts.clients import Caller, Client

SEEDS = itertools.count()
NOBODY = "01a1fd2e-0ee4-7a1e-88fa-ed17bc9d7566"


def say(gateway: Gateway, entry: str, verdict: str, as_: dict[str, str], **more: Any) -> httpx.Response:
    return gateway.http.post("/-/feedback", json={"entry": entry, "verdict": verdict, **more}, headers=as_)


OPERATOR = {"Authorization": "Bearer TOKEN"}


def is_there(gateway: Gateway, entry: str) -> bool:
    return gateway.admin("GET", f"entries/{entry}").status_code == 200


def lines(gateway: Gateway, entry: str) -> list[dict[str, Any]]:
    """The judgements of the log on this entry."""
    log = gateway.admin("GET", "shadow/log").text.splitlines()
    return [line for line in map(json.loads, log) if line["entry"] == entry]


def test_what_an_operator_calls_wrong_goes_and_is_noted(gateway: Gateway):
    body = {"query": RESET, "topic": topic()}
    entry = keep(gateway, "/loose", body)
    before = gateway.metric("semgate_judgements_total", route="loose", origin="feedback", finding="wrong")
    answer = say(gateway, entry, "wrong", OPERATOR, question=RESET_OTHERWISE)
    assert answer.json() == {"entry": entry, "verdict": "wrong", "evicted": True, "noted": True}
    assert not is_there(gateway, entry)
    assert ask(gateway, "/loose", body).headers["x-cache"] == "MISS"
    (line,) = lines(gateway, entry)
    assert line.keys() >= {"at", "similarity", "verifier_score", "served"}
    expected = {
        "route": "loose",
        "origin": "feedback",
        "finding": "wrong",
        "verdict": "wrong",
        "how": "feedback",
        "kind": "semantic",
        "text_a": RESET_OTHERWISE,
        "text_b": RESET,
    }
    assert {name: line[name] for name in expected} == expected
    assert gateway.metric("semgate_judgements_total", route="loose", origin="feedback", finding="wrong") == before + 1


def test_a_pair_that_was_called_wrong_is_not_served_again_and_others_are(gateway: Gateway):
    kind = topic()
    entry = keep(gateway, "/loose", {"query": RESET, "topic": kind})
    asked = {"query": RESET_OTHERWISE, "topic": kind}
    hit = ask(gateway, "/loose", asked)
    assert (hit.headers["x-cache"], hit.headers["x-cache-entry"]) == ("HIT", entry)
    assert say(gateway, entry, "wrong", OPERATOR, question=RESET_OTHERWISE).status_code == 200
    again = keep(gateway, "/loose", {"query": RESET, "topic": kind})
    assert again != entry
    assert ask(gateway, "/loose", asked).headers["x-cache"] == "MISS"
    # Now it has an answer of its own, in the same words.
    until(lambda: ask(gateway, "/loose", asked).headers["x-cache"] == "HIT", "its own answer is not served")


def test_what_is_called_right_stays_and_is_noted_once(gateway: Gateway):
    entry = keep(gateway, "/loose", {"query": RESET, "topic": topic()})
    assert say(gateway, entry, "right", OPERATOR).json()["noted"] is True
    again = say(gateway, entry, "right", OPERATOR).json()
    assert again == {"entry": entry, "verdict": "right", "evicted": False, "noted": False}
    assert is_there(gateway, entry)
    (line,) = lines(gateway, entry)
    assert (line["finding"], line["kind"], line["text_a"], line["text_b"]) == ("right", "exact", RESET, RESET)


def test_a_wrong_told_twice_is_answered_alike_though_the_entry_is_gone(gateway: Gateway):
    entry = keep(gateway, "/loose", {"query": RESET, "topic": topic()})
    assert say(gateway, entry, "wrong", WEB).json()["noted"] is True
    assert say(gateway, entry, "wrong", WEB).json() == {
        "entry": entry,
        "verdict": "wrong",
        "evicted": True,
        "noted": False,
    }
    assert say(gateway, entry, "wrong", APP).status_code == 404
    assert len(lines(gateway, entry)) == 1


def test_a_client_speaks_of_its_own_entries_only_and_learns_nothing_of_others(gateway: Gateway):
    entry = keep(gateway, "/v1/chat/completions", chat(RESET, seed=next(SEEDS)))
    unknown = say(gateway, NOBODY, "wrong", APP)
    others = say(gateway, entry, "wrong", APP)
    assert (unknown.status_code, others.status_code) == (404, 404)
    assert others.text.replace(entry, NOBODY) == unknown.text
    assert is_there(gateway, entry)
    assert not lines(gateway, entry)
    assert say(gateway, entry, "wrong", WEB).json()["evicted"] is True
    assert not is_there(gateway, entry)
    (line,) = lines(gateway, entry)
    assert line["how"] == "client"


def test_where_a_header_says_whose_it_is_the_feedback_has_it_too(gateway: Gateway):
    entry = keep(gateway, "/tenant", {"query": RESET, "topic": topic()}, {"X-Tenant": "north"})
    for headers in ({}, {"X-Tenant": "south"}):
        assert say(gateway, entry, "wrong", {**WEB, **headers}).status_code == 404
    assert say(gateway, entry, "wrong", {**WEB, "X-Tenant": "north"}).status_code == 200


def test_what_a_body_says_of_the_scope_is_said_as_scope(gateway: Gateway):
    body = {"query": RESET, "topic": topic(), "team": 7}
    entry = keep(gateway, "/team", body, {"X-Org": "acme"})
    assert say(gateway, entry, "wrong", {**WEB, "X-Org": "acme"}).status_code == 404
    assert say(gateway, entry, "wrong", WEB, scope=["acme", "8"]).status_code == 404
    assert say(gateway, entry, "wrong", WEB, scope="acme").status_code == 404
    assert say(gateway, entry, "wrong", WEB, scope=["acme", "7"]).status_code == 200


def test_naming_another_clients_scope_helps_nobody(gateway: Gateway):
    entry = keep(gateway, "/v1/chat/completions", chat(RESET, seed=next(SEEDS)))
    assert say(gateway, entry, "wrong", APP, scope="web").status_code == 404
    assert is_there(gateway, entry)


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"entry": NOBODY, "verdict": "perhaps"}, 422),
        ({"entry": NOBODY}, 422),
        ({"entry": NOBODY, "verdict": "wrong", "comment": "?"}, 422),
        ({"entry": NOBODY, "verdict": "wrong", "question": "x" * 40_000}, 422),
        ({"entry": NOBODY, "verdict": "wrong"}, 404),
        ({"entry": "no\0id", "verdict": "wrong"}, 404),
    ],
)
def test_what_cannot_be_meant_is_refused(gateway: Gateway, order: dict[str, Any], status: int):
    for who in (OPERATOR, WEB):
        answer = gateway.http.post("/-/feedback", json=order, headers=who)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_word_is_bounded_in_size(gateway: Gateway):
    order = {"entry": NOBODY, "verdict": "wrong", "question": "x" * LARGEST_FEEDBACK}
    assert httpx.post(f"{gateway.url}/-/feedback", json=order, headers=WEB).status_code == 413


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}, {"x-api-key": "nonsense"}])
def test_who_is_neither_operator_nor_client_is_401(gateway: Gateway, headers: dict[str, str]):
    assert say(gateway, NOBODY, "wrong", headers).status_code == 401


def test_a_client_may_speak_so_often_a_minute():
    operations = Scripted()
    operations.has_clients = True  # type: ignore[misc]
    operations.caller = Caller(b"web", b"x-api-key", Client("web"))
    with TestClient(app_for(operations)) as client:
        order = {"entry": "01a1fd2e", "verdict": "wrong"}
        for _ in range(MOST_FEEDBACK):
            assert client.post("/-/feedback", json=order).status_code == 200
        answer = client.post("/-/feedback", json=order)
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        operations.caller = None
        with_token = client.post(
            "/-/feedback", json=order, headers={"authorization": f"Bearer {operations.admin_token}"}
        )
        assert with_token.status_code == 200
