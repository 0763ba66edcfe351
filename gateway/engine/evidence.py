"""What judgements one process knows of: each route's latest, the pairs of questions found wrong, and what is to be written.

Its own count at once; those of other workers and replicas come from PostgreSQL, as does all there was before the start
(`learn`, `replace`). Nothing here waits: while PostgreSQL is down judgements queue up, and beyond a bound the oldest are
not written.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from gateway.core.events import Judged, Outcome, Served
from gateway.core.judgement import CLIENT, FEEDBACK, Finding, Judgement, Noted, Tally, TallyKey
from gateway.core.messages import Cost
from gateway.core.ports import Emit

MOST_IN_WINDOW = 5_000
MOST_WRONG_PAIRS = 20_000
"""Of one route."""
MOST_QUEUED = 10_000
MOST_TALLIES = 10_000
LONGEST_WORDS = 4_096
HOUR = 3600.0
NOTHING = Cost()

Pair: TypeAlias = tuple[bytes, bytes]


class _Known:
    """Of one route."""

    __slots__ = ("ids", "version", "window", "wrong")

    def __init__(self) -> None:
        self.window: deque[Noted] = deque()
        self.ids: set[bytes] = set()
        self.wrong: OrderedDict[Pair, None] = OrderedDict()
        self.version = 0

    def add(self, noted: Noted) -> bool:
        """Is it news?"""
        if noted.id in self.ids:
            return False
        self.window.append(noted)
        self.ids.add(noted.id)
        if len(self.window) > MOST_IN_WINDOW:
            self.ids.discard(self.window.popleft().id)
        self.version += 1
        return True

    def remember(self, judgement: Judgement) -> None:
        """The pair, where it was found wrong; an operator who says that it was right has the last word."""
        if judgement.exact == judgement.other:
            return  # the very words: no judgement on a pair, and a new answer to them may be right
        pair = _pair(judgement.exact, judgement.other)
        if judgement.finding is Finding.WRONG:
            self.wrong[pair] = None
            self.wrong.move_to_end(pair)
            if len(self.wrong) > MOST_WRONG_PAIRS:
                self.wrong.popitem(last=False)
        elif judgement.finding is Finding.RIGHT and judgement.how == FEEDBACK:
            self.wrong.pop(pair, None)


class Evidence:
    """Of all routes of one namespace. It outlives reloads."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._of: dict[str, _Known] = {}
        self._queue: deque[Noted] = deque()
        self._tallies: dict[TallyKey, Tally] = {}
        self.dropped = 0

    def note(self, judgement: Judgement, once: bytes | None = None) -> bool:
        """A judgement was made here. `once` (16 bytes) is its id, where it may be told twice; False: it is known already."""
        if len(judgement.question or "") + len(judgement.asked_before or "") > LONGEST_WORDS:
            judgement = msgspec.structs.replace(judgement, question=None, asked_before=None)
        noted = Noted(once or os.urandom(16), judgement)
        if not self._learn(noted):
            return False
        self._emit(Judged(judgement.route, judgement.origin, judgement.finding, judgement.kind, judgement.served))
        self._queue.append(noted)
        self._bound()
        return True

    def tally(self, event: Served, at: float) -> None:
        """A route in shadow mode answered a request at this time (Unix seconds)."""
        if event.outcome is Outcome.SHADOW_HIT:
            kind, cost = "" if event.kind is None else event.kind.value, event.cost or NOTHING
            more = Tally(1, cost.prompt, cost.completion, int(event.dollars is not None), event.dollars or 0.0)
            self._add_tally(TallyKey(event.route, int(at // HOUR), kind), more)
        elif event.outcome is Outcome.SHADOW_MISS:
            self._add_tally(TallyKey(event.route, int(at // HOUR), ""), Tally(1))

    def is_wrong(self, route: str, exact: bytes, other: bytes) -> bool:
        """Was the answer to one of these two questions found wrong for the other? Keys of the words (`Subject.exact`)."""
        known = self._of.get(route)
        return known is not None and _pair(exact, other) in known.wrong

    def window(self, route: str) -> Sequence[Judgement]:
        """The latest judgements of the route, about in order, without words; what clients said was right is not among
        them."""
        known = self._of.get(route)
        return [] if known is None else [noted.judgement for noted in known.window]

    def version(self, route: str) -> int:
        """Another number whenever the window is another."""
        known = self._of.get(route)
        return 0 if known is None else known.version

    def learn(self, found: Iterable[Noted]) -> None:
        """Judgements that somebody has made, older ones first; those known already are passed over."""
        for noted in found:
            self._learn(noted)

    def replace(self, route: str, found: Iterable[Noted], before: float) -> None:
        """Of this route these are all there are, beside what was not written yet and made since then (Unix seconds)."""
        version = self.version(route) + 1
        self._of[route] = _Known()
        self._queue = deque(
            each for each in self._queue if each.judgement.route != route or each.judgement.at >= before
        )
        self.learn(found)
        self.learn(each for each in self._queue if each.judgement.route == route)
        # Counted on: the same number must not stand for another window.
        self._of[route].version += version

    def routes(self) -> list[str]:
        """Those that anything is known of."""
        return list(self._of)

    def take(self, most: int) -> list[Noted]:
        """Of what is to be written, the oldest."""
        return [self._queue.popleft() for _ in range(min(most, len(self._queue)))]

    def give_back(self, noted: Sequence[Noted]) -> None:
        """What could not be written now."""
        self._queue.extendleft(reversed(noted))
        self._bound()

    def take_tallies(self) -> dict[TallyKey, Tally]:
        taken, self._tallies = self._tallies, {}
        return taken

    def give_back_tallies(self, tallies: Mapping[TallyKey, Tally]) -> None:
        for key, tally in tallies.items():
            self._add_tally(key, tally)

    def take_dropped(self) -> int:
        """How many will never be written since this was last asked."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    @property
    def waiting(self) -> bool:
        """Is anything to be written?"""
        return bool(self._queue or self._tallies)

    def _learn(self, noted: Noted) -> bool:
        judgement = noted.judgement
        known = self._of.setdefault(judgement.route, _Known())
        if noted.id in known.ids:
            return False
        known.remember(judgement)
        if judgement.how == CLIENT and judgement.finding is Finding.RIGHT:
            return True  # no proof of anything
        if judgement.question is not None or judgement.asked_before is not None:
            noted = Noted(noted.id, msgspec.structs.replace(judgement, question=None, asked_before=None))
        return known.add(noted)

    def _bound(self) -> None:
        while len(self._queue) > MOST_QUEUED:
            self._queue.popleft()
            self.dropped += 1

    def _add_tally(self, key: TallyKey, more: Tally) -> None:
        known = self._tallies.get(key)
        if known is not None:
            self._tallies[key] = known.plus(more)
        elif len(self._tallies) < MOST_TALLIES:
            self._tallies[key] = more
        else:
            self.dropped += more.requests


def _pair(one: bytes, other: bytes) -> Pair:
    return (one, other) if one <= other else (other, one)
