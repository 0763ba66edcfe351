"""A Recording watches one answer pass by: bounded, never in the way, whole at the end or nothing.

The front calls `start`, `feed` for each piece, then `finish` after a clean end or `abandon` otherwise. A recording that
gave up holds no bytes. It knows what the look-up already computed, so keeping computes nothing twice (`embed_later`:
the look-up was skipped and the text has no vector yet; `lock`: the token of the lock under which this is the only call),
and at last what the answer became (`entry`). An answer that is made of kept ones has a `provenance`.
Whoever follows this answer (its `audience`) is told all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.messages import Entry, Form, Headers, Reason, Subject, Vector
from gateway.core.pace import pack
from gateway.core.policy import KeepRule, answer_form, reject_head

if TYPE_CHECKING:
    from gateway.core.freshness import Wishes
    from gateway.core.ports import Audience
    from gateway.core.synthesis import Provenance


# A stream of single bytes must not cost a hundred bytes for each of them: so many pieces are put together into one.
PIECES_TOGETHER = 4096
# Beyond so many milliseconds in which something came, the pauses are not remembered.
LONGEST_PACE = 100_000


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A complete answer as the upstream sent it: `body` still has its content-encoding. Header names lower-case."""

    status: int
    headers: Headers
    body: bytes
    form: Form = Form.SINGLE
    pace: bytes = b""


class Recording:
    """`reason` is set once the answer cannot be kept any more; from then on everything is passed over."""

    __slots__ = (
        "_audience",
        "_blocks",
        "_chunks",
        "_form",
        "_headers",
        "_pieces",
        "_rule",
        "_size",
        "_status",
        "asked_at",
        "embed_later",
        "entry",
        "lock",
        "provenance",
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
        audience: Audience | None = None,
    ) -> None:
        self.subject = subject
        self.wishes = wishes
        self.asked_at = asked_at
        self.vector = vector
        self.embed_later = embed_later
        self.lock: bytes | None = None
        self.entry: Entry | None = None
        self.reason: Reason | None = None
        self.provenance: Provenance | None = None
        self._rule = rule
        self._audience = audience
        self._status = 0
        self._headers: Headers = ()
        self._form = Form.SINGLE
        self._blocks: list[bytes] = []
        self._chunks: list[bytes] = []
        self._pieces: list[tuple[int, float]] = []
        self._size = 0

    def wanted(self, *, kept_without_client: bool) -> bool:
        """Shall the answer be read to its end though its client has left?"""
        return self.followed or (kept_without_client and self.reason is None)

    @property
    def followed(self) -> bool:
        """Does anybody wait behind this answer's client?"""
        return self._audience is not None and self._audience.followed

    def start(self, status: int, headers: Headers) -> None:
        """The answer's head went by."""
        self._status = status
        self._headers = headers
        self._form = answer_form(headers)
        reason = reject_head(self._rule, self.subject.wanted, status, headers)
        if reason is not None:
            self.abandon(reason)
        elif self._audience is not None and self.reason is None:
            self._audience.start(status, headers, self._form, self._so_far, synthesized=self.provenance is not None)

    def feed(self, chunk: bytes, at: float = 0.0) -> None:
        """A piece of the body went by, at this time of a monotonic clock."""
        if self._audience is not None:
            self._audience.feed(chunk)
        if self.reason is not None:
            return
        self._size += len(chunk)
        if self._size > self._rule.max_body:
            self.abandon(Reason.TOO_LARGE)
            return
        self._chunks.append(chunk)
        if len(self._chunks) >= PIECES_TOGETHER:
            self._blocks.append(b"".join(self._chunks))
            self._chunks.clear()
        if self._form is not Form.SINGLE and len(self._pieces) < LONGEST_PACE:
            self._pieces.append((self._size, at))

    def abandon(self, reason: Reason) -> None:
        """Keep nothing; the first reason stands."""
        if self.reason is None:
            self.reason = reason
            self._forget()
        if self._audience is not None:
            self._audience.abandon(reason)

    def keep(self, entry: Entry) -> None:
        """The answer became this entry, which can be shared from now on."""
        self.entry = entry
        if self._audience is not None:
            self._audience.land(entry)

    def finish(self) -> Answer | None:
        """The body ended cleanly: the whole answer, or None if it was given up."""
        if self._status == 0:
            self.abandon(Reason.INCOMPLETE)
        declared = [value for name, value in self._headers if name == b"content-length"]
        if self.reason is None and declared and declared[0] != b"%d" % self._size:
            self.abandon(Reason.INCOMPLETE)
        if self._audience is not None:
            self._audience.finish()
        if self.reason is not None:
            return None
        encoded = any(name == b"content-encoding" for name, _ in self._headers)
        pace = b"" if encoded else pack(self._pieces)  # pieces of coded bytes say nothing of the events in them
        answer = Answer(self._status, self._headers, b"".join(self._so_far()), self._form, pace)
        self._forget()
        return answer

    def _so_far(self) -> list[bytes]:
        return [*self._blocks, *self._chunks]

    def _forget(self) -> None:
        self._blocks.clear()
        self._chunks.clear()
        self._pieces.clear()
