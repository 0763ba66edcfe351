"""Fixtures of the store tests: one PostgreSQL and one redis-server a session, a fresh database for each test."""

from __future__ import annotations

import asyncio
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder

from servers import RedisServer, redis_server

from gateway.stores.embedded import EmbeddedPostgres

_numbers = itertools.count()


def _execute(url: str, *statements: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(url)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(scenario())


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a running PostgreSQL's own database."""
    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        url = server.start()
        # Hundreds of databases are made and dropped here, and none has to survive a power cut.
        _execute(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        yield url
        server.stop()


@pytest.fixture
def database_url(postgres: str) -> Iterator[str]:
    """URL of a database that nobody has used yet."""
    name = f"test{next(_numbers)}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY wal_log")
    yield postgres.replace("/postgres?", f"/{name}?")
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server
