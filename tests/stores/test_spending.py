"""The dollars of a month: they add up over all processes and outlive everything."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from counting import postgres_spending

from gateway.stores.postgres import Database
from gateway.stores.postgres_counters import PostgresSpending


def test_dollars_add_up_over_processes_by_client_month_and_namespace(database_url: str) -> None:
    async def scenario() -> None:
        async with (
            postgres_spending(database_url) as one,
            postgres_spending(database_url) as two,
            postgres_spending(database_url, "other") as other,
        ):
            assert await one.spent("web", "2026-11") == 0.0
            assert await one.spend("web", "2026-11", 0.25) == pytest.approx(0.25)
            assert await two.spend("web", "2026-11", 0.0000015) == pytest.approx(0.2500015)
            assert await one.spent("web", "2026-11") == pytest.approx(0.2500015)
            assert await one.spent("web", "2026-12") == 0.0
            assert await one.spent("mobile", "2026-11") == 0.0
            assert await other.spent("web", "2026-11") == 0.0
            await asyncio.gather(*[(one, two)[number % 2].spend("web", "2026-12", 0.01) for number in range(50)])
        async with postgres_spending(database_url) as later:
            assert await later.spent("web", "2026-12") == pytest.approx(0.5)

    asyncio.run(scenario())


def test_booking_does_not_wait_for_the_disk_and_leaves_the_session_as_it_was(database_url: str) -> None:
    async def scenario() -> None:
        connection = await asyncpg.connect(database_url)
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
        await connection.close()
        database = Database(database_url, pool=1, acquire_timeout=30.0)
        assert await PostgresSpending(database, "test").spend("web", "2026-11", 1.0) == 1.0
        (row,) = await database.fetch("SELECT current_setting('synchronous_commit') AS waits")
        assert row["waits"] == "on"
        (row,) = await database.fetch("SELECT relpersistence::text AS kind FROM pg_class WHERE relname = 'spending'")
        assert row["kind"] == "p"
        await database.close()

    asyncio.run(scenario())
