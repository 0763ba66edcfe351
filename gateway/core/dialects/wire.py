"""What the dialects share about the bytes of a stream: events read and written, text cut into pieces, ids made anew.

Nothing in here knows an API.
"""

from __future__ import annotations

import msgspec

from gateway.core.streams import Event

DONE = b"[DONE]"

# Text goes out in few events, as each costs the client as much as the server. But not in one: readers bound a line (Go's
# Scanner at 64 KiB, aiohttp at 128 KiB), and a character can take six bytes of JSON.
_LONGEST_PIECE = 8192

encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, object]).decode


def read(event: Event) -> dict[str, object] | None:
    """The object that an event's data is, or None where it is something else."""
    try:
        return _decode(event.data or b"")
    except (ValueError, RecursionError):  # msgspec's own errors are ValueErrors, and so is broken UTF-8
        return None


def kind_of(payload: dict[str, object]) -> str:
    """What the object says that it is; "" where it does not."""
    kind = payload.get("type")
    return kind if isinstance(kind, str) else ""


def write_event(name: str, payload: dict[str, object]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode(payload))


def write_line(payload: dict[str, object]) -> bytes:
    return encode(payload) + b"\n"


def pieces(text: str) -> list[str]:
    """The text in order, no piece longer than readers bear; no pieces of an empty text."""
    return [text[begin : begin + _LONGEST_PIECE] for begin in range(0, len(text), _LONGEST_PIECE)]


def objects(value: object) -> list[dict[str, object]] | None:
    """The value, if it is a list of objects."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    return value


def renew_id(holder: dict[str, object], token: str) -> None:
    """Put `token` after the prefix of the holder's id: what goes up to its last `_` or `-`."""
    known = holder.get("id")
    if isinstance(known, str):
        holder["id"] = known[: max(known.rfind("_"), known.rfind("-")) + 1] + token
