"""What came out when an answer from the cache was compared with the right one: one Judgement for each pair of questions.

Shadow mode and audits compare with the upstream's answer, feedback is somebody's word. Nothing is decided here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from gateway.core.messages import HitKind


class Origin(StrEnum):
    """Where a judgement comes from; the values of the metric label `origin`."""

    SHADOW = "shadow"
    AUDIT = "audit"
    FEEDBACK = "feedback"


class Finding(StrEnum):
    """Was the stored answer right for the question? The values of the metric label `finding`."""

    RIGHT = "right"
    WRONG = "wrong"
    UNSURE = "unsure"


FEEDBACK = "feedback"
"""`Judgement.how`: an operator's word."""
CLIENT = "client"
"""`Judgement.how`: a client's word. That an answer was wrong is believed; that it was right proves nothing, as whoever asks
may say so."""


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """`at` in Unix seconds; `how` the answers were compared: `exact`, `structured`, `prose`, `llm` or `feedback`. `entry` was
    or would have been served, `exact` is the key of the words asked now, `other` that of the entry's; `question` and
    `asked_before` are the words, where they are known. `similarity` and `score` as the decision had them. `served`: had the
    client the entry's answer? `scope` is the digest of those who share the entry: whoever purges it takes the words along.
    `setting` is the digest of what decided: with other thresholds or another model it proves nothing."""

    route: str
    at: float
    origin: Origin
    finding: Finding
    how: str
    kind: HitKind
    similarity: float | None
    score: float | None
    entry: str
    exact: bytes
    other: bytes
    question: str | None = None
    asked_before: str | None = None
    served: bool = False
    scope: bytes = b""
    setting: bytes = b""


class Noted(NamedTuple):
    """A judgement and its id, of 16 bytes: the same id is the same judgement, wherever it is heard of."""

    id: bytes
    judgement: Judgement


class TallyKey(NamedTuple):
    """Look-ups of a route in shadow mode in one hour (Unix seconds / 3600) that would have been answered in this way
    (a HitKind's value; "": not at all)."""

    route: str
    hour: int
    kind: str


class Tally(NamedTuple):
    """How many, and what they would have saved: tokens, and dollars where prices are known (`priced` of them)."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    priced: int = 0
    dollars: float = 0.0

    def plus(self, other: Tally) -> Tally:
        return Tally(
            self.requests + other.requests,
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.priced + other.priced,
            self.dollars + other.dollars,
        )
