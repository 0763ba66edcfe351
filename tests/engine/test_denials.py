"""Denied questions: found by their words, by similarity and through the verifier, before anything is served; and what is
done where that cannot be told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from routebench import Bench, Doubter, Words, cosine

from gateway.core.body import Document
from gateway.core.denial import DeniedQuestion, Then, normalised
from gateway.core.events import Denied, Stage
from gateway.core.freshness import NO_WISHES, Wishes
from gateway.core.messages import Bypass, Denial, Follow, Hit, Miss, Reason, Refuse, Request, Vector, Verdict
from gateway.engine.deny_lists import DenyList
from gateway.engine.explain import Trace

CANCEL = "how do I cancel my contract"
NEAR = "how do I cancel my contract please"
FAR = "what is the weather in Lisbon"


def question(text: str, then: Then = Then.FORWARD, at_least: float = 0.8, **more: object) -> DeniedQuestion:
    return DeniedQuestion(f"id of {text}", text, normalised(text), "cancelling", at_least, then, **more)  # type: ignore[arg-type]


class Vectors:
    """Compares by the bench's own embedder; `ready` False: not embedded yet."""

    def __init__(self, denied: list[DeniedQuestion]) -> None:
        self._denied = [each for each in denied if not each.by_words_only]
        self.ready = True

    async def near(self, vector: Vector) -> list[tuple[int, float]] | None:
        if not self.ready:
            return None
        vectors = [await Words().embed(each.text) for each in self._denied]
        found = [(place, cosine(vector, other)) for place, other in enumerate(vectors)]
        near = [(place, nearness) for place, nearness in found if nearness >= self._denied[place].at_least]
        return sorted(near, key=lambda each: -each[1])


class Lists:
    """What is denied, as a test says."""

    def __init__(self, *denied: DeniedQuestion) -> None:
        self.version = 0
        self.lists: tuple[DenyList, ...] = ()
        self.vectors: list[Vectors] = []
        self.spared: set[tuple[str, str]] = set()
        self.asked: list[str] = []
        if denied:
            self.deny(denied)

    def deny(self, *lists: Iterable[DeniedQuestion]) -> None:
        groups = [list(each) for each in lists]
        self.vectors = [Vectors(group) for group in groups]
        self.lists = tuple(DenyList(group, vectors) for group, vectors in zip(groups, self.vectors, strict=True))
        self.version += 1

    def spares(self, denied_id: str, words: str) -> bool:
        return (denied_id, words) in self.spared

    def used(self, denied_id: str) -> None:
        self.asked.append(denied_id)


async def stored(bench: Bench, text: str) -> None:
    assert await bench.answer(await bench.ask(text))
    assert isinstance(await bench.ask(text), Hit)


def is_forwarded(verdict: Verdict) -> bool:
    return verdict == Bypass(Reason.DENIED)


@pytest.mark.parametrize("asked", [CANCEL, "How do I cancel my CONTRACT?", "  how do I\ncancel my  contract… ", NEAR])
def test_what_is_stored_for_a_denied_question_is_not_served(asked: str) -> None:
    async def run() -> None:
        lists = Lists()
        bench = Bench(denied=lists, redis=True)
        await stored(bench, asked)
        await stored(bench, FAR)
        lists.deny([question(CANCEL)])
        assert is_forwarded(await bench.ask(asked))
        assert isinstance(await bench.ask(FAR), Hit)
        lists.deny()
        assert isinstance(await bench.ask(asked), Hit)

    asyncio.run(run())


def test_it_is_refused_with_its_answer_whatever_the_client_wishes() -> None:
    async def run() -> None:
        lists = Lists(question(CANCEL, Then.REFUSE, answer="Please call us."))
        bench = Bench(denied=lists)
        for wishes in (NO_WISHES, Wishes(no_store=True), Wishes(no_cache=True), Wishes(only_if_cached=True)):
            for asked in (CANCEL, NEAR):
                assert await bench.ask(asked, wishes) == Refuse(Reason.DENIED, Denial("cancelling", "Please call us."))
        assert bench.events.count(Denied("", Then.REFUSE)) == 8
        assert lists.asked == [f"id of {CANCEL}"] * 8

    asyncio.run(run())


def test_refused_without_an_answer_of_its_own_something_is_said() -> None:
    async def run() -> None:
        refused = await Bench(denied=Lists(question(CANCEL, Then.REFUSE))).ask(CANCEL)
        assert isinstance(refused, Refuse)
        assert refused.denial is not None
        assert refused.denial.answer

    asyncio.run(run())


def test_who_takes_only_what_is_cached_gets_nothing() -> None:
    async def run() -> None:
        bench = Bench(denied=Lists(question(CANCEL)))
        assert await bench.ask(CANCEL, Wishes(only_if_cached=True)) == Refuse(Reason.DENIED)

    asyncio.run(run())


