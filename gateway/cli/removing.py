"""Removing things of the gateway by their ids, one after the other: what `entries rm` and `deny remove` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.cli.failure import Refused, note
from gateway.cli.showing import visible, write


def remove_each(ids: Sequence[str], remove: Callable[[str], object]) -> int:
    """Says of each what became of it; 1 if one was not there, or cannot be removed."""
    missing = 0
    for each in ids:
        try:
            remove(each)
        except Refused as refused:
            if refused.status not in (400, 404, 422):
                raise
            note(f"{visible(each)}: {refused.detail}")
            missing += 1
        else:
            write(f"removed {visible(each)}")
    return 1 if missing else 0
