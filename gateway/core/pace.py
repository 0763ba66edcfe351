"""When the pieces of a recorded stream came, so that a replay can keep their pauses (`response.pace: recorded`).

Packed as pairs of unsigned 32-bit numbers: where a piece ends in the body, and the milliseconds since the first one.
Pieces of the same millisecond are one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_PAIR = struct.Struct("<II")


def pack(pieces: list[tuple[int, float]]) -> bytes:
    """Where pieces end and when they came (seconds of any clock), in order -> their pace."""
    packed: list[tuple[int, int]] = []
    for end, at in pieces:
        after = max(0, min(int((at - pieces[0][1]) * 1000), 2**32 - 1))
        if packed and packed[-1][1] >= after:
            packed[-1] = (end, packed[-1][1])
        else:
            packed.append((end, after))
    return b"".join(_PAIR.pack(*pair) for pair in packed)


def paced(body: bytes, pace: bytes) -> Iterator[tuple[float, bytes]]:
    """The body's pieces, each with the seconds after the first at which it is due; one piece where there is no pace.

    A body that was changed since (see Dialect.adapt) is cut at the same places; its last piece takes what is left.
    """
    begin, due = 0, 0.0
    pairs = list(_PAIR.iter_unpack(pace))
    for end, after in pairs[:-1]:
        if begin < end < len(body):
            yield after / 1000, body[begin:end]
            begin = end
    if pairs:
        due = pairs[-1][1] / 1000
    yield due, body[begin:]
