"""A PostgreSQL that is there and does not answer (stopped by a signal): whoever asks gets an error in time, and it goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from rows import SEAL

from gateway.errors import StoreError
from gateway.stores import postgres
from gateway.stores.catalog import Catalog
from gateway.stores.codec import Codec
from gateway.stores.embedded import EmbeddedPostgres
from gateway.stores.evidence_log import EvidenceLog
from gateway.stores.postgres import Database


class Server:
    """An embedded PostgreSQL that can be stopped in its tracks."""

    def __init__(self, folder: str) -> None:
        self._postgres = EmbeddedPostgres(folder)
        self.url = self._postgres.start()
        self._pid_file = next(Path(folder).rglob("postmaster.pid"))

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        self.thaw()
        self._postgres.stop()

    def _signal(self, number: int) -> None:
        main = int(self._pid_file.read_text().splitlines()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for pid in (main, *map(int, children)):
            os.kill(pid, number)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = Server(folder)
        yield server
        server.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "ANSWERING_SECONDS", 0.3)
    monkeypatch.setattr(postgres, "REPORT_SECONDS", 0.5)


READS: list[Callable[[Database], Awaitable[object]]] = [
    lambda database: EvidenceLog(database, "n", Codec(SEAL)).tallies(None, 0.0),
    lambda database: EvidenceLog(database, "n", Codec(SEAL)).counts(None, 0.0, [0.5], [0.5]),
    lambda database: anext(aiter(EvidenceLog(database, "n", Codec(SEAL)).judgements(None, 0.0)), None),
    lambda database: Catalog(database, Codec(SEAL), namespace="n").totals(),
]


def test_what_operators_ask_for_is_not_waited_for_without_end(server: Server) -> None:
    async def scenario() -> None:
        database = Database(server.url, acquire_timeout=0.3)
        for read in READS:
            await read(database)
        server.freeze()
        for read in READS:
            began = time.monotonic()
            with pytest.raises(StoreError, match="does not answer"):
                async with asyncio.timeout(10):
                    await read(database)
            assert time.monotonic() - began < 5
        server.thaw()
        for read in READS:
            await read(database)
        await database.close()

    asyncio.run(scenario())


def test_nor_is_what_it_stops_in_the_middle_of(server: Server) -> None:
    async def scenario() -> None:
        database = Database(server.url, acquire_timeout=0.3)
        began = time.monotonic()
        with pytest.raises(StoreError, match="does not answer"):
            async with asyncio.timeout(10), database.report() as connection:
                await connection.fetch("SELECT 1")
                server.freeze()
                await connection.fetch("SELECT 2")
        assert time.monotonic() - began < 5
        server.thaw()
        async with database.report() as connection:
            assert (await connection.fetchval("SELECT 3")) == 3
        await database.close()

    asyncio.run(scenario())


def test_a_slow_report_is_cut_off_and_the_next_is_made(server: Server) -> None:
    async def scenario() -> None:
        database = Database(server.url)
        with pytest.raises(StoreError):
            async with database.report() as connection:
                await connection.fetch("SELECT pg_sleep(30)")
        async with database.report() as connection:
            assert (await connection.fetchval("SELECT 3")) == 3
        await database.close()

    asyncio.run(scenario())
