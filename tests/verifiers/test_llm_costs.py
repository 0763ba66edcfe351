"""What the llm verifier costs: verdicts that are paid for once, calls a minute, dollars a day."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web
from imitated_judge import ASKED, OTHER, ChatApi, Clock, run

from gateway.core.messages import Near
from gateway.errors import VerifierError
from gateway.verifiers.llm import LlmVerifier
from gateway.verifiers.prompt import quoted, shipped_prompt


def test_a_verdict_is_paid_for_once(api: ChatApi, verifier: Any) -> None:
    used: list[tuple[str, int, int]] = []
    clock = Clock()

    async def scenario() -> None:
        async with verifier(on_used=lambda *each: used.append(each), clock=clock, keep=60.0) as v:
            assert await v.judge(ASKED, [OTHER]) == await v.judge(ASKED, [OTHER]) == [1.0]
            assert len(api.asked) == 1
            await v.judge(OTHER.text, [Near(ASKED, 0.93)])  # the other way round is another question
            assert len(api.asked) == 2
            clock.now += 61.0
            api.says = "no"
            assert await v.judge(ASKED, [OTHER]) == [0.0]
        assert used == [("judge", 200, 1)] * 3

    run(scenario)


def test_as_many_verdicts_are_remembered_as_are_allowed(api: ChatApi, verifier: Any) -> None:
    async def scenario() -> None:
        async with verifier(remember=2) as v:
            for text in ("a", "b", "a", "c", "a", "b"):  # `b` is the one that made room for `c`
                await v.judge(ASKED, [Near(text, 0.9)])
        assert [api.questions(call)["before"] for call in range(len(api.asked))] == ["a", "b", "c", "b"]

    run(scenario)


class Shared:
    """A verdict memory that all processes would share."""

    def __init__(self) -> None:
        self.scores: dict[bytes, float] = {}

    async def get(self, key: bytes) -> float | None:
        return self.scores.get(key)

    async def put(self, key: bytes, score: float) -> None:
        self.scores[key] = score


def test_verdicts_are_shared_under_keys_that_hold_no_question(api: ChatApi, verifier: Any, serve_chat: Any) -> None:
    shared = Shared()

    async def scenario() -> None:
        async with serve_chat(api.handle) as url:
            settings: dict[str, Any] = {"model": "judge", "base_url": url, "shared": shared, "secret": b"k" * 99}
            first, second = LlmVerifier(**settings), LlmVerifier(**settings)
            other = LlmVerifier(**settings, prompt="Another prompt.")
            for each in (first, second, first):
                assert await each.judge(ASKED, [OTHER]) == [1.0]
            assert len(api.asked) == 1
            await other.judge(ASKED, [OTHER])
            assert len(api.asked) == len(shared.scores) == 2
            assert {len(key) for key in shared.scores} == {32}
            for each in (first, second, other):
                await each.close()

    run(scenario)


def test_a_shared_verdict_is_looked_up_again_after_a_while(api: ChatApi, verifier: Any) -> None:
    """Its age is not told, so it must not live on here for another month."""
    shared, clock = Shared(), Clock()

    async def scenario() -> None:
        async with verifier(shared=shared, clock=clock) as v:
            await v.judge(ASKED, [OTHER])
            (key,) = shared.scores
            clock.now += 31 * 86_400
            shared.scores[key] = 0.25  # of another process
            assert await v.judge(ASKED, [OTHER]) == [0.25]
            shared.scores.clear()
            clock.now += 3599
            assert await v.judge(ASKED, [OTHER]) == [0.25]
            clock.now += 1
            assert await v.judge(ASKED, [OTHER]) == [1.0]
        assert len(api.asked) == 2

    run(scenario)


def test_beyond_the_calls_of_a_minute_nothing_is_asked(api: ChatApi, verifier: Any) -> None:
    clock = Clock()

    async def scenario() -> None:
        async with verifier(calls_per_minute=2, clock=clock) as v:
            for text in ("a", "b"):
                await v.judge(ASKED, [Near(text, 0.9)])
                clock.now += 20
            with pytest.raises(VerifierError, match="budget of 2 calls a minute"):
                await v.judge(ASKED, [Near("c", 0.9)])
            assert await v.judge(ASKED, [Near("a", 0.9)]) == [1.0]  # what is known costs nothing
            clock.now += 20
            await v.judge(ASKED, [Near("c", 0.9)])
        assert len(api.asked) == 3

    run(scenario)


def test_beyond_the_dollars_of_a_day_nothing_is_asked(api: ChatApi, verifier: Any) -> None:
    """A dollar a token: a call costs 201, and may cost at most its bytes."""
    clock = Clock()

    def price(prompt_tokens: int, completion_tokens: int) -> float:
        return float(prompt_tokens + completion_tokens)

    most = len(shipped_prompt().encode()) + len(quoted("a", ASKED).encode()) + 64 + 8

    async def scenario() -> None:
        async with verifier(dollars_per_day=most + 201.0, price=price, clock=clock, timeout=0.5) as v:
            await v.judge(ASKED, [Near("a", 0.9)])
            await v.judge(ASKED, [Near("b", 0.9)])
            with pytest.raises(VerifierError, match=r"budget of \d+ dollars a day"):
                await v.judge(ASKED, [Near("c", 0.9)])
            assert len(api.asked) == 2
            clock.now += 86_400
            api.gate = asyncio.Event()
            with pytest.raises(VerifierError, match="did not answer within"):
                await v.judge(ASKED, [Near("c", 0.9)])  # who knows whether it was paid
            api.gate.set()
            with pytest.raises(VerifierError, match="dollars a day"):
                await v.judge(ASKED, [Near("d", 0.9)])
            assert len(api.asked) == 3

    run(scenario)


@pytest.mark.parametrize("answer", ["refused", "nobody"])
def test_a_call_that_was_not_answered_costs_no_dollars(api: ChatApi, verifier: Any, answer: str) -> None:
    api.answer = web.json_response({"error": {"message": "busy"}}, status=503)

    async def scenario() -> None:
        settings: dict[str, Any] = {
            "dollars_per_day": 6000.0,
            "price": lambda prompt, completion: float(prompt + completion),
        }
        if answer == "nobody":
            settings["base_url"] = "http://127.0.0.1:1/v1"
        async with verifier(**settings) as v:
            for _ in range(5):
                with pytest.raises(VerifierError, match=r"answered 503|cannot be reached"):
                    await v.judge(ASKED, [OTHER])

    run(scenario)


def test_calls_in_flight_together_do_not_overdraw_the_budget(api: ChatApi, verifier: Any) -> None:
    async def scenario() -> None:
        api.gate = asyncio.Event()
        async with verifier(dollars_per_day=1.0, price=lambda *_: 0.4) as v:
            asked = [asyncio.create_task(v.judge(ASKED, [Near(str(number), 0.9)])) for number in range(5)]
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_EXCEPTION)
            assert all(isinstance(task.exception(), VerifierError) for task in done)
            api.gate.set()
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert [isinstance(answer, VerifierError) for answer in answers].count(True) == 3
        assert len(api.asked) == 2

    run(scenario)


def test_an_answer_without_a_count_is_reckoned_at_its_most(api: ChatApi, verifier: Any) -> None:
    api.usage = None
    used: list[Any] = []

    async def scenario() -> None:
        async with verifier(dollars_per_day=1.5, price=lambda *_: 1.0, on_used=lambda *each: used.append(each)) as v:
            assert await v.judge(ASKED, [OTHER]) == [1.0]
            with pytest.raises(VerifierError, match="dollars a day"):
                await v.judge(ASKED, [Near("a", 0.9)])
        assert used == []

    run(scenario)
