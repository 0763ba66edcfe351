"""The Gateway of one worker: a routes file in, a running generation out; and the next one when the file changes.

A reload reads, checks, compiles and opens what is new before it swaps by one assignment; whatever fails on the way
leaves the old generation as it was. One reload at a time; the last one asked for is the last one done.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from gateway.config.load import Loaded, Problem, read
from gateway.config.model import EMBEDDED_POSTGRES, File
from gateway.config.problem import json_path
from gateway.config.restart import restart_needed
from gateway.config.tree import position
from gateway.core.events import Reloaded as ReloadedEvent
from gateway.core.events import Trouble
from gateway.errors import ConfigError, ReloadRefused
from gateway.fronts.admin.operations import FileProblem, Reloaded, Running, RunningRoute
from gateway.observe.metrics import Metrics
from gateway.observe.observer import Observer
from gateway.runtime.background import BackgroundTask
from gateway.runtime.compile import compile_generation
from gateway.runtime.environment import EMBEDDED_URL
from gateway.runtime.generation import Generation
from gateway.runtime.last_good import Good, recall, remember
from gateway.runtime.ledger import Ledger, Levels
from gateway.runtime.parts import Parts
from gateway.runtime.resources import Resources, Secrets
from gateway.runtime.tracing import Traces
from gateway.runtime.watch import Watched
from gateway.stores.digest import load_or_create_digest_key
from gateway.stores.sweeper import RouteLimits

# How long a new store, embedder or table may take to open before a reload is refused.
OPENING_SECONDS = 60.0


class Gateway:
    """One worker's share of the product.

    Args:
        path: the routes file.
        loaded: what it says, or what was served last where that differs.
        read_at: when it was read (`time.time_ns`); 0: it is to be looked at again.
        first: what the launcher began with, which some settings stay at.
        swap: called with each new generation, and with None at the end; requests go to the last one.
    """

    def __init__(
        self, path: Path, loaded: Loaded, read_at: int, first: File, swap: Callable[[Generation | None], None]
    ) -> None:
        assert loaded.settings is not None
        self.path = path
        metrics = Metrics()
        self.last_error = _in_words(loaded.problems) or None
        self._first = first
        self._loaded = loaded
        self._read_at = read_at
        self._swap = swap
        self._observer = Observer(metrics, loaded.settings.server.access_log)
        self.ledger = Ledger(metrics, self._levels, self._observer)
        self.traces = Traces(first, self._observer)
        self._parts = Parts()
        self._current: Generation | None = None
        self._retiring: dict[asyncio.Task[None], Generation] = {}
        self._reloading = asyncio.Lock()
        self._watched = Watched()

    @property
    def current(self) -> Generation:
        """The generation that new requests go to; only while the gateway runs."""
        assert self._current is not None
        return self._current

    @property
    def settings(self) -> File:
        return self.current.settings

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open everything and serve; close everything at the end. Raises ConfigError."""
        await self._start()
        try:
            async with BackgroundTask(self.ledger.run, "semgate samples"):
                yield
        finally:
            self._swap(None)
            for task in self._retiring:
                task.cancel()
            await self.current.retire(0)
            if self._retiring:
                await asyncio.wait(self._retiring)
            await self.traces.close()

    async def _start(self) -> None:
        """What is down is told, and used as soon as it answers."""
        generation = self._compile(self._loaded)
        for part, trouble in (await self._open(generation, None)).items():
            self._observer(Trouble(part, trouble))
        self._watched.read(self._loaded.watched, self._read_at)
        self._take(generation)
        if recall() is None:  # another worker may have gone over to a newer file while this one started
            self._remember()

    async def reload(self, *, force: bool = False) -> Reloaded:
        """Read the file again and go over to what it says. Raises ReloadRefused, and then nothing has changed; `force`
        goes over although something new cannot be reached."""
        async with self._reloading:
            try:
                reloaded = await self._reload(force)
            except ReloadRefused as refused:
                self.last_error = str(refused)
                self._observer(ReloadedEvent("failed", str(refused)))
                raise
            self.last_error = None
            self._observer(ReloadedEvent("ok" if reloaded.changed else "unchanged"))
            return reloaded

    async def catch_up(self) -> None:
        """Where the file was refused while this worker started: go over to what the others serve."""
        good = recall()
        if self.last_error is None or good is None or good.digest == self.current.digest:
            return
        generation = self._compile(msgspec.structs.replace(self._loaded, settings=good.settings, digest=good.digest))
        await self._open(generation)  # what cannot be opened is passed over, as it is by the others
        self._take(generation)

    async def changed(self) -> bool:
        """Does any file that the configuration came from differ from what was read last?"""
        return await self._watched.changed()

    def report(self, trouble: Trouble) -> None:
        """Count and log it."""
        self._observer(trouble)

    def running_configuration(self) -> Running:
        settings = self.settings
        return Running(
            digest=self.current.digest,
            loaded_at=self.current.loaded_at,
            last_error=self.last_error,
            routes=[RunningRoute(route.name, route.path, route.upstream, route.mode) for route in settings.routes],
            restart_needed=restart_needed(self._first, settings),
        )

    async def _reload(self, force: bool) -> Reloaded:
        began = time.time_ns()
        loaded = await asyncio.to_thread(read, self.path, os.environ)
        self._watched.read(loaded.watched, began)
        if loaded.settings is None:
            raise ReloadRefused(_in_words(loaded.problems), tuple(_shown(problem) for problem in loaded.problems))
        if loaded.digest == self.current.digest:
            return Reloaded(loaded.digest, changed=False)
        try:
            generation = self._compile(loaded)
            troubles = await self._open(generation)
        except ConfigError as error:
            problem = FileProblem("$", str(self.path), 0, 0, "error", str(error))
            raise ReloadRefused(str(error), (problem,)) from error
        if troubles and not force:
            await generation.retire(0)
            told = "; ".join(f"{part}: {trouble}" for part, trouble in troubles.items())
            raise ReloadRefused(
                f"what is new in it cannot be used: {told} (force=true goes over all the same)",
                tuple(_unusable(part, trouble, loaded) for part, trouble in troubles.items()),
            )
        self._take(generation)
        self._remember()
        return Reloaded(loaded.digest, changed=True)

    async def _open(self, generation: Generation, seconds: float | None = OPENING_SECONDS) -> dict[str, str]:
        """As Generation.open, and closed again if that fails altogether. Raises ConfigError."""
        try:
            return await generation.open(seconds)
        except BaseException:
            await generation.retire(0)
            raise

    def _compile(self, loaded: Loaded) -> Generation:
        """Nothing is opened yet, and what was taken is given back if it fails. Raises ConfigError."""
        settings = loaded.settings
        assert settings is not None
        lease = self._parts.lease()
        try:
            # The data folder is the one that the launcher began with: its key goes with the PostgreSQL in it.
            key = settings.server.digest_key or load_or_create_digest_key(self._first.server.data_dir)
            secrets = Secrets(self._postgres_url(settings), key)
            resources = Resources(settings, secrets, lease, self._observer, self._limits, self._readable)
            return compile_generation(settings, loaded.digest, resources, lease, self._observer)
        except BaseException:
            lease.drop()
            raise

    def _postgres_url(self, settings: File) -> str:
        """Raises ConfigError where the embedded server is asked for that the launcher was not to start."""
        url = settings.stores.postgres.url
        if url != EMBEDDED_POSTGRES:
            return url
        if self._first.stores.postgres.url != EMBEDDED_POSTGRES:
            raise ConfigError(
                "stores.postgres.url: the embedded PostgreSQL is started with semgate: it takes a restart"
            )
        return os.environ[EMBEDDED_URL]

    def _take(self, generation: Generation) -> None:
        """From here on requests go to this generation."""
        old, self._current = self._current, generation
        self._observer.access_log = generation.settings.server.access_log
        self.traces.follow(generation.settings)
        self._swap(generation)
        if old is not None:
            task = asyncio.create_task(old.retire(generation.settings.server.grace), name="semgate old generation")
            self._retiring[task] = old
            task.add_done_callback(self._retiring.pop)

    def _remember(self) -> None:
        """For workers that start while the file is a bad one."""
        remember(Good(self.settings, self.current.digest, self._first))

    def _levels(self) -> Levels:
        """For the metrics."""
        if self._current is None:
            return Levels(0, 0, 0)
        memory = self._current.resources.memory
        in_flight = sum(generation.requests for generation in (self._current, *self._retiring.values()))
        return Levels(len(memory or ()), 0 if memory is None else memory.bytes, in_flight)

    def _limits(self) -> Mapping[str, RouteLimits]:
        """For the sweeper: of the routes that run now."""
        if self._current is None:
            return {}
        return {
            route.name: RouteLimits(route.limits.max_entries, route.limits.max_bytes) for route in self.settings.routes
        }

    def _readable(self) -> frozenset[str]:
        """For what is stored of questions beside entries: the routes that run now with `at_rest: readable`."""
        if self._current is None:
            return frozenset()
        return frozenset(route.name for route in self.settings.routes if route.at_rest == "readable")


def _shown(problem: Problem) -> FileProblem:
    return FileProblem(
        problem.path, problem.file, problem.line, problem.column, problem.level, problem.text, problem.hint
    )


def _unusable(part: str, trouble: str, loaded: Loaded) -> FileProblem:
    """`part` as probes name it: `redis`, `embedders.default`."""
    place = tuple(part.split(".", 1)) if part.startswith("embedders.") else ("stores", part)
    assert loaded.draft is not None  # there are settings
    spot = position(loaded.draft.written, place)
    file = spot.file or loaded.draft.name
    return FileProblem(json_path(place), file, spot.line, spot.column, "error", trouble)


def _in_words(problems: tuple[Problem, ...]) -> str:
    """One line for each error: no line of the file is shown, as there may be a secret in it."""
    errors = [problem for problem in problems if problem.level == "error"]
    return "\n".join(f"{each.file}:{each.line}:{each.column}: {each.path}: {each.text}" for each in errors)
