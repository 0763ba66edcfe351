"""What one process knows of judgements: windows, wrong pairs, and what waits to be written. All of it bounded."""

from __future__ import annotations

import msgspec
import pytest

from gateway.core.events import Event, Judged, Outcome, Served
from gateway.core.judgement import CLIENT, FEEDBACK, Finding, Judgement, Noted, Origin, Tally, TallyKey
from gateway.core.messages import Cost, HitKind
from gateway.engine import evidence as module
from gateway.engine.evidence import Evidence


def judgement(number: int = 0, finding: Finding = Finding.RIGHT, **others: object) -> Judgement:
    made = Judgement(
        route="chat",
        at=1000.0 + number,
        origin=Origin.AUDIT,
        finding=finding,
        how="exact",
        kind=HitKind.VERIFIED,
        similarity=0.97,
        score=0.9,
        entry=f"entry-{number}",
        exact=b"asked-%d" % number,
        other=b"other-%d" % number,
        question="How do I turn it on?",
        asked_before="How do I turn it off?",
        served=True,
        scope=b"scope",
    )
    return msgspec.structs.replace(made, **others)


def known() -> tuple[Evidence, list[Event]]:
    events: list[Event] = []
    return Evidence(events.append), events


def test_what_is_noted_counts_at_once_is_told_and_waits_to_be_written() -> None:
    evidence, events = known()
    noted = judgement(finding=Finding.WRONG)
    version = evidence.version("chat")
    assert evidence.note(noted)
    assert events == [Judged("chat", Origin.AUDIT, Finding.WRONG, HitKind.VERIFIED, True)]
    assert evidence.version("chat") != version
    (seen,) = evidence.window("chat")
    assert (seen.question, seen.asked_before) == (None, None)
    assert msgspec.structs.replace(seen, question=noted.question, asked_before=noted.asked_before) == noted
    (waiting,) = evidence.take(10)
    assert waiting.judgement == noted
    assert not evidence.take(10)
    assert not evidence.window("other")


def test_a_wrong_pair_is_passed_over_both_ways_and_on_its_route_only() -> None:
    evidence, _ = known()
    evidence.note(judgement(1, Finding.WRONG))
    evidence.note(judgement(2, Finding.RIGHT))
    evidence.note(judgement(3, Finding.UNSURE))
    assert evidence.is_wrong("chat", b"asked-1", b"other-1")
    assert evidence.is_wrong("chat", b"other-1", b"asked-1")
    assert not evidence.is_wrong("faq", b"asked-1", b"other-1")
    assert not evidence.is_wrong("chat", b"asked-1", b"other-2")
    assert not any(evidence.is_wrong("chat", b"asked-%d" % n, b"other-%d" % n) for n in (2, 3))


def test_an_answer_found_wrong_for_its_own_words_does_not_bar_the_next_one() -> None:
    evidence, _ = known()
    evidence.note(judgement(1, Finding.WRONG, other=b"asked-1"))
    assert not evidence.is_wrong("chat", b"asked-1", b"asked-1")
    assert len(evidence.window("chat")) == 1


@pytest.mark.parametrize(
    ("origin", "how", "still_wrong"),
    [
        (Origin.FEEDBACK, FEEDBACK, False),
        (Origin.FEEDBACK, CLIENT, True),
        (Origin.AUDIT, "exact", True),
    ],
)
def test_only_an_operators_word_makes_a_wrong_pair_right_again(origin: Origin, how: str, still_wrong: bool) -> None:
    evidence, _ = known()
    evidence.note(judgement(1, Finding.WRONG))
    evidence.note(judgement(1, Finding.RIGHT, origin=origin, how=how))
    assert evidence.is_wrong("chat", b"asked-1", b"other-1") is still_wrong


def test_a_clients_right_proves_nothing_and_its_wrong_counts() -> None:
    evidence, events = known()
    evidence.note(judgement(1, Finding.RIGHT, origin=Origin.FEEDBACK, how=CLIENT))
    assert not evidence.window("chat")
    evidence.note(judgement(2, Finding.WRONG, origin=Origin.FEEDBACK, how=CLIENT))
    assert [each.finding for each in evidence.window("chat")] == [Finding.WRONG]
    assert len(events) == 2
    assert len(evidence.take(10)) == 2


