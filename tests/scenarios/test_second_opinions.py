"""Second opinions in a running gateway: what is near and right is served, what is near and wrong is not, whoever judges."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Exchange, Gateway, RawUpstream, completion, http_answer, serve, until

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: opinions, admin: {{token: TOKEN}}}}
upstreams:
  llm: {{url: "{url}"}}
prices: {{"judge-*": {{prompt: 1, completion: 2}}}}
verifiers:
  judge: {{type: llm, base_url: "{url}/v1", model: judge-1, timeout: 5s}}
  late: {{type: llm, base_url: "{url}/late", model: judge-1, timeout: 50ms}}
  cross: {{type: cross-encoder, model: /nowhere/at/all}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: "header:X-Tenant",
      allow: {{threshold: {{min: 0.5}}}}}}
  - {{name: judged, path: /judged, upstream: llm, preset: json-query, scope: public, verify: judge, thresholds: {{candidate: 0.5}}}}
  - {{name: waiting, path: /waiting, upstream: llm, preset: json-query, scope: public, verify: late, thresholds: {{candidate: 0.5}}}}
  - {{name: broken, path: /broken, upstream: llm, preset: json-query, scope: public, verify: cross, thresholds: {{candidate: 0.5}}}}
"""


class Judge:
    """Answers questions, and says yes or no to pairs of them."""

    def __init__(self) -> None:
        self.says = "yes"
        self.pairs = 0

    async def answer(self, exchange: Exchange) -> None:
        if b"/chat/completions" not in exchange.request_line:
            await exchange.send(http_answer({"answer": f"answer {exchange.nth}"}))
            return
        self.pairs += 1
        if b"/late/" in exchange.request_line:
            await asyncio.sleep(0.5)
        await exchange.send(http_answer(completion(self.says, model="judge-1")))


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge()


@pytest.fixture(scope="module")
def gateway(
    upstream: RawUpstream, judge: Judge, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    upstream.behaviour = judge.answer
    with serve(
        tmp_path_factory.mktemp("opinions"), CONFIG.format(data=data_dir, url=upstream.url), ready=False
    ) as running:
        yield running


@pytest.mark.parametrize(
    ("asked", "rewritten"),
    [
        ("How do I reset my password?", "how can i reset my password"),
        ("When does the museum open?", "when does the museum open, please"),
        ("Cancel my order number 4711", "please cancel my order number 4711"),
    ],
)
def test_a_harmless_rewrite_is_served_and_says_that_it_was_verified(
    gateway: Gateway, asked: str, rewritten: str
) -> None:
    tenant = {"X-Tenant": asked}
    first = gateway.ask("/ask", {"query": asked}, tenant)
    second = gateway.ask("/ask", {"query": rewritten}, tenant)
    assert (first.headers["x-cache"], second.headers["x-cache"]) == ("MISS", "HIT")
    assert second.headers["cache-status"].endswith("detail=verified")
    assert second.content == first.content


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ("How do I turn on two-factor login?", "How do I turn off two-factor login?"),
        ("Which trains go from Kiel to Bonn?", "Which trains go from Bonn to Kiel?"),
        ("Cancel my order number 4711", "Cancel my order number 4712"),
        ("Can I bring my dog into the cabin?", "Can't I bring my dog into the cabin?"),
        ("Is the shop open on Monday?", "Is the shop open on Tuesday?"),
    ],
)
def test_one_edit_that_changes_the_meaning_is_forwarded_however_near(
    gateway: Gateway, asked: str, changed: str
) -> None:
    tenant = {"X-Tenant": changed}
    gateway.ask("/ask", {"query": asked}, tenant)
    second = gateway.ask("/ask", {"query": changed}, tenant)
    assert second.headers["x-cache"] == "MISS"
    assert float(second.headers["x-cache-similarity"]) > 0.8
    assert gateway.metric("semgate_miss_total", route="ask", reason="unverified") >= 1