def test_without_denied_questions_nothing_is_embedded_for_an_exact_hit() -> None:
    async def run() -> None:
        bench = Bench(denied=Lists())
        await stored(bench, CANCEL)
        embedded = len(bench.words.texts)
        assert isinstance(await bench.ask(CANCEL), Hit)
        assert len(bench.words.texts) == embedded

    asyncio.run(run())


def test_a_question_is_compared_once_and_anew_when_the_list_changes() -> None:
    async def run() -> None:
        lists = Lists(question(CANCEL))
        bench = Bench(denied=lists)
        await stored(bench, FAR)
        for _ in range(3):
            assert isinstance(await bench.ask(FAR), Hit)
            assert is_forwarded(await bench.ask(NEAR))
        assert bench.words.texts == [FAR, NEAR]
        lists.deny([question(FAR)])
        assert is_forwarded(await bench.ask(FAR))
        assert isinstance(await bench.ask(NEAR), Miss)

    asyncio.run(run())


def test_what_changed_while_a_question_was_compared_is_not_overlooked_later() -> None:
    async def run() -> None:
        lists = Lists(question(CANCEL))
        bench = Bench(denied=lists)
        await stored(bench, FAR)
        lists.deny([question(CANCEL)])
        asking = asyncio.create_task(bench.ask(FAR))
        await asyncio.sleep(0)
        lists.deny([question(FAR, at_least=1.0)])
        await asking
        assert is_forwarded(await bench.ask(FAR))

    asyncio.run(run())


def test_the_vector_serves_look_up_and_keep_too() -> None:
    async def run() -> None:
        bench = Bench(denied=Lists(question(CANCEL)), embeds_ahead=True)
        await bench.answer(await bench.ask(FAR))
        assert bench.words.texts == [FAR]
        assert len(bench.rows.vectors) == 1

    asyncio.run(run())


def test_similarity_decides_at_each_ones_own_threshold_and_1_means_these_words() -> None:
    async def run() -> None:
        lists = Lists()
        bench = Bench(denied=lists)
        for at_least, denied in ((0.9, True), (0.95, False), (1.0, False)):
            lists.deny([question(CANCEL, at_least=at_least)])
            assert is_forwarded(await bench.ask(NEAR)) is denied
            assert is_forwarded(await bench.ask(CANCEL))

    asyncio.run(run())


def test_the_verifier_must_agree_unless_it_is_not_asked() -> None:
    async def run() -> None:
        lists, doubter = Lists(), Doubter({}, batch=5)
        bench = Bench(denied=lists, verifier=doubter)
        for score, verify, denied in ((0.9, True, True), (0.1, True, False), (0.1, False, True)):
            doubter.scores[CANCEL] = score
            lists.deny([question(CANCEL, verify=verify)])
            assert is_forwarded(await bench.ask(NEAR)) is denied
            assert is_forwarded(await bench.ask(CANCEL))

    asyncio.run(run())


def test_the_verifier_is_asked_about_the_nearest_few_in_its_batches() -> None:
    async def run() -> None:
        doubter = Doubter({}, batch=2)
        denied = [question(f"{CANCEL} {nth}", at_least=0.5) for nth in "abcdefgh"]
        bench = Bench(denied=Lists(*denied), verifier=doubter)
        assert isinstance(await bench.ask(CANCEL), Miss)
        assert [len(asked) for asked in doubter.asked] == [2, 2, 1]

    asyncio.run(run())


def test_with_the_verifier_down_what_may_be_denied_is_not_served_and_not_remembered() -> None:
    async def run() -> None:
        lists, doubter = Lists(), Doubter({})
        bench = Bench(denied=lists, verifier=doubter)
        await stored(bench, NEAR)
        lists.deny([question(CANCEL, Then.REFUSE)])
        doubter.down = True
        assert await bench.ask(NEAR) == Miss(Reason.VERIFIER_TROUBLE, None, None)
        doubter.down = False
        assert isinstance(await bench.ask(NEAR), Hit)

    asyncio.run(run())


def test_with_the_embedder_down_only_what_was_compared_before_is_served() -> None:
    async def run() -> None:
        lists = Lists()
        bench = Bench(denied=lists)
        await stored(bench, FAR)
        await stored(bench, "who wrote Faust")
        lists.deny([question(CANCEL)])
        assert isinstance(await bench.ask(FAR), Hit)
        bench.words.down = True
        assert isinstance(await bench.ask(FAR), Hit)
        assert await bench.ask("who wrote Faust") == Miss(Reason.EMBEDDER_TROUBLE, None, None)
        assert await bench.ask("who wrote Faust", Wishes(only_if_cached=True)) == Refuse(Reason.EMBEDDER_TROUBLE)
        assert is_forwarded(await bench.ask(CANCEL))
        lists.deny([question(CANCEL, at_least=1.0)])  # words alone decide
        assert isinstance(await bench.ask("who wrote Faust"), Hit)

    asyncio.run(run())