def test_what_is_told_twice_counts_once() -> None:
    evidence, events = known()
    assert evidence.note(judgement(1), once=b"i" * 16)
    assert not evidence.note(judgement(1), once=b"i" * 16)
    version = evidence.version("chat")
    evidence.learn([Noted(b"i" * 16, judgement(1))])
    assert len(evidence.window("chat")) == len(events) == len(evidence.take(10)) == 1
    assert evidence.version("chat") == version


def test_windows_pairs_and_queue_are_bounded_and_what_is_dropped_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MOST_IN_WINDOW", "MOST_WRONG_PAIRS", "MOST_QUEUED"):
        monkeypatch.setattr(module, name, 5)
    monkeypatch.setattr(module, "MOST_TALLIES", 1)
    evidence, _ = known()
    for number in range(8):
        evidence.note(judgement(number, Finding.WRONG))
    assert [each.entry for each in evidence.window("chat")] == [f"entry-{n}" for n in range(3, 8)]
    assert [n for n in range(8) if evidence.is_wrong("chat", b"asked-%d" % n, b"other-%d" % n)] == [3, 4, 5, 6, 7]
    assert [each.judgement.entry for each in evidence.take(9)] == [f"entry-{n}" for n in range(3, 8)]
    evidence.tally(shadow("chat"), 0.0)
    evidence.tally(shadow("faq"), 0.0)
    assert evidence.take_dropped() == 4
    assert evidence.take_dropped() == 0


def test_what_could_not_be_written_is_given_back_in_its_order() -> None:
    evidence, _ = known()
    for number in range(4):
        evidence.note(judgement(number))
    taken = evidence.take(2)
    evidence.note(judgement(4))
    evidence.give_back(taken)
    assert [each.judgement.entry for each in evidence.take(9)] == [f"entry-{n}" for n in range(5)]


def test_what_is_known_is_replaced_but_for_what_was_not_written_since_the_reset() -> None:
    evidence, _ = known()
    evidence.note(judgement(1, Finding.WRONG))
    evidence.take(9)
    evidence.note(judgement(2, Finding.WRONG))
    evidence.note(judgement(3, Finding.WRONG))
    seen = evidence.version("chat")
    evidence.replace("chat", [Noted(b"n" * 16, judgement(9))], before=1003.0)
    assert [each.entry for each in evidence.window("chat")] == ["entry-9", "entry-3"]
    assert [evidence.is_wrong("chat", b"asked-%d" % n, b"other-%d" % n) for n in (1, 2, 3)] == [False, False, True]
    assert [each.judgement.entry for each in evidence.take(9)] == ["entry-3"]
    assert evidence.version("chat") > seen


def shadow(route: str, kind: HitKind | None = None, cost: Cost | None = None, dollars: float | None = None) -> Served:
    outcome = Outcome.SHADOW_MISS if kind is None else Outcome.SHADOW_HIT
    return Served(route, outcome, 0.1, 200, kind=kind, cost=cost, dollars=dollars)


def test_shadow_mode_is_counted_by_the_hour_and_kind_and_nothing_else_is() -> None:
    evidence, _ = known()
    evidence.tally(shadow("chat"), 3599.0)
    evidence.tally(shadow("chat", HitKind.VERIFIED, Cost("m", 10, 20), 0.5), 3600.0)
    evidence.tally(shadow("chat", HitKind.VERIFIED, Cost("m", 1, 2)), 7199.0)
    evidence.tally(Served("chat", Outcome.HIT, 0.1, 200, kind=HitKind.EXACT), 3600.0)
    expected = {TallyKey("chat", 0, ""): Tally(1), TallyKey("chat", 1, "verified"): Tally(2, 11, 22, 1, 0.5)}
    taken = evidence.take_tallies()
    assert taken == expected
    assert not evidence.waiting
    evidence.give_back_tallies(taken)
    evidence.give_back_tallies(taken)
    assert evidence.take_tallies()[TallyKey("chat", 1, "verified")] == Tally(4, 22, 44, 2, 1.0)


def test_long_questions_wait_without_their_words() -> None:
    evidence, _ = known()
    evidence.note(judgement(1, question="a" * module.LONGEST_WORDS))
    evidence.note(judgement(2))
    (long, short) = evidence.take(10)
    assert (long.judgement.question, long.judgement.asked_before) == (None, None)
    assert short.judgement.question
