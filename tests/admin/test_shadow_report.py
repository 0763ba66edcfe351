"""The report of shadow mode and audits: what a running gateway found, and the arithmetic of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import SEMGATE, Gateway, RawUpstream, serve, until
from tried import OFF, OFF_ANSWER, ON, ON_ANSWER, RESET, RESET_ANSWER, RESET_ANSWER_TOO, RESET_TOO, SERVER, Knowing

from gateway.cli.labelled import read_comparisons
from gateway.core.comparison import STATED_ERROR
from gateway.core.evidence import wilson
from gateway.runtime.shadowing import findings

ROUTES = """
routes:
  - {name: tried, path: /tried, upstream: llm, preset: openai-chat, scope: public, mode: shadow, thresholds: {hit: 0.8}}
  - {name: fresh, path: /fresh, upstream: llm, preset: openai-chat, scope: public, mode: shadow, thresholds: {hit: 0.8}}
  - {name: served, path: /served, upstream: llm, preset: openai-chat, scope: public, thresholds: {hit: 0.8}}
"""


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """It has been asked, in shadow mode: two in the same words, one in others that is right, one that is wrong."""
    head = SERVER.format(data=data_dir, url=upstream.url, namespace="shadow_report", workers=2)
    answers = {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO, ON: ON_ANSWER, OFF: OFF_ANSWER}
    Knowing(upstream, answers)
    with serve(tmp_path_factory.mktemp("report"), head + ROUTES) as running:
        for question, entries in ((RESET, 1), (RESET, 1), (RESET_TOO, 1), (ON, 2), (OFF, 2)):
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": question}]}
            assert running.ask("/tried", body).headers["x-cache"] == "SHADOW"
            until(lambda: stored(running) >= entries, "nothing is stored")  # noqa: B023 - asked at once
        until(lambda: len(log(running)) == 2, "nothing was judged")
        until(lambda: report(running)["looked_up"] == 5, "nothing was counted")
        yield running


def stored(gateway: Gateway) -> int:
    return len(gateway.admin("GET", "entries?route=tried").json()["entries"])


def report(gateway: Gateway, **asked: str) -> dict[str, Any]:
    answer = gateway.admin("GET", "shadow", params={"route": "tried", **asked})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["routes"]["tried"]
    return found


def log(gateway: Gateway, **asked: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gateway.admin("GET", "shadow/log", params=asked).text.splitlines()]


def test_it_tells_what_would_have_been_served_and_saved(gateway: Gateway):
    found = report(gateway)
    assert (found["mode"], found["looked_up"]) == ("shadow", 5)
    assert found["would_be"] == {"exact": 1, "semantic": 2}
    # Each answer cost 10 and 20 tokens, at $1000 and $2000 a million.
    assert found["saved"] == {"prompt_tokens": 30, "completion_tokens": 60, "dollars": pytest.approx(0.15)}


def test_it_tells_how_often_that_was_wrong(gateway: Gateway):
    found = report(gateway)
    low, high = wilson(1, 2)
    rate = {"rate": 0.5, "low": pytest.approx(low), "high": pytest.approx(high)}
    compared = {"right": 1, "wrong": 1, "unsure": 0, "decided": rate, "at_best": rate, "at_worst": rate}
    assert found["compared"] == compared
    assert found["origins"] == {"shadow": compared}
    assert found["kinds"] == {"semantic": compared}
    assert sum(band["findings"]["wrong"] for band in found["similarities"]) == 1
    assert all(band["least"] < band["below"] for band in found["similarities"])
    assert found["scores"] == []  # no second opinion was asked


def test_it_looks_back_as_far_as_it_is_asked_to(gateway: Gateway):
    assert report(gateway, since="7d")["compared"]["right"] == 1
    assert report(gateway, since="1ms")["compared"]["right"] == 0
    assert log(gateway, since="1ms") == []


def test_routes_in_shadow_mode_are_told_of_though_nothing_is_known(gateway: Gateway):
    found = gateway.admin("GET", "shadow").json()["routes"]
    assert list(found) == ["tried", "fresh"]
    assert found["fresh"]["compared"]["decided"] is None


@pytest.mark.parametrize(
    ("query", "said"),
    [("route=nobody", "no route is named"), ("since=soon", "`since`"), ("rout=tried", "did you mean `route`")],
)
def test_what_cannot_be_meant_is_refused(gateway: Gateway, query: str, said: str):
    for path in ("shadow", "shadow/log"):
        answer = gateway.admin("GET", f"{path}?{query}")
        assert answer.status_code == 422
        assert said in answer.json()["detail"]


def test_the_log_has_each_judgement_with_its_words_and_calibrate_reads_it(gateway: Gateway, tmp_path: Path):
    right, wrong = log(gateway)
    assert (right["verdict"], right["text_a"], right["text_b"]) == ("right", RESET_TOO, RESET)
    assert (wrong["verdict"], wrong["text_a"], wrong["text_b"], wrong["served"]) == ("wrong", OFF, ON, False)
    file = tmp_path / "log.jsonl"
    command = [SEMGATE, "shadow", "report", "--url", gateway.url, "--token", "TOKEN", "--format", "jsonl"]
    file.write_bytes(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert [each.verdict for each in read_comparisons(str(file))] == ["right", "wrong"]


def test_the_table_says_it_all_in_words(gateway: Gateway):
    command = [SEMGATE, "shadow", "report", "--url", gateway.url, "--token", "TOKEN", "--route", "tried"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    for said in ("route tried, mode shadow", "looked up      5", "3, 60.0 %", "30 prompt and 60 completion", "50.0 %"):
        assert said in shown


def test_without_the_token_nothing_is_told(gateway: Gateway):
    for method, path in (("GET", "shadow"), ("GET", "shadow/log"), ("DELETE", "shadow?route=tried")):
        assert gateway.http.request(method, f"/-/{path}").status_code == 401


def test_a_reset_asks_for_a_route_and_forgets_it(gateway: Gateway):
    assert gateway.admin("DELETE", "shadow").status_code == 422
    assert gateway.admin("DELETE", "shadow?route=nobody").status_code == 422
    assert gateway.admin("DELETE", "shadow?route=tried").json() == {"removed": 2}
    found = report(gateway)
    assert (found["looked_up"], found["compared"]["right"]) == (0, 0)
    assert log(gateway) == []


def test_the_comparison_states_its_own_error(gateway: Gateway):
    errors = gateway.admin("GET", "shadow").json()["errors"]
    assert errors.keys() == STATED_ERROR.keys()
    count, of = STATED_ERROR["prose"].wrong_found_right
    assert errors["prose"]["wrong_found_right"]["rate"] == pytest.approx(count / of)


def test_unsure_findings_are_counted_both_ways():
    found = findings(90, 2, 8)
    assert (found.decided, found.at_best, found.at_worst) != (None, None, None)
    assert found.decided is not None
    assert found.at_best is not None
    assert found.at_worst is not None
    assert found.decided.rate == pytest.approx(2 / 92)
    assert (found.at_best.rate, found.at_worst.rate) == (0.02, 0.1)
    assert found.at_best.low < found.decided.low < found.decided.high < found.at_worst.high
    nothing = findings(0, 0, 0)
    assert (nothing.decided, nothing.at_best, nothing.at_worst) == (None, None, None)
    unsure = findings(0, 0, 3)
    assert unsure.decided is None
    assert unsure.at_worst is not None
    assert unsure.at_worst.rate == 1.0
