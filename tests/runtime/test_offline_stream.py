"""A log played fast is the log played simply: each question against all that was kept, one after the other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.freshness import AllowedWishes
from gateway.core.messages import Near
from gateway.core.policy import CachePolicy, KeepRule, SecondOpinion
from gateway.errors import EmbedError, TextUnfit, VerifierError
from gateway.runtime import offline
from gateway.runtime.offline import OfflineRoute, serves
from gateway.runtime.offline_stream import Played, Question, make_log

KEEP = KeepRule(frozenset({2}), 1, (), (), frozenset(), frozenset())
POLICY = CachePolicy(0.9, 3, 60.0, KEEP, AllowedWishes(frozenset(), None, None))
LEAST = 0.5


class Angles:
    """`t30` is the vector at 30 degrees; `x...` has none."""

    def __init__(self, failing: int = 0) -> None:
        self.asked: list[str] = []
        self._failing = failing

    async def embed(self, text: str) -> bytes:
        self.asked.append(text)
        if self._failing:
            self._failing -= 1
            raise EmbedError("busy")
        if text.startswith("x"):
            raise TextUnfit("no vector")
        angle = np.deg2rad(float(text[1:]))
        return np.array([np.cos(angle), np.sin(angle)], dtype="<f4").tobytes()

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


class Parity:
    """Surer the nearer two numbers are, and sure of no pair of an odd and an even one."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.asked: list[tuple[str, str]] = []

    async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
        assert len(others) <= self.batch
        self.asked += [(question, near.text) for near in others]
        return [self.score(question, near.text) for near in others]

    @staticmethod
    def score(question: str, other: str) -> float:
        apart = abs(int(question[1:]) - int(other[1:]))
        return 0.0 if apart % 2 else 1 - apart / 90

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


def similarity(one: str, other: str) -> float:
    if one.startswith("x") or other.startswith("x"):
        return -1.0
    return float(np.cos(np.deg2rad(float(one[1:]) - float(other[1:]))))


def play_simply(policy: CachePolicy, questions: Sequence[Question]) -> tuple[int, int, int]:
    """Right, wrong, missed."""
    kept: list[Question] = []
    right = wrong = missed = 0
    for question in questions:
        others = [each for each in kept if each.scope == question.scope]
        same = next((each for each in others if each.text == question.text), None)
        least = policy.hit if policy.opinion is None else policy.opinion.candidate
        near = sorted(
            (each for each in others if similarity(each.text, question.text) >= least),
            key=lambda each: -similarity(each.text, question.text),
        )[: policy.top_k]
        accepted = [
            each
            for each in near
            if policy.opinion is None or Parity.score(question.text, each.text) >= policy.opinion.at_least
        ]
        served = same or next(iter(accepted), None)
        if served is None:
            missed += any(each.cluster == question.cluster for each in others)
            kept.append(question)
        elif served.cluster == question.cluster:
            right += 1
        else:
            wrong += 1
    return right, wrong, missed


# Angles that are unlike each other, so that no two are equally near to a third.
TEXTS = st.sampled_from([f"t{angle}" for angle in (0, 3, 7, 12, 18, 25, 33, 42, 52, 63)] + ["x1", "x2"])
QUESTIONS = st.lists(
    st.builds(Question, TEXTS, st.sampled_from("ab"), st.sampled_from(["", "", "other"])), min_size=1, max_size=25
)
POLICIES = st.builds(
    lambda hit, top_k, opinion: msgspec.structs.replace(POLICY, hit=hit, top_k=top_k, opinion=opinion),
    st.sampled_from([0.55, 0.8, 0.95, 0.9999]),
    st.integers(1, 4),
    st.none() | st.builds(SecondOpinion, st.sampled_from([0.55, 0.9]), st.sampled_from([0.0, 0.5, 0.9])),
)


@settings(max_examples=200)
@given(QUESTIONS, st.lists(POLICIES, min_size=1, max_size=3), st.integers(1, 3))
def test_a_log_played_fast_is_the_log_played_simply(
    questions: list[Question], policies: list[CachePolicy], batch: int
) -> None:
    verifier = Parity(batch)
    route = OfflineRoute(POLICY, Angles(), verifier, pytest.fail)

    async def play() -> list[Played]:
        log = await make_log(route, questions, LEAST, lambda _: None)
        return [await log.play(policy) for policy in policies]

    for policy, played in zip(policies, asyncio.run(play()), strict=True):
        assert (played.right, played.wrong, played.missed) == play_simply(policy, questions)
        assert played.requests == len(questions) == played.hits + played.misses
        assert played.hits == played.right + played.wrong
        assert played.pairs <= played.hits - played.same_words
        assert played.wrong_pairs <= played.pairs
    assert max(Counter(verifier.asked).values(), default=0) <= 2, "an opinion is asked once in each scope"


def test_each_text_is_embedded_once() -> None:
    embedder = Angles()
    questions = [Question("t1", "a"), Question("t2", "a"), Question("t1", "a", "other"), Question("t1", "a")]
    route = OfflineRoute(POLICY, embedder, None, pytest.fail)
    asyncio.run(make_log(route, questions, LEAST, lambda _: None))
    assert sorted(embedder.asked) == ["t1", "t2"]


def test_the_same_two_texts_met_again_are_one_pair() -> None:
    questions = [
        Question("t0", "a"),
        Question("t3", "b"),
        Question("t3", "a"),
        Question("t7", "a"),
        Question("t0", "a"),
    ]

    async def play() -> Played:
        route = OfflineRoute(POLICY, Angles(), None, pytest.fail)
        return await (await make_log(route, questions, LEAST, lambda _: None)).play(POLICY)

    played = asyncio.run(play())
    assert (played.hits, played.wrong, played.same_words) == (4, 1, 1)
    assert (played.pairs, played.wrong_pairs) == (2, 1)


def test_a_model_that_is_busy_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "PAUSES", (0.0, 0.0))
    told: list[str] = []
    route = OfflineRoute(POLICY, Angles(failing=2), None, told.append)
    assert len(asyncio.run(route.vectors(["t1"], lambda _: None))) == 1
    assert told == ["busy; again in 0 s"] * 2
    route = OfflineRoute(POLICY, Angles(failing=3), None, told.append)
    with pytest.raises(EmbedError, match="busy"):
        asyncio.run(route.vectors(["t1"], lambda _: None))


def test_a_verifier_that_stays_down_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline, "PAUSES", (0.0,))

    class Down(Parity):
        async def judge(self, question: str, others: Sequence[Near]) -> list[float]:
            raise VerifierError("down")

    route = OfflineRoute(POLICY, Angles(), Down(1), lambda _: None)
    with pytest.raises(VerifierError, match="down"):
        asyncio.run(route.judge([("t1", "t2")], lambda _: None))


def test_a_pair_is_served_as_the_policy_says() -> None:
    judged_by = msgspec.structs.replace(POLICY, opinion=SecondOpinion(0.8, 0.5))
    assert serves(POLICY, 0.9, None)
    assert not serves(POLICY, 0.89, None)
    assert serves(judged_by, 0.8, 0.5)
    assert not serves(judged_by, 0.79, 1.0)
    assert not serves(judged_by, 0.99, 0.49)
    assert not serves(judged_by, 0.99, None)
