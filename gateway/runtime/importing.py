"""JSON lines -> entries: exported ones as they were, requests with their answers as if they had been asked.

A request of a line goes through its route's own rule and its answer through the route's rules of keeping, so it is found
by the very same requests, and what would not be kept is not imported. Lines are looked for before they are embedded:
sending a batch again costs little, and that is how an import goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import math
import struct
import time
from collections.abc import Iterator
from contextlib import nullcontext

import msgspec

from gateway.config.units import LONGEST, parse_duration
from gateway.core.body import Document
from gateway.core.freshness import Wishes
from gateway.core.messages import Entry, Headers, Reason, Vector
from gateway.core.recording import Answer
from gateway.core.tags import all_tags
from gateway.engine.cache import RouteCache
from gateway.engine.tiers import WORKING_FOR, Tiers
from gateway.errors import CacheTrouble, EmbedError, InvalidOrder, TextUnfit
from gateway.fronts.admin.operations import Imported
from gateway.runtime.asking import goes_elsewhere, request_of, route_named, scope_of
from gateway.runtime.entries import RouteEntries
from gateway.runtime.generation import CompiledRoute, Generation
from gateway.runtime.lines import read_line, same_space
from gateway.stores.catalog import Catalog

# Lines at once, where the embedder is not of this machine; a local one has one thread, which requests need as well.
SIDE_BY_SIDE = 8
# How long a text may take to be embedded; a request's budget is shorter, but here nobody waits for an answer.
EMBED_SECONDS = 30.0
# How far the clocks of two gateways may be apart.
SKEW = 300.0
JSON = "application/json"
_UNIT = 0.01


class WarmingLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request and its answer: `body` as clients send it, `answer` a JSON body, or text that is one in itself. `ttl` is
    a duration or seconds; the rest as in a lookup."""

    body: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    answer: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    route: str | None = None
    scope: str | list[str] | None = None
    headers: dict[str, str] = {}
    path: str | None = None
    status: int = 200
    content_type: str = JSON
    tags: list[str] = []
    ttl: str | float | None = None


class _Row(msgspec.Struct, frozen=True):
    """What is to be stored. `vector` None: its text is still to be embedded, where it may be."""

    route: CompiledRoute
    tiers: Tiers
    entries: RouteEntries
    entry: Entry
    question: str
    exact_only: bool
    vector: Vector | None = None


async def import_lines(generation: Generation, catalog: Catalog, lines: bytes, route: str | None) -> Imported:
    """Raises InvalidOrder for an unknown route, StoreError and EmbedError: what was stored by then is known the next time."""
    if route is not None:
        route_named(generation, route)
    batch = _Batch(generation, catalog, route)
    waiting = _numbered(lines)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(SIDE_BY_SIDE):
                group.create_task(batch.work(waiting))
    except* CacheTrouble as troubles:
        raise _first(troubles) from None
    return Imported(batch.kept, batch.known, sorted(batch.problems))