def test_a_client_raises_from_where_on_opinions_are_asked(gateway: Gateway) -> None:
    tenant = {"X-Tenant": "raise"}
    gateway.ask("/ask", {"query": "How do I reset my password?"}, tenant)
    wish = {**tenant, "X-Cache-Threshold": "0.9999"}
    assert gateway.ask("/ask", {"query": "how can i reset my password"}, wish).headers["x-cache"] == "MISS"


def test_a_look_up_tells_what_the_second_opinion_was(gateway: Gateway) -> None:
    tenant = {"X-Tenant": "told"}
    gateway.ask("/ask", {"query": "Which trains go from Kiel to Bonn?"}, tenant)
    for query, served in (("which trains go from kiel to bonn", True), ("Which trains go from Bonn to Kiel?", False)):
        for question in ({"body": {"query": query}, "headers": tenant}, {"text": query, "scope": "told"}):
            answer = gateway.admin("POST", "lookup", {"route": "ask", **question}).json()
            (candidate,) = answer["candidates"]
            assert candidate["served"] is served, answer
            assert (candidate["verifier_score"] >= 0.5) is served, answer
            assert answer["verdict"] == ("hit" if served else "miss")
            assert answer["reason"] == (None if served else "unverified")


def test_a_judge_behind_an_api_is_asked_once_for_a_pair_and_paid(gateway: Gateway, judge: Judge) -> None:
    judge.says = "yes"
    gateway.ask("/judged", {"query": "How tall is the tower?"})
    first = gateway.ask("/judged", {"query": "What height has the tower?"})
    assert first.headers["cache-status"].endswith("detail=verified")
    asked, judge.says = judge.pairs, "no"
    again = gateway.ask("/judged", {"query": "What height has the tower?"}, {"Cache-Control": "max-age=1000"})
    assert again.headers["x-cache"] == "HIT"
    assert judge.pairs == asked, "the verdict is kept"
    other = gateway.ask("/judged", {"query": "How wide is the tower?"})
    assert other.headers["x-cache"] == "MISS"
    assert judge.pairs > asked
    assert gateway.metric("semgate_verifier_tokens_total", route="judged", verifier="judge") == 12 * judge.pairs
    assert gateway.metric("semgate_verifier_cost_usd_total", route="judged") == pytest.approx(15e-6 * judge.pairs)
    assert "HTTP Request" not in gateway.logged(), "one line for each call is the access log's business"


def test_verdicts_are_known_to_the_next_process(
    upstream: RawUpstream, judge: Judge, data_dir: Path, tmp_path: Path
) -> None:
    config = CONFIG.format(data=data_dir, url=upstream.url).replace("namespace: opinions", "namespace: again")
    upstream.behaviour, judge.says = judge.answer, "yes"
    for _ in range(2):
        with serve(tmp_path, config, ready=False) as gateway:
            gateway.ask("/judged", {"query": "Who painted the ceiling?"})
            found = gateway.ask("/judged", {"query": "By whom was the ceiling painted?"})
            assert found.headers["x-cache"] == "HIT"
            asked, judge.says = judge.pairs, "no"
    assert judge.pairs == asked


@pytest.mark.parametrize("path", ["/waiting", "/broken"])
def test_a_verifier_that_is_late_or_cannot_be_used_means_a_miss(gateway: Gateway, path: str) -> None:
    gateway.ask(path, {"query": "How deep is the lake?"})
    second = gateway.ask(path, {"query": "What depth has the lake?"})
    assert (second.status_code, second.headers["x-cache"]) == (200, "MISS")
    exact = gateway.ask(path, {"query": "How deep is the lake?"})
    assert exact.headers["x-cache"] == "HIT"
    reason = gateway.metric("semgate_miss_total", route=path[1:], reason="verifier-trouble")
    assert reason == 1
    until(lambda: "verifiers." in gateway.logged(), "the trouble is not told")