def test_until_the_denied_ones_have_vectors_only_their_words_can_be_told_apart() -> None:
    async def run() -> None:
        lists = Lists()
        bench = Bench(denied=lists)
        await stored(bench, FAR)
        lists.deny([question(CANCEL)])
        lists.vectors[0].ready = False
        assert await bench.ask(FAR) == Miss(Reason.EMBEDDER_TROUBLE, None, None)
        assert is_forwarded(await bench.ask(CANCEL))
        lists.vectors[0].ready = True
        assert isinstance(await bench.ask(FAR), Hit)

    asyncio.run(run())


def test_a_denied_question_leads_nobody_and_follows_nobody() -> None:
    async def run() -> None:
        lists = Lists()
        bench = Bench(denied=lists, followers=10)
        leading = await bench.miss(CANCEL)
        assert isinstance(await bench.ask(CANCEL), Follow)
        lists.deny([question(CANCEL)])
        assert is_forwarded(await bench.ask(CANCEL))
        assert is_forwarded(await bench.ask(NEAR))
        assert is_forwarded(await bench.ask(NEAR))
        leading.abandon(Reason.INCOMPLETE)

    asyncio.run(run())


def test_a_stale_answer_does_not_stand_in_for_it_either() -> None:
    async def run() -> None:
        lists = Lists()
        bench = Bench(denied=lists, ttl=0.01, stale=100.0)
        assert await bench.answer(await bench.ask(CANCEL))
        await asyncio.sleep(0.02)
        stale = await bench.ask(CANCEL)
        assert isinstance(stale, Hit)
        assert stale.stale
        assert stale.refresh is not None
        stale.refresh.abandon(Reason.INCOMPLETE)
        lists.deny([question(CANCEL)])
        assert is_forwarded(await bench.ask(CANCEL))

    asyncio.run(run())


def test_a_false_positive_is_not_taken_for_that_one_any_more() -> None:
    async def run() -> None:
        lists = Lists(question(CANCEL))
        bench = Bench(denied=lists)
        assert is_forwarded(await bench.ask(NEAR))
        lists.spared.add((f"id of {CANCEL}", normalised(NEAR)))
        lists.version += 1
        assert isinstance(await bench.ask(NEAR), Miss)
        assert is_forwarded(await bench.ask(f"{NEAR} now"))
        lists.deny([question(CANCEL)], [question(NEAR)])
        assert is_forwarded(await bench.ask(NEAR))

    asyncio.run(run())


def test_who_refuses_comes_before_who_forwards() -> None:
    async def run() -> None:
        lists = Lists()
        bench = Bench(denied=lists)
        forwarded, refused = question(NEAR), question(CANCEL, Then.REFUSE)
        lists.deny([forwarded], [refused])
        assert isinstance(await bench.ask("how do I cancel my contract please now"), Refuse)
        assert is_forwarded(await bench.ask(NEAR))  # its very words

    asyncio.run(run())


def test_an_explanation_names_it_and_counts_nothing() -> None:
    async def run() -> None:
        lists = Lists(question(CANCEL))
        bench = Bench(denied=lists)
        for asked, said in (
            (NEAR, 'denied by "cancelling" (text similarity 0.92'),
            (NEAR, 'denied by "cancelling" (text similarity 0.92'),  # as it is remembered
            (CANCEL, 'denied by "cancelling" (the same words): forward'),
            (FAR, "it is none of the denied questions"),
        ):
            body = json.dumps({"q": asked}).encode()
            request = Request("POST", b"/", b"", [], body, {}, b"/", None, time.time())
            trace = Trace(time.monotonic)
            verdict = await bench.cache.explain(request, Document(body), NO_WISHES, trace)
            assert is_forwarded(verdict) is (asked != FAR)
            steps = [step.result for step in trace.steps if step.name == Stage.DENY]
            assert len(steps) == 1
            assert steps[0].startswith(said)
        assert lists.asked == []
        assert not [event for event in bench.events if isinstance(event, Denied)]

    asyncio.run(run())


@given(st.text())
def test_marks_and_space_around_words_and_their_case_do_not_count(text: str) -> None:
    words = normalised(text)
    assume(any(each.isalnum() for each in words))
    assert normalised(f"  «{text}?!»\n") == words
    assert normalised(text.replace(" ", " \t")) == words


def test_words_are_told_apart_from_other_words() -> None:
    assert normalised("Is it 5 %?") != normalised("Is it 6 %?")
    assert normalised("???") == "???"
    assert normalised("Ｈｏｗ\u200b much？") == normalised("how much")
    assert normalised("STRASSE") == normalised("straße")


def test_a_long_text_has_its_own_words_and_takes_no_time() -> None:
    accents = "e" + "\u0301\u0327" * 200_000  # to put these in order would take minutes
    assert normalised(f" {accents}\n{accents} ") == f"{accents} {accents}"
    assert normalised(f"{accents[:5000]} Ｈｏｗ") == f"{accents[:5000]} how"
