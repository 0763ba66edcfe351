"""Who gets in: the token, what guessers see, and that without a token there is no door."""

from __future__ import annotations

import pytest
from litestar.testing import TestClient
from scripted import BODIES, GUARDED, OPEN, TOKEN, Scripted, app_for

from gateway.fronts.admin.access import MOST_ADDRESSES, MOST_FAILURES, WINDOW, Failures


def is_problem(answer, status: int) -> bool:
    problem = answer.json()
    return (
        answer.status_code == status
        and answer.headers["content-type"] == "application/problem+json"
        and problem["status"] == status
        and bool(problem["detail"])
    )


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_without_a_configured_token_the_path_does_not_exist(method: str, path: str):
    operations = Scripted()
    operations.admin_token = ""
    with TestClient(app_for(operations)) as client:
        for headers in ({}, {"authorization": "Bearer "}, {"authorization": f"Bearer {TOKEN}"}):
            assert is_problem(client.request(method, path, headers=headers), 404)
    assert operations.asked == []


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer \xff"],
)
def test_a_wrong_or_missing_token_is_401(operations: Scripted, method: str, path: str, sent: str):
    with TestClient(app_for(operations)) as client:
        headers = {b"authorization": sent.encode("latin-1")} if sent else {}
        answer = client.request(method, path, headers=headers)
    assert is_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.text
    assert operations.asked == []


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_the_right_token_opens(client: TestClient, operations: Scripted, method: str, path: str):
    answer = client.request(method, path, content=BODIES.get((method, path), b""))
    assert answer.status_code in (200, 204), answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_the_scheme_is_read_whatever_its_case_and_the_token_is_not(operations: Scripted):
    with TestClient(app_for(operations)) as client:
        assert client.get("/-/config", headers={"authorization": f"bearer {TOKEN}"}).status_code == 200
        assert client.get("/-/config", headers={"authorization": f"Bearer {TOKEN.upper()}"}).status_code == 401


def test_a_token_may_be_any_text(operations: Scripted):
    operations.admin_token = "schlüssel"
    with TestClient(app_for(operations)) as client:
        sent = b"Bearer " + "schlüssel".encode()
        assert client.get("/-/config", headers={b"authorization": sent}).status_code == 200


@pytest.mark.parametrize(("method", "path"), OPEN)
def test_probes_need_no_token(operations: Scripted, method: str, path: str):
    with TestClient(app_for(operations)) as client:
        assert client.request(method, path).status_code == 200


def test_guessers_are_told_to_stay_away_and_the_operator_still_gets_in(operations: Scripted):
    with TestClient(app_for(operations)) as client:
        guesses = [client.get("/-/config", headers={"authorization": f"Bearer guess-{n}"}) for n in range(12)]
        assert [guess.status_code for guess in guesses] == [401] * MOST_FAILURES + [429] * 2
        assert is_problem(guesses[-1], 429)
        assert 1 <= int(guesses[-1].headers["retry-after"]) <= WINDOW
        assert client.get("/-/config", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
        assert client.get("/-/config").status_code == 401  # no token is no guess


def test_after_a_minute_guesses_are_counted_anew_even_for_who_never_stopped():
    times = iter([0.0] * MOST_FAILURES + [1.0, 30.0, 59.5, 61.0, 61.0])
    failures = Failures(lambda: next(times))
    assert [failures.add("10.0.0.1") for _ in range(MOST_FAILURES)] == [0] * MOST_FAILURES
    assert [failures.add("10.0.0.1") for _ in range(4)] == [59, 30, 1, 0]
    assert failures.add("10.0.0.2") == 0


def test_no_more_addresses_are_remembered_than_fit():
    failures = Failures(lambda: 0.0)
    for _ in range(MOST_FAILURES):
        failures.add("first")
    for nth in range(MOST_ADDRESSES):
        failures.add(f"other-{nth}")
    assert failures.add("first") == 0  # forgotten
    assert failures.add(f"other-{MOST_ADDRESSES - 1}") == 0


def test_an_unknown_path_and_a_wrong_method_are_problems(client: TestClient):
    assert is_problem(client.get("/-/nothing"), 404)
    wrong = client.get("/-/reload")
    assert is_problem(wrong, 405)
    assert wrong.headers["allow"]


@pytest.mark.parametrize("path", ["/-/reload", "/-/lookup", "/-/purge"])
def test_which_methods_a_path_has_is_told_to_who_may_use_it(operations: Scripted, path: str):
    with TestClient(app_for(operations)) as client:
        assert is_problem(client.get(path), 401)
        assert is_problem(client.get(path, headers={"authorization": "Bearer guess"}), 401)
        assert is_problem(client.get(path, headers={"authorization": f"Bearer {TOKEN}"}), 405)
        assert is_problem(client.post("/-/ready"), 405)
        operations.admin_token = ""
        assert is_problem(client.get(path), 404)
