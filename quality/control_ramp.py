"""How long it takes until something is served, by how good the hits are: made-up hits whose true wrong rate is known."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from statistics import median

from gateway.core.control import Controller
from gateway.core.judgement import Finding, Judgement, Origin
from gateway.core.messages import HitKind

HITS = 5000
STREAMS = 60


@dataclass(frozen=True)
class Ramp:
    """Of streams of 5,000 hits: the share in which anything was ever served, the median number of hits before, the share of
    all hits that was served and that of these wrong, audits on average."""

    bound: float
    rate: float
    ever: float
    before: float | None
    served: float
    wrong: float
    audits: float


def ramp(bound: float, share: float, draw: Random) -> Ramp:
    """`share` of the bound is the true rate, the same at all strengths."""
    firsts: list[int] = []
    served = wrong = audits = 0
    for _ in range(STREAMS):
        controller, first = Controller(bound, 0.5), None
        for number in range(HITS):
            strength, is_wrong = 0.5 + draw.random() / 2, draw.random() < bound * share
            least = controller.least
            serves = least is not None and strength >= least
            audited = serves and draw.random() < controller.audited
            if serves:
                first = number if first is None else first
                served, wrong, audits = served + 1, wrong + is_wrong, audits + audited
            if audited or not serves:
                finding = Finding.WRONG if is_wrong else Finding.RIGHT
                origin = Origin.AUDIT if serves else Origin.SHADOW
                controller.learn(
                    Judgement("", 0.0, origin, finding, "exact", HitKind.VERIFIED, None, strength, "", b"", b"")
                )
        firsts += [] if first is None else [first]
    every = STREAMS * HITS
    return Ramp(
        bound,
        bound * share,
        len(firsts) / STREAMS,
        median(firsts) if firsts else None,
        served / every,
        wrong / max(1, served),
        audits / STREAMS,
    )