class _Batch:
    """One batch on its way, and its count."""

    def __init__(self, generation: Generation, catalog: Catalog, route: str | None) -> None:
        self._generation = generation
        self._catalog = catalog
        self._route = route
        self._seen: set[bytes] = set()
        self._embedding = asyncio.Semaphore(1)
        self.kept = 0
        self.known = 0
        self.problems: list[tuple[int, str]] = []

    async def work(self, waiting: Iterator[tuple[int, bytes]]) -> None:
        """Line by line, for as long as there are any; several of these share them."""
        for number, line in waiting:
            try:
                row = await self._read(line)
            except (msgspec.ValidationError, InvalidOrder) as error:
                self.problems.append((number, str(error)))
                continue
            except (
                ValueError,
                RecursionError,
            ) as error:  # msgspec's other errors are ValueErrors, and so is broken UTF-8
                self.problems.append((number, f"the line is not JSON, or not as it was exported: {error}"))
                continue
            if await self._store(row):
                self.kept += 1
            else:
                self.known += 1

    async def _read(self, line: bytes) -> _Row:
        """Raises InvalidOrder, or a ValueError (msgspec's own among them)."""
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        return self._read_back(line) if "stored" in members else await self._warm(line)

    def _read_back(self, line: bytes) -> _Row:
        read = read_line(line)
        route, cache, tiers, entries = self._parts(read.entry.route)
        now = time.time()
        if read.keys != route.keyer.fingerprint.hex():
            raise InvalidOrder(
                "its digests were made with another digest key, namespace, upstream or rule of extraction: no request would "
                "find it; import questions with their answers instead"
            )
        if read.entry.expires_at <= now:
            raise InvalidOrder("it has expired")
        if read.entry.created_at > now + SKEW:
            raise InvalidOrder("it was stored in the future; is a clock wrong?")
        if len(read.entry.body) > cache.policy.keep.max_body:
            raise InvalidOrder(f"the answer is over the route's keep.max_body: {Reason.TOO_LARGE}")
        # Asked now: a purge before this import is no word against what is imported on purpose.
        entry = msgspec.structs.replace(read.entry, id=tiers.new_id(), asked_at=now)
        usable = read.vector is not None and same_space(read, entries.known_space()) and _is_unit(read.vector)
        question = read.question or ""
        exact_only = read.vector is None or not question
        return _Row(route, tiers, entries, entry, question, exact_only, read.vector if usable else None)

    async def _warm(self, line: bytes) -> _Row:
        asked = msgspec.json.decode(line, type=WarmingLine)
        name = asked.route or self._route
        if name is None:
            raise InvalidOrder("which `route`? The line does not say it, nor does the request")
        route, cache, tiers, entries = self._parts(name)
        body = _body(asked.body)
        if not body and asked.path is None:
            raise InvalidOrder("the `body` of the request is missing")
        if len(body) > route.settings.max_body:
            raise InvalidOrder(f"the request is over the route's max_body: {Reason.BODY_TOO_LARGE}")
        request = request_of(self._generation, route, body, asked.headers, asked.path)
        document = Document(body)
        elsewhere = goes_elsewhere(route, request, document)
        if elsewhere:
            raise InvalidOrder(elsewhere)
        scope = scope_of(self._generation, route, asked.scope)
        warmed = await cache.warm(request, document, Wishes(ttl=_seconds(asked.ttl)), _answer(asked), scope)
        if isinstance(warmed, Reason):
            raise InvalidOrder(
                f"as a request and its answer this would not be kept: {warmed} (docs/http.md has the reasons)"
            )
        tags = all_tags((*warmed.entry.tags, *asked.tags), ())
        if tags is None:
            raise InvalidOrder("its tags are too many or too long")
        entry = msgspec.structs.replace(warmed.entry, tags=tags)
        return _Row(route, tiers, entries, entry, warmed.text, warmed.exact_only)

    def _parts(self, name: str) -> tuple[CompiledRoute, RouteCache, Tiers, RouteEntries]:
        route = route_named(self._generation, name)
        if route.cache is None or route.tiers is None or route.entries is None:
            raise InvalidOrder(f"the route {name} keeps nothing (`mode: off`)")
        return route, route.cache, route.tiers, route.entries

    async def _store(self, row: _Row) -> bool:
        """False where an entry under these very words is there already."""
        exact = row.entry.exact
        if exact in self._seen or await row.entries.get(exact, time.time()) is not None:
            return False
        self._seen.add(exact)
        vector = row.vector
        if vector is None and not row.exact_only and row.tiers.embedder is not None:
            vector = await self._embed(row.tiers, row.question)
        codec = self._generation.resources.codec(row.route.settings.at_rest)
        space = row.entries.known_space()
        return await self._catalog.put_row(codec, space, row.entry, row.question, vector)

    async def _embed(self, tiers: Tiers, text: str) -> Vector | None:
        """None where the text does not fit the model. Past the guard: what an import does to an embedder is no reason to
        leave it alone for requests."""
        assert tiers.embedder is not None
        embedder, _ = tiers.embedder
        WORKING_FOR.set(tiers.route)
        local = tiers.embeds_ahead
        try:
            async with self._embedding if local else nullcontext(), asyncio.timeout(EMBED_SECONDS):
                return await embedder.embed(text)
        except TextUnfit:
            return None
        except TimeoutError:
            raise EmbedError(f"the embedder has not answered for {EMBED_SECONDS:g} s") from None


def _numbered(lines: bytes) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, with their numbers from 1."""
    return ((number, line) for number, line in enumerate(lines.split(b"\n"), 1) if line.strip())


def _first(troubles: BaseExceptionGroup[CacheTrouble]) -> CacheTrouble:
    first = troubles.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _answer(asked: WarmingLine) -> Answer:
    """As an upstream would have sent it. Raises InvalidOrder."""
    raw = _body(asked.answer)
    if not raw:
        raise InvalidOrder("the `answer` is missing")
    body = msgspec.json.decode(raw, type=str).encode() if raw.startswith(b'"') else raw
    if not (asked.content_type.isascii() and asked.content_type.isprintable() and asked.content_type.strip()):
        raise InvalidOrder("`content_type` is no header value")
    if not 200 <= asked.status <= 599:
        raise InvalidOrder("`status` is a number from 200 to 599")
    headers: Headers = ((b"content-type", asked.content_type.encode()),)
    return Answer(asked.status, headers, body)


def _body(raw: msgspec.Raw) -> bytes:
    body = bytes(raw).strip()
    return b"" if body == b"null" else body


def _seconds(ttl: str | float | None) -> float | None:
    """Raises InvalidOrder."""
    if ttl is None:
        return None
    try:
        seconds = float(parse_duration(ttl)) if isinstance(ttl, str) else ttl
    except ValueError as error:
        raise InvalidOrder(f"`ttl` is {error}, or a number of seconds") from None
    if not 0 < seconds <= LONGEST:
        raise InvalidOrder("`ttl` is above 0 and up to 3650 days")
    return seconds


def _is_unit(vector: Vector) -> bool:
    """A damaged one would be as near to everything as it likes."""
    squares = math.fsum(each * each for each in struct.unpack(f"<{len(vector) // 4}f", vector))
    return abs(squares - 1) < _UNIT
