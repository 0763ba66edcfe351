"""One PostgreSQL as semgate uses it: a bounded pool, its connection settings, and the one seam for its errors.

Nothing is connected before the first use, so a gateway starts while PostgreSQL is down; after a restart of the server
the next statement connects anew. Every statement is prepared once per connection with a generic plan: with seqscans off
and the indexes chosen for it (see pgvector), the plan is right even on tables that were never analysed, where the
planner's guesses are not (measured: it scanned everything, 15 ms).
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast
from urllib.parse import unquote, urlsplit

import asyncpg

from gateway.errors import StoreError
from gateway.stores import schema
from gateway.stores.leases import Leases
from gateway.stores.notes import Notes
from gateway.stores.postgres_connection import OwnConnection, decode_vector, encode_vector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from gateway.stores.schema import Space, Table

    Value: TypeAlias = "str | bytes | int | float | list[str] | list[bytes] | list[int] | list[float] | None"

Made = TypeVar("Made")

ANSWERING_SECONDS = 2.0
"""For the least of statements, before an operator's long one: a server that takes longer has stopped, or is swamped."""
REPORT_SECONDS = 60.0
"""For what operators ask for; requests have shorter budgets."""
# Worth one more try: what a connection that died while idle (a restarted server) fails with, and losing a deadlock.
_AGAIN = (
    asyncpg.DeadlockDetectedError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ConnectionError,
)
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class Database:
    """A PostgreSQL by URL. Shared by all stores that live in it; `notes` collects what its upkeep has to do."""

    def __init__(
        self,
        url: str,
        *,
        pool: int = 8,
        acquire_timeout: float = 1.0,
        connect_timeout: float = 5.0,
        statement_timeout: float = 10.0,
        m: int = 16,
        ef_construction: int = 200,
        ef_search: int = 256,
    ) -> None:
        """At most `pool` connections; times in seconds. `m`, `ef_construction` and `ef_search` are pgvector's."""
        self._url = url
        self._size = pool
        self._acquire_timeout = acquire_timeout
        self._connect_timeout = connect_timeout
        self.graph = schema.Graph(m, ef_construction)
        self._settings = {
            "application_name": "semgate",
            "statement_timeout": str(int(statement_timeout * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "plan_cache_mode": "force_generic_plan",
            "enable_seqscan": "off",
            "jit": "off",
            "hnsw.ef_search": str(ef_search),
            "hnsw.iterative_scan": "relaxed_order",
        }
        self._leases: Leases | None = None
        self._making: dict[tuple[str, Space | None], asyncio.Future[object]] = {}
        self._tables: dict[Space, Table] = {}
        # Which partitions have a graph, as last seen: a search that does not know of one scans exactly, and is right.
        self.graphs: dict[Space, frozenset[bytes]] = {}
        self._vector_schema = ""
        self._closed = False
        self.era = 0
        self.notes = Notes()
        # Stores may wait for a disk or a lock; half of the connections is always left for look-ups, which clients wait for.
        self.writing = asyncio.Semaphore(max(1, pool // 2))

    async def fetch(self, statement: str, *values: Value) -> list[asyncpg.Record]:
        """All rows of one statement, which must be safe to run twice. Raises StoreError."""
        try:
            try:
                return await self._fetch(statement, values)
            except _AGAIN:
                return await self._fetch(statement, values)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
            # Somebody dropped the schema, or put another database in place: what is known of it is void.
            await self._forget()
            raise self._store_error(error) from error
        except _TROUBLE as error:
            if self._has_moved(error):
                await self._forget()
            raise self._store_error(error) from error

    def _has_moved(self, error: BaseException) -> bool:
        """Is the server that was found among several addresses another one's standby now, or gone? The pool would go on
        asking for that address alone."""
        if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
            return True
        return isinstance(error, OSError) and not isinstance(error, TimeoutError) and "," in self._url

    async def _fetch(self, statement: str, values: tuple[Value, ...]) -> list[asyncpg.Record]:
        async with (self._leases or await self._open_once()).connection() as connection:
            return await connection.fetch(statement, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[schema.Connection]:
        """One connection with an open transaction, for upkeep. Raises StoreError, also for errors inside the block."""
        try:
            leases = await self._open_once()
            async with leases.connection() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    yield connection
                except BaseException:
                    # A server that has stopped in the middle never answers to this either; the pool then closes the connection.
                    async with asyncio.timeout(self._acquire_timeout):
                        await transaction.rollback()
                    raise
                await transaction.commit()
        except _TROUBLE as error:
            raise self._store_error(error) from error

    @asynccontextmanager
    async def report(self) -> AsyncIterator[schema.Connection]:
        """A transaction for what operators ask for, which may take long: REPORT_SECONDS at most. A server that does not answer
        at all is found out beforehand. Raises StoreError."""
        try:
            async with asyncio.timeout(ANSWERING_SECONDS):
                await self.ping()
            async with asyncio.timeout(REPORT_SECONDS + ANSWERING_SECONDS), self.transaction() as connection:
                await connection.execute(f"SET LOCAL statement_timeout = '{REPORT_SECONDS:g}s'")
                yield connection
        except TimeoutError as error:
            raise self._store_error(error) from error

    async def table(self, space: Space) -> Table:
        """The table of this space, made on first use. Raises StoreError, or ConfigError for impossible dimensions."""
        known = self._tables.get(space)
        if known is None:
            known = self._tables[space] = await self._unhurried(("table", space), lambda: self._make_table(space))
            await self.learn_graphs(space)
        return known

    async def learn_graphs(self, space: Space) -> frozenset[bytes]:
        """The partitions of this space that have a graph, as PostgreSQL knows them now. Raises StoreError."""
        table = await self.table(space)
        rows = await self.fetch("SELECT partition FROM semgate.promoted WHERE space = $1", table.space)
        self.graphs[space] = frozenset(row["partition"] for row in rows)
        return self.graphs[space]

    async def all_tables(self) -> list[tuple[Space, Table]]:
        """The tables of all spaces, used by this process or not. Raises StoreError."""
        rows = await self.fetch("SELECT id, identity, dimensions FROM semgate.spaces ORDER BY id")
        return [
            (
                schema.Space(row["identity"], row["dimensions"]),
                schema.Table(row["id"], f"entries_{row['id']}", self._vector_schema, row["dimensions"]),
            )
            for row in rows
        ]

    def spaces(self) -> list[Space]:
        """The spaces that this process has used."""
        return list(self._tables)

    @asynccontextmanager
    async def dedicated(self, name: str = "semgate upkeep") -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection of its own, without time limits, for what may run long and outside a transaction. PostgreSQL shows
        it under this name."""
        try:
            connection = await asyncpg.connect(
                self._url,
                timeout=self._connect_timeout,
                # Parallel builds need more shared memory than containers have, and the core that serves meanwhile.
                server_settings={"application_name": name, "max_parallel_maintenance_workers": "0"},
            )
            try:
                yield connection
            finally:
                await connection.close(timeout=self._connect_timeout)
        except _TROUBLE as error:
            raise self._store_error(error) from error

    async def ping(self) -> None:
        await self.fetch("SELECT 1")

    async def _forget(self) -> None:
        """Begin anew at the next use; `era` tells stores that their tables may be others."""
        self.era += 1
        self._tables.clear()
        self.graphs.clear()
        await self._close_leases()

    async def close(self) -> None:
        self._closed = True
        for making in list(self._making.values()):
            making.cancel()
        await self._close_leases()

    async def _close_leases(self) -> None:
        leases, self._leases = self._leases, None
        if leases is None:
            return
        try:
            async with asyncio.timeout(self._connect_timeout):
                await leases.close()
        except _TROUBLE:
            leases.terminate()

    async def _open_once(self) -> Leases:
        if self._closed:
            raise StoreError("postgres: closed")
        if self._leases is None:
            self._leases = await self._unhurried(("pool", None), self._open)
        return self._leases

    async def _unhurried(self, what: tuple[str, Space | None], make: Callable[[], Awaitable[Made]]) -> Made:
        """What is made on first use is made once, in a task of its own: a look-up that runs out of its time while
        tables are being made must not undo that work, or the next one would begin it anew."""
        making = self._making.get(what)
        if making is None:
            making = self._making[what] = asyncio.ensure_future(make())
            making.add_done_callback(lambda done: self._made(what, done))
        return cast("Made", await asyncio.shield(making))

    def _made(self, what: tuple[str, Space | None], done: asyncio.Future[object]) -> None:
        self._making.pop(what, None)
        if not done.cancelled():
            done.exception()  # seen, even if everybody who waited for it has left

    async def _open(self) -> Leases:
        first = await asyncpg.connect(self._url, timeout=self._connect_timeout)
        try:
            self._vector_schema = await schema.prepare(first)
        finally:
            await first.close(timeout=self._connect_timeout)
        pool = await asyncpg.create_pool(
            self._url,
            min_size=1,
            max_size=self._size,
            max_inactive_connection_lifetime=0,
            timeout=self._connect_timeout,
            connection_class=OwnConnection,
            server_settings=self._settings,
            init=self._teach_vectors,
        )
        return Leases(pool, self._size, self._acquire_timeout)

    async def _make_table(self, space: Space) -> Table:
        try:
            async with (await self._open_once()).connection() as connection:
                return await schema.prepare_space(connection, space, self._vector_schema)
        except _TROUBLE as error:
            raise self._store_error(error) from error

    async def _teach_vectors(self, connection: schema.Connection) -> None:
        await connection.set_type_codec(
            "halfvec", schema=self._vector_schema, encoder=encode_vector, decoder=decode_vector, format="binary"
        )

    def _store_error(self, error: BaseException) -> StoreError:
        if isinstance(error, TimeoutError):
            return StoreError(
                f"postgres: no connection in time: the server does not answer, or all {self._size} are busy "
                "(stores.postgres.pool)"
            )
        # The first line only: PostgreSQL's details may show a row.
        text = f"postgres: {type(error).__name__}: {error.args[0] if error.args else ''}"
        if isinstance(error, OSError):
            text = f"postgres: {type(error).__name__}: {error}"
        for secret in {urlsplit(self._url).password or "", unquote(urlsplit(self._url).password or "")} - {""}:
            text = text.replace(secret, "***")
        return StoreError(text)
