"""The API's shapes of denied questions, for the controllers, the command line and the running gateway. As `operations` has it:
times are Unix seconds, similarities cosine from 0 to 1."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.core.denial import Then


class DenyOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Deny a question, on one route or (null) on all. As in a routes file; `name` is by default the id that it gets."""

    text: str
    route: str | None = None
    at_least: float = 0.9
    verify: bool = True
    then: Then = Then.FORWARD
    answer: str | None = None
    name: str | None = None


class FalsePositive(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question that was taken for a denied one, and does not mean it."""

    question: str


class SparedShown(msgspec.Struct, frozen=True):
    """A false positive that was reported. It is taken back by its own `id`."""

    id: str
    question: str


class DeniedShown(msgspec.Struct, frozen=True):
    """`source` is `file` where the routes file denies it, and only a changed file takes it back. `compared` is `words` where no
    other words are taken for it: by its setting, or as it does not fit the model. `hits` is how often it was asked, of all
    workers and replicas, a few seconds late. `text` is None where it does not open with this gateway's key; then it denies
    nothing."""

    id: str
    route: str | None
    text: str | None
    name: str
    source: Literal["file", "api"]
    at_least: float = 0.9
    verify: bool = True
    then: Then = Then.FORWARD
    answer: str | None = None
    compared: Literal["similarity", "words"] = "similarity"
    hits: int = 0
    created_at: float | None = None
    false_positives: list[SparedShown] = []


class DeniedPage(msgspec.Struct, frozen=True):
    """`next` is what to ask for as `after`; None: this was the last page."""

    denied: list[DeniedShown]
    next: str | None = None
