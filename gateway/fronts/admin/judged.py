"""What was found of answers from the cache, in the admin API's shapes: feedback, and the report of shadow mode and audits.

Beside `operations`, whose methods speak in them. Shares and similarities are 0 to 1, times Unix seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

LONGEST_QUESTION = 32_768
"""Characters of the question that feedback is on."""


class FeedbackOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an answer from the cache was worth: `entry` is what `X-Cache-Entry` said, `verdict` `right` or `wrong`, `question`
    what was asked, word for word. A client of a route whose scope is read from a request says its `scope` where the headers
    of the feedback do not."""

    entry: str
    verdict: Literal["right", "wrong"]
    question: Annotated[str, msgspec.Meta(max_length=LONGEST_QUESTION)] | None = None
    scope: str | list[str] | None = None


class FeedbackResult(msgspec.Struct, frozen=True):
    """`evicted`: the entry is gone, everywhere. `noted`: it counts as evidence; False where the same was told before."""

    entry: str
    verdict: str
    evicted: bool
    noted: bool


class Estimate(msgspec.Struct, frozen=True):
    """A share, 0 to 1, and its 95 % Wilson interval."""

    rate: float
    low: float
    high: float


class Findings(msgspec.Struct, frozen=True):
    """How answers from the cache compared. Wrong rates: `decided` of those that were right or wrong, `at_best` and `at_worst`
    of all, with the unsure ones counted as right and as wrong; None of none."""

    right: int
    wrong: int
    unsure: int
    decided: Estimate | None
    at_best: Estimate | None
    at_worst: Estimate | None


class Band(msgspec.Struct, frozen=True):
    """Findings where a figure was at least `least` and below `below`; None for both: where there was no figure."""

    least: float | None
    below: float | None
    findings: Findings


class WouldSave(msgspec.Struct, frozen=True):
    """What would-be hits would not have spent; `dollars` None where no price is known."""

    prompt_tokens: int
    completion_tokens: int
    dollars: float | None


class ShadowRoute(msgspec.Struct, frozen=True):
    """One route. `looked_up`: requests looked up in shadow mode; `would_be`: hits of them by kind, and what those would have
    saved. `compared`: what shadow mode and audits found, and the same by `origins`, by `kinds`, by bands of similarity and
    of the second opinion's score (the highest first), and by `how` answers were compared. `told`: what operators and clients
    said; that is no sample, and in no rate. `synthesized`: the same of answers made of kept ones, which are in none of the
    others; None where none was compared."""

    mode: str
    looked_up: int
    would_be: dict[str, int]
    saved: WouldSave
    compared: Findings
    origins: dict[str, Findings] = {}
    kinds: dict[str, Findings] = {}
    similarities: list[Band] = []
    scores: list[Band] = []
    how: dict[str, Findings] = {}
    told: dict[str, dict[str, int]] = {}
    synthesized: Findings | None = None


class ComparisonError(msgspec.Struct, frozen=True):
    """How often a way of comparing answers errs itself, as it was measured: shares of the right answers and of the wrong
    ones."""

    right_found_wrong: Estimate
    right_found_unsure: Estimate
    wrong_found_right: Estimate
    wrong_found_unsure: Estimate


class ShadowReport(msgspec.Struct, frozen=True):
    """Since then (Unix seconds; 0: all that is kept), by route. `errors`: the comparison's own, by how answers are
    compared."""

    since: float
    routes: dict[str, ShadowRoute]
    errors: dict[str, ComparisonError] = {}


class ShadowLine(msgspec.Struct, frozen=True):
    """One judgement of the log. `verdict` is `right`, `wrong` or `unsure`, and so is `finding`; `text_a` was asked now,
    `text_b` before (None: not known, or not to be read); `served`: had the client the entry's answer?"""

    at: float
    route: str
    origin: str
    finding: str
    how: str
    kind: str
    similarity: float | None
    verifier_score: float | None
    verdict: str
    text_a: str | None
    text_b: str | None
    served: bool
    entry: str


class ShadowReset(msgspec.Struct, frozen=True):
    """How many judgements of the route are gone."""

    removed: int
