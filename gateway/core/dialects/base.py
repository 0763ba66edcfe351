"""What a dialect is: one API's single answers and its streams, turned into each other without loss, or not at all.

One module per API; `dialects.registry` finds them. Pure: bytes and documents in, bytes and documents out. A dialect never
guesses: what it does not know it carries along where the API's own clients would put it, and where it cannot, it says
that the two forms do not mean the same (`faithful=False`, or None), and the answer serves its own form only.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from gateway.core.messages import Form, Reason
from gateway.core.streams import Event


class Assembled(msgspec.Struct, frozen=True):
    """The single answer that a whole stream amounts to. `faithful`: it says all that the stream said."""

    document: dict[str, object]
    faithful: bool


class Dialect(Protocol):
    name: str
    form: Form
    """Of its streams."""
    stream_type: bytes
    """Content-Type of its streams."""
    single_type: bytes
    """Content-Type of its single answers."""
    usage_option: tuple[str, ...]
    """Names that lead to the request member which asks for usage in a stream; () where streams always tell it."""

    def assemble(self, events: list[Event]) -> Assembled | Reason:
        """What a stream amounts to. INCOMPLETE where its terminal event is not there (or something follows it that it
        should not), REJECTED where an event reports an error, NOT_JSON where an event cannot be read."""

    def render(self, document: object, *, usage: bool) -> bytes | None:
        """The stream that this single answer would have been, its terminal event included; None where it cannot be one."""

    def adapt(self, events: list[Event], *, usage: bool) -> bytes | None:
        """The recorded stream as a client with this wish for usage gets it: unchanged wherever that will do; None where
        it cannot be had."""

    def renew(self, payload: dict[str, object], token: str, now: float) -> None:
        """Give a single answer, or the data of one event of a stream, the id made of `token` (letters and digits; the
        API's prefix stays) and the time of creation `now` (Unix seconds)."""
