"""How good synthesized answers are: shadow mode and audits compare them with the upstream's, and report them apart."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import SEMGATE, Gateway, RawUpstream, until
from synthesized import Asked, Cheap, gateway_of, route
from tried import OFF, OFF_ANSWER, ON, ON_ANSWER, RESET, RESET_ANSWER, RESET_ANSWER_TOO, RESET_TOO, Knowing, said

numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(
    upstream: RawUpstream, cheap_server: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    routes = [route(f"shadow{nth}", "mode: shadow") for nth in range(3)]
    routes += [route(f"audited{nth}", "audit: 100%") for nth in range(2)]
    routes.append(route("kept", "audit: 100%", keep=True))
    folder = tmp_path_factory.mktemp("synthesis-measured")
    with gateway_of(folder, data_dir, upstream, cheap_server, "synthesis-measured", *routes) as running:
        yield running


@pytest.fixture
def llm(upstream: RawUpstream) -> Knowing:
    return Knowing(upstream, {RESET: RESET_ANSWER, RESET_TOO: RESET_ANSWER_TOO, ON: ON_ANSWER, OFF: OFF_ANSWER})


def asked(gateway: Gateway, name: str) -> Asked:
    return Asked(gateway, name, "somebody")


def judged(found: Asked, **labels: str) -> None:
    until(lambda: found.metric("judgements", **labels) == 1, f"no judgement {labels}: {found.gateway.logged()}", 15)


def reported(gateway: Gateway, name: str) -> dict[str, Any]:
    """Once it is written."""

    def report() -> dict[str, Any]:
        found: dict[str, Any] = gateway.admin("GET", f"shadow?route={name}").json()["routes"][name]
        return found if found["synthesized"] else {}

    found: dict[str, Any] = until(report, "nothing is reported")
    return found


def test_shadow_mode_compares_what_the_model_would_have_said(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    shadow = asked(gateway, "shadow0")
    cheap.says = RESET_ANSWER_TOO
    shadow.ask(RESET)
    answer = shadow.ask(RESET_TOO)
    assert said(answer) == RESET_ANSWER_TOO
    assert answer.headers["x-cache"] == "SHADOW"
    assert "x-cache-material" not in answer.headers
    judged(shadow, origin="shadow", finding="right")
    assert cheap.shown()["kept"] == [{"question": RESET, "answer": RESET_ANSWER}]
    report = reported(gateway, "shadow0")
    assert report["synthesized"]["right"] == 1
    assert report["compared"]["right"] == 0, "the hits' own rate has it in it"
    assert shadow.metric("synthesis", result="compared") == 1


def test_a_wrong_one_is_told_and_the_upstreams_answer_stays(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    shadow = asked(gateway, "shadow1")
    cheap.says = ON_ANSWER
    shadow.ask(ON)
    shadow.ask(OFF)
    judged(shadow, origin="shadow", finding="wrong")
    assert shadow.ask(OFF).headers["cache-status"].endswith("shadow-hit")
    reported(gateway, "shadow1")
    told = subprocess.run(
        [SEMGATE, "shadow", "report", "--url", gateway.url, "--token", "TOKEN", "--route", "shadow1"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "synthesized answers" in told.stdout
    log = gateway.admin("GET", "shadow/log?route=shadow1").text
    assert '"kind":"synthesis"' in log


def test_in_shadow_mode_a_model_that_declines_is_not_compared(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    shadow = asked(gateway, "shadow2")
    cheap.says = "NOT_ENOUGH"
    shadow.ask(ON)
    shadow.ask(OFF)
    until(lambda: shadow.metric("synthesis", result="not-enough") == 1, "the model is not asked")
    assert shadow.metric("judgements") == 0


def test_an_audit_asks_the_upstream_as_well(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    audited = asked(gateway, "audited0")
    cheap.says = RESET_ANSWER_TOO
    audited.ask(RESET)
    assert audited.ask(RESET_TOO).headers["x-cache"] == "SYNTHESIS"
    judged(audited, origin="audit", finding="right")
    assert llm.asked == [RESET, RESET_TOO]
    assert audited.metric("audit_tokens") == 30
    assert audited.ask(RESET_TOO).headers["x-cache"] == "SYNTHESIS"


def test_what_an_audit_finds_wrong_is_not_made_again(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    audited = asked(gateway, "audited1")
    cheap.says = ON_ANSWER
    audited.ask(ON)
    assert said(audited.ask(OFF)) == ON_ANSWER
    judged(audited, origin="audit", finding="wrong")
    until(lambda: audited.ask(OFF).headers["x-cache"] == "HIT", "the upstream's answer is not kept")
    gateway.admin("DELETE", f"entries/{audited.ask(OFF).headers['x-cache-entry']}")
    after = audited.ask(OFF)
    assert (after.headers["x-cache"], said(after)) == ("MISS", OFF_ANSWER)
    assert len(cheap.asked) == 1


def test_a_wrong_one_that_was_kept_goes(gateway: Gateway, llm: Knowing, cheap: Cheap) -> None:
    kept = asked(gateway, "kept")
    cheap.says = ON_ANSWER
    kept.ask(ON)
    kept.ask(OFF)
    judged(kept, origin="audit", finding="wrong")
    until(lambda: said(kept.ask(OFF)) == OFF_ANSWER, "the wrong answer is still served")
    assert len(cheap.asked) == 1
