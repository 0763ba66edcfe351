"""The database schema: which files under schemas/sql have been run, and running those that have not.

Common files (`NNN_*.sql`) run once; `entries/` once per embedding space, `vectors/` once per space that embeds. All of
it happens inside one transaction under an advisory lock, so any number of workers and replicas may start at once.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
import msgspec

from gateway.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

# "semgate" in ASCII; the second number tells semgate's locks apart.
LOCK_CLASS = 0x73656D67
MIGRATE, CHORES, PROMOTE, PURGE, SETTLE, EVIDENCE, DENY = 1, 2, 3, 4, 5, 6, 7

OLDEST_PGVECTOR = (0, 8)
# What pgvector can index as halfvec.
MOST_DIMENSIONS = 4000


class Space(msgspec.Struct, frozen=True):
    """An embedding space: vectors of one `identity` (model and normaliser version) and size can be compared.
    `dimensions` is None where nothing is embedded."""

    identity: str
    dimensions: int | None


class Graph(msgspec.Struct, frozen=True):
    """How graphs are built (pgvector's own words)."""

    m: int
    ef_construction: int


class Table(msgspec.Struct, frozen=True):
    """A space's own table, and where pgvector lives."""

    space: int
    name: str
    vector_schema: str
    dimensions: int | None

    @property
    def entries(self) -> str:
        return f"semgate.{self.name}"

    @property
    def distance(self) -> str:
        """The cosine distance operator, whatever the search path."""
        return f'OPERATOR("{self.vector_schema}".<=>)'


@cache
def sql_folder() -> Path:
    """schemas/sql: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "schemas" / "sql"
    return inside if inside.is_dir() else package.parent / "schemas" / "sql"


@cache
def _scripts(folder: str) -> tuple[tuple[str, str], ...]:
    """(name, text) in order of their numbers."""
    found = sorted((sql_folder() / folder).glob("[0-9][0-9][0-9]_*.sql"))
    return tuple((f"{folder}/{path.stem}".removeprefix("./"), path.read_text()) for path in found)


async def prepare(connection: Connection) -> str:
    """Bring the common schema up to date; returns the schema that pgvector lives in. Raises StoreError where pgvector
    is missing or too old, or where this role may not create what is missing."""
    try:
        if not await _is_current(connection):
            async with connection.transaction():
                await _lock(connection)
                # IF NOT EXISTS would ask for the right to create even where there is nothing to create.
                if await connection.fetchval("SELECT to_regnamespace('semgate')") is None:
                    await connection.execute("CREATE SCHEMA semgate")
                await connection.execute("CREATE TABLE IF NOT EXISTS semgate.migrations (name text PRIMARY KEY)")
                done = {row["name"] for row in await connection.fetch("SELECT name FROM semgate.migrations")}
                for name, text in _scripts("."):
                    if name not in done:
                        await connection.execute(text)
                        await connection.execute("INSERT INTO semgate.migrations VALUES ($1)", name)
        return await _find_pgvector(connection)
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreError(
            f"postgres: {error}; let this role create the schema `semgate`, or create it and make this role its owner"
        ) from error


async def _is_current(connection: Connection) -> bool:
    if await connection.fetchval("SELECT to_regclass('semgate.migrations')") is None:
        return False
    done = {row["name"] for row in await connection.fetch("SELECT name FROM semgate.migrations")}
    return done >= {name for name, _text in _scripts(".")}


async def _find_pgvector(connection: Connection) -> str:
    question = (
        "SELECT extversion, nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
        "WHERE extname = 'vector'"
    )
    found = await connection.fetchrow(question)
    if found is None:
        try:
            async with connection.transaction():
                await _lock(connection)
                await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except asyncpg.PostgresError as error:
            raise StoreError(
                f"postgres: the extension pgvector is missing and cannot be created ({error}); install pgvector 0.8 or "
                "later on the server and run CREATE EXTENSION vector in this database as a superuser"
            ) from error
        found = await connection.fetchrow(question)
    assert found is not None
    version = tuple(int(part) for part in str(found["extversion"]).split(".")[:2])
    if version < OLDEST_PGVECTOR:
        raise StoreError(
            f"postgres: pgvector is {found['extversion']} and must be 0.8 or later; update it on the server and run "
            "ALTER EXTENSION vector UPDATE in this database"
        )
    return str(found["nspname"])


async def prepare_space(connection: Connection, space: Space, vector_schema: str) -> Table:
    """The table of this space, made where it is missing. Raises ConfigError for vectors that pgvector cannot index."""
    if space.dimensions is not None and not 1 <= space.dimensions <= MOST_DIMENSIONS:
        raise ConfigError(
            f"embedder: vectors of {space.dimensions} dimensions; PostgreSQL can index up to {MOST_DIMENSIONS}, "
            "set `dimensions` where the model can shorten its vectors"
        )
    scripts = _scripts("entries") + (_scripts("vectors") if space.dimensions is not None else ())
    number = await _find_space(connection, space)
    if number is None or await _pending(connection, number, scripts):
        async with connection.transaction():
            await _lock(connection)
            number = await _find_space(connection, space)
            if number is None:
                number = int(
                    await connection.fetchval(
                        "INSERT INTO semgate.spaces (identity, dimensions) VALUES ($1, $2) RETURNING id",
                        space.identity,
                        space.dimensions,
                    )
                )
            table = Table(number, f"entries_{number}", vector_schema, space.dimensions)
            for name, text in await _pending(connection, number, scripts):
                await connection.execute(
                    text.format(
                        entries=table.entries,
                        name=table.name,
                        vector=f'"{vector_schema}"',
                        dimensions=space.dimensions,
                    )
                )
                await connection.execute("INSERT INTO semgate.space_migrations VALUES ($1, $2)", number, name)
    return Table(number, f"entries_{number}", vector_schema, space.dimensions)


async def _find_space(connection: Connection, space: Space) -> int | None:
    found = await connection.fetchval(
        "SELECT id FROM semgate.spaces WHERE identity = $1 AND dimensions IS NOT DISTINCT FROM $2",
        space.identity,
        space.dimensions,
    )
    return None if found is None else int(found)


async def _pending(connection: Connection, number: int, scripts: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    rows = await connection.fetch("SELECT name FROM semgate.space_migrations WHERE space = $1", number)
    done = {row["name"] for row in rows}
    return [(name, text) for name, text in scripts if name not in done]


async def _lock(connection: Connection) -> None:
    await connection.execute("SET LOCAL lock_timeout = '30s'; SET LOCAL statement_timeout = '60s'")
    await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, {MIGRATE})")
