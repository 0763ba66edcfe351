"""A route's proof, kept in step with the judgements of all: what it allows, what it has compared, what it says."""

from __future__ import annotations

from gateway.core.events import Event, Proven
from gateway.core.judgement import Finding, Judgement, Origin
from gateway.core.messages import Entry, Hit, HitKind, Source
from gateway.engine.evidence import MOST_IN_WINDOW, Evidence, Noted
from gateway.engine.proof import Proof

SETTING = b"s" * 16
OTHER = b"o" * 16


def hit(score: float | None = 0.9, kind: HitKind = HitKind.VERIFIED, similarity: float | None = 0.95) -> Hit:
    entry = Entry("e", "route", b"", b"", b"", 200, (), b"", 0.0, 0.0, 1e12)
    return Hit(entry, entry, kind, Source.POSTGRES, similarity, score=score)


def judgement(
    finding: Finding = Finding.RIGHT, setting: bytes = SETTING, route: str = "route", origin: Origin = Origin.SHADOW
) -> Judgement:
    return Judgement(
        route, 1.0, origin, finding, "exact", HitKind.VERIFIED, 0.95, 0.9, "e", b"1", b"2", setting=setting
    )


class Bench:
    """A proof that 20 % at most are wrong: 17 clean comparisons and a few more."""

    def __init__(self, bound: float = 0.2, strength: str = "score") -> None:
        self.events: list[Event] = []
        self.evidence = Evidence(self.events.append)
        self.setting = SETTING
        self.drawn = 0.0
        self.proof = Proof(
            "route",
            bound,
            0.5,
            lambda: self.setting,
            self.evidence,
            self.events.append,
            lambda: self.drawn,
            strength=strength,
        )

    def note(self, times: int, found: Judgement | None = None) -> None:
        for _ in range(times):
            self.evidence.note(found or judgement())

    @property
    def told(self) -> list[float | None]:
        return [event.least for event in self.events if isinstance(event, Proven)]


def test_the_same_words_need_no_proof():
    bench = Bench()
    assert bench.proof.allows(hit(None, HitKind.EXACT, None))
    assert not bench.proof.audits(hit(None, HitKind.EXACT, None))
    assert bench.proof.share is None


def test_other_words_are_served_once_it_is_proven():
    bench = Bench()
    assert not bench.proof.allows(hit())
    bench.note(30)
    assert bench.proof.allows(hit())
    assert bench.proof.share == 0.5
    assert bench.told == [None, 0.5]


def test_a_weaker_hit_than_what_is_proven_is_not_served():
    bench = Bench()
    bench.note(30)
    assert not bench.proof.allows(hit(0.49))


def test_without_a_verifier_the_similarity_counts():
    bench = Bench(strength="similarity")
    bench.note(30)
    assert bench.proof.allows(hit(None, HitKind.SEMANTIC, 0.97))
    assert not bench.proof.allows(hit(None, HitKind.SEMANTIC, 0.4))
    assert "at a similarity of 0.5 or more" in bench.proof.explain()


def test_what_only_an_operator_asks_does_not_count_as_served():
    bench = Bench()
    bench.proof.allows(hit(), counts=False)
    assert bench.proof.share is None


def test_evidence_of_another_setting_or_route_proves_nothing():
    bench = Bench()
    bench.note(100, judgement(setting=OTHER))
    bench.note(100, judgement(setting=b""))
    bench.note(100, judgement(route="another"))
    assert not bench.proof.allows(hit())
    assert "0 compared" in bench.proof.explain()


def test_another_setting_begins_anew_and_the_old_one_is_remembered():
    bench = Bench()
    bench.note(30)
    assert bench.proof.allows(hit())
    bench.setting = OTHER
    assert not bench.proof.allows(hit())
    bench.setting = SETTING
    assert bench.proof.allows(hit())


def test_nothing_is_served_while_the_setting_is_not_known():
    bench = Bench()
    bench.setting = b""
    bench.note(30, judgement(setting=b""))
    assert not bench.proof.allows(hit())


def test_wrong_ones_stop_it():
    bench = Bench()
    bench.note(30)
    assert bench.proof.allows(hit())
    bench.note(30, judgement(Finding.WRONG))
    assert not bench.proof.allows(hit())
    assert bench.told == [None, 0.5, None][-len(bench.told) :]


def test_reports_count_whatever_the_setting():
    bench = Bench()
    told = judgement(Finding.WRONG, setting=b"", origin=Origin.FEEDBACK)
    bench.note(3, told)
    assert "3 reported" in bench.proof.explain()


def test_judgements_of_others_count_as_well():
    bench = Bench()
    assert not bench.proof.allows(hit())
    bench.evidence.learn(Noted(bytes([number]) * 16, judgement()) for number in range(30))
    assert bench.proof.allows(hit())


def test_a_window_made_anew_is_learnt_anew():
    bench = Bench()
    bench.note(30)
    assert bench.proof.allows(hit())
    bench.evidence.replace("route", [], 2.0)
    assert not bench.proof.allows(hit())
    assert "0 compared" in bench.proof.explain()


def test_what_falls_out_of_the_window_was_learnt():
    bench = Bench(bound=0.001)
    assert not bench.proof.allows(hit())
    for _ in range(3):
        bench.note(MOST_IN_WINDOW // 2)
        bench.proof.allows(hit())
    assert f"{3 * (MOST_IN_WINDOW // 2):,} compared" in bench.proof.explain()


def test_served_hits_are_sampled_and_more_of_them_in_doubt():
    bench = Bench()
    bench.note(200)
    bench.drawn = 0.06
    assert not bench.proof.audits(hit())
    bench.drawn = 0.04
    assert bench.proof.audits(hit())
    bench.note(6, judgement(Finding.WRONG))
    bench.drawn = 0.3
    assert bench.proof.allows(hit())
    assert bench.proof.audits(hit())


def test_it_says_how_it_stands():
    bench = Bench(bound=0.01)
    line = bench.proof.explain()
    assert line == (
        "not yet: 0 compared, 0 wrong, at most 100 % with 95 % confidence; 366 more right ones would show 1 %"
    )
    bench.note(120)
    assert "not yet: 120 compared, 0 wrong, at most 3 %" in bench.proof.explain()
    assert "246 more right ones would show 1 %" in bench.proof.explain()
    bench.proof.allows(hit())
    assert bench.proof.explain().endswith("; 0 % of hits on other words served lately")
    bench.note(400)
    assert bench.proof.explain().startswith("serves at a score of 0.5 or more: 520 compared, 0 wrong, at most 0.7")
    bench.note(2, judgement(Finding.UNSURE))
    assert "0 wrong, 2 unsure, at most" in bench.proof.explain()
    bench.note(600, judgement(Finding.UNSURE))
    assert ", as too many leave the comparison unsure; " in bench.proof.explain()


def test_it_says_when_too_much_is_wrong():
    bench = Bench(bound=0.01)
    bench.note(1000)
    bench.proof.allows(hit())
    bench.note(100, judgement(Finding.WRONG))
    assert bench.proof.explain().startswith("stopped, as more than 1 % came out wrong, and begun anew: ")
    assert ", where 1 % may be; " in bench.proof.explain()
