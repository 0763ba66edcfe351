"""Where an import has got to, in a small file beside its source, so that an interrupted one goes on from there.

The place counts only if it is the same import (gateway, route, templates, what was said of all rows) and the lines up to
it are the same bytes: lines may have been added behind. Losing the file costs time, no more: rows that are there already
are known to the gateway.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import msgspec

from gateway.cli.private import create

SUFFIX = ".semgate-progress"
_LARGEST = 1 << 16


class Place(msgspec.Struct, frozen=True):
    """`same` is a digest of what makes it the same import; `line` the last one that was imported, `fingerprint` the
    SHA-256 of all up to it; then what became of them."""

    same: str
    line: int
    fingerprint: str
    kept: int = 0
    known: int = 0
    failed: int = 0


def place_file(source: str) -> Path:
    return Path(source + SUFFIX)


def read_place(file: Path, same: str) -> Place | None:
    """None where there is none, or one of another import."""
    try:
        with file.open("rb") as noted:
            place = msgspec.json.decode(noted.read(_LARGEST), type=Place)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return place if place.same == same else None


def write_place(file: Path, place: Place) -> bool:
    """Whole or not at all; False where nothing can be written there."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)
        with create(beside) as noted:
            noted.write(msgspec.json.encode(place))
        beside.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        return False
    return True


def forget_place(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
