"""What generations share: stores, models, connections, kept once for equal settings and counted by use.

A Lease is one generation's claim: it takes parts by key, making those that are not there, opens what it made, and when
it is given back, closes what nobody else uses. So a reload opens only what is new, an old generation keeps what it needs
for as long as it needs it, and a reload that fails leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeAlias, TypeVar, cast

import msgspec

from gateway.errors import CacheTrouble

# What takes longer to close is left to itself.
CLOSING_SECONDS = 10.0

T = TypeVar("T")

Step: TypeAlias = Callable[[], Awaitable[object]]


class Made(msgspec.Struct, Generic[T], frozen=True):
    """A part as it was made: the thing itself, its name in the routes file, and what there is to do with it.

    `open` may raise CacheTrouble: the part cannot be used now, and is tried again when it is used. `later` says that it
    stands on other parts and opens after them.
    """

    value: T
    name: str = ""
    open: Step | None = None
    close: Step | None = None
    later: bool = False


class _Part:
    def __init__(self, made: Made[object]) -> None:
        self.made = made
        self.users = 0


class Parts:
    """All parts of one process."""

    def __init__(self) -> None:
        self._parts: dict[Hashable, _Part] = {}

    def __len__(self) -> int:
        return len(self._parts)

    def lease(self) -> Lease:
        return Lease(self._parts)


class Lease:
    """One generation's claim on parts."""

    def __init__(self, parts: dict[Hashable, _Part]) -> None:
        self._parts = parts
        self._taken: dict[Hashable, _Part] = {}
        self._fresh: list[Made[object]] = []

    def take(self, key: Hashable, make: Callable[[], Made[T]]) -> T:
        """The part of this key, made now if there is none. Raises what `make` raises."""
        part = self._taken.get(key) or self._parts.get(key)
        if part is None:
            part = self._parts[key] = _Part(cast("Made[object]", make()))
            self._fresh.append(part.made)
        if key not in self._taken:
            self._taken[key] = part
            part.users += 1
        return cast("T", part.made.value)

    async def open(self, seconds: float | None) -> dict[str, str]:
        """Open what this lease made, within so many seconds; what could not be opened, and why, by name. What else opening
        raises (a setting is wrong) is raised when all is at rest, so that it can be given back."""
        troubles: dict[str, str] = {}
        for later in (False, True):
            opening = [made for made in self._fresh if made.open is not None and made.later is later]
            if later:
                # What stands on a part that is down would only wait for it once more.
                opening = [made for made in opening if made.name not in troubles]
            steps = [trouble_of(made.open, seconds) for made in opening if made.open]
            found = await asyncio.gather(*steps, return_exceptions=True)
            for made, trouble in zip(opening, found, strict=True):
                if isinstance(trouble, BaseException):
                    raise trouble
                if trouble is not None:
                    troubles[made.name] = trouble
        self._fresh.clear()
        return troubles

    def drop(self) -> None:
        """Give back what was taken before anything was opened."""
        self._leave()

    async def give_back(self) -> None:
        """Close what nobody else uses, the last taken first. What cannot be closed is gone all the same."""
        unused = self._leave()
        for later in (True, False):
            closing = [made.close for made in unused if made.close is not None and made.later is later]
            await asyncio.gather(*(trouble_of(close, CLOSING_SECONDS) for close in closing))

    def _leave(self) -> list[Made[object]]:
        """What nobody uses any more."""
        unused: list[Made[object]] = []
        for key, part in reversed(self._taken.items()):
            part.users -= 1
            if part.users == 0:
                del self._parts[key]
                unused.append(part.made)
        self._taken.clear()
        return unused


async def trouble_of(step: Step, seconds: float | None) -> str | None:
    """What is wrong with it, within so many seconds; None: nothing."""
    try:
        async with asyncio.timeout(seconds):
            await step()
    except CacheTrouble as trouble:
        return str(trouble)
    except TimeoutError:
        return f"no answer within {seconds:g} s"
    return None


def hashable(settings: msgspec.Struct) -> bytes:
    """Settings with mappings in them as a key: equal settings, equal bytes."""
    return msgspec.json.encode(settings, order="deterministic", enc_hook=_number)


def _number(value: object) -> object:
    """Durations and sizes as the numbers that they are."""
    return int(value) if isinstance(value, int) else float(cast("float", value))
