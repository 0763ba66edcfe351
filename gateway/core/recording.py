"""A Recording watches one answer pass by: bounded, never in the way, whole at the end or nothing.

The front calls `start`, `feed` for each piece, then `finish` after a clean end or `abandon` otherwise. A recording that
gave up holds no bytes. It knows what the look-up already computed, so keeping computes nothing twice (`embed_later`:
the look-up was skipped and the text has no vector yet).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.messages import Headers, Reason, Subject, Vector
from gateway.core.policy import KeepRule, reject_head

if TYPE_CHECKING:
    from gateway.core.freshness import Wishes


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A complete answer as the upstream sent it: `body` still has its content-encoding. Header names lower-case."""

    status: int
    headers: Headers
    body: bytes


class Recording:
    """`reason` is set once the answer cannot be kept any more; from then on everything is passed over."""

    __slots__ = (
        "_chunks",
        "_headers",
        "_rule",
        "_size",
        "_status",
        "asked_at",
        "embed_later",
        "reason",
        "subject",
        "vector",
        "wishes",
    )

    def __init__(
        self,
        subject: Subject,
        rule: KeepRule,
        wishes: Wishes,
        asked_at: float,
        vector: Vector | None,
        embed_later: bool,
    ) -> None:
        self.subject = subject
        self.wishes = wishes
        self.asked_at = asked_at
        self.vector = vector
        self.embed_later = embed_later
        self.reason: Reason | None = None
        self._rule = rule
        self._status = 0
        self._headers: Headers = ()
        self._chunks: list[bytes] = []
        self._size = 0

    def start(self, status: int, headers: Headers) -> None:
        """The answer's head went by."""
        self._status = status
        self._headers = headers
        reason = reject_head(self._rule, status, headers)
        if reason is not None:
            self.abandon(reason)

    def feed(self, chunk: bytes) -> None:
        """A piece of the body went by."""
        if self.reason is not None:
            return
        self._size += len(chunk)
        if self._size > self._rule.max_body:
            self.abandon(Reason.TOO_LARGE)
        else:
            self._chunks.append(chunk)

    def abandon(self, reason: Reason) -> None:
        """Keep nothing; the first reason stands."""
        if self.reason is None:
            self.reason = reason
            self._chunks.clear()

    def finish(self) -> Answer | None:
        """The body ended cleanly: the whole answer, or None if it was given up."""
        if self._status == 0:
            self.abandon(Reason.INCOMPLETE)
        if self.reason is not None:
            return None
        answer = Answer(self._status, self._headers, b"".join(self._chunks))
        self._chunks.clear()
        declared = [value for name, value in self._headers if name == b"content-length"]
        if declared and declared[0] != b"%d" % len(answer.body):
            self.abandon(Reason.INCOMPLETE)
            return None
        return answer
