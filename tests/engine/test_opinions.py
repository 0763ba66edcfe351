"""Second opinions: who is asked about what, and what is served, or not, after that."""

from __future__ import annotations

import asyncio

import pytest
from routebench import Bench, Doubter

from gateway.core.freshness import Wishes
from gateway.core.messages import Hit, HitKind, Miss, Reason


async def filled(verifier: Doubter, *questions: str) -> Bench:
    bench = Bench(verifier=verifier)
    for question in questions:
        await bench.answer(await bench.ask(question), b'{"asked": "%s"}' % question.encode())
    verifier.asked.clear()
    return bench


def test_a_candidate_is_served_if_the_verifier_accepts_it_and_says_so() -> None:
    async def run() -> None:
        verifier = Doubter({"open the blue door": 0.8})
        bench = await filled(verifier, "open the blue door")
        hit = await bench.ask("open the blue door now")
        assert isinstance(hit, Hit)
        assert (hit.kind, hit.score, hit.question) == (HitKind.VERIFIED, 0.8, "open the blue door")
        assert verifier.asked == [["open the blue door"]]

    asyncio.run(run())


def test_nearness_alone_serves_nothing_where_the_verifier_says_no() -> None:
    async def run() -> None:
        bench = await filled(Doubter({"open the blue door": 0.79}), "open the blue door")
        miss = await bench.ask("open the blue door now")
        assert isinstance(miss, Miss)
        assert miss.reason is Reason.UNVERIFIED
        assert miss.similarity is not None

    asyncio.run(run())


@pytest.mark.parametrize(("batch", "asked"), [(1, [1, 1]), (2, [2]), (5, [3])])
def test_candidates_are_judged_nearest_first_in_batches_until_one_is_served(batch: int, asked: list[int]) -> None:
    async def run() -> None:
        verifier = Doubter({}, batch=batch)
        bench = await filled(verifier, "a b c d", "a b c d e", "a b c d e f")
        verifier.scores["a b c d e"] = 0.9
        hit = await bench.ask("a b c d e f g")
        assert isinstance(hit, Hit)
        assert hit.question == "a b c d e"
        assert [len(each) for each in verifier.asked] == asked
        assert verifier.asked[0][0] == "a b c d e f"

    asyncio.run(run())


def test_a_client_can_ask_for_nearer_candidates_only() -> None:
    async def run() -> None:
        verifier = Doubter({"a b c d": 1.0})
        bench = await filled(verifier, "a b c d")
        miss = await bench.ask("a b c d e f", Wishes(threshold=0.99))
        assert isinstance(miss, Miss)
        assert miss.reason is Reason.BELOW_THRESHOLD
        assert verifier.asked == []

    asyncio.run(run())


def test_a_verifier_that_is_down_or_late_means_a_miss_and_is_skipped_after_a_while() -> None:
    async def run() -> None:
        verifier = Doubter({"a b c d": 1.0})
        bench = await filled(verifier, "a b c d")
        verifier.hold = asyncio.Event()
        late = await bench.ask("a b c d e")
        verifier.hold, verifier.down = None, True
        for _ in range(10):
            down = await bench.ask("a b c d f")
            assert isinstance(down, Miss)
            assert down.reason is Reason.VERIFIER_TROUBLE
            assert down.recording is not None
        assert isinstance(late, Miss)
        assert late.reason is Reason.VERIFIER_TROUBLE
        assert len(verifier.asked) < 8

    asyncio.run(run())


def test_the_same_words_need_no_opinion() -> None:
    async def run() -> None:
        verifier = Doubter({})
        bench = await filled(verifier, "a b c d")
        assert bench.memory is not None
        bench.memory.clear()
        bench.rows.clear()  # no longer found by its key, still near
        hit = await bench.ask("a b c d")
        assert isinstance(hit, Hit)
        assert hit.kind is HitKind.VERIFIED
        assert verifier.asked == []

    asyncio.run(run())


def test_a_question_that_cannot_be_read_is_not_accepted() -> None:
    async def run() -> None:
        bench = await filled(Doubter({"a b c d": 1.0}), "a b c d")
        bench.rows.asked = dict.fromkeys(bench.rows.asked)  # type: ignore[assignment]
        miss = await bench.ask("a b c d e")
        assert isinstance(miss, Miss)
        assert miss.reason is Reason.UNVERIFIED

    asyncio.run(run())
