"""What every exact store must do, whichever it is."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias

import msgspec
import pytest
from rows import SEAL, entry, key, with_everything
from servers import RedisServer

from gateway.core.messages import Entry, Form
from gateway.core.ports import ExactStore
from gateway.errors import StoreError
from gateway.stores.codec import Codec
from gateway.stores.memory import MemoryStore
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.redis import RedisStore
from gateway.stores.schema import Space

Opened: TypeAlias = Callable[[], AbstractAsyncContextManager[ExactStore]]

KINDS = ["memory", "redis", "redis-readable", "postgres-exact", "postgres-vectors", "postgres-readable"]


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest) -> Opened:
    kind: str = request.param
    codec = Codec(SEAL, readable=kind.endswith("readable"))
    if kind == "memory":

        @asynccontextmanager
        async def open_store() -> AsyncIterator[ExactStore]:
            yield MemoryStore(64 << 20)

    elif kind.startswith("redis"):
        server: RedisServer = request.getfixturevalue("redis")
        server.command("FLUSHALL")

        @asynccontextmanager
        async def open_store() -> AsyncIterator[ExactStore]:
            store = RedisStore(server.url, codec, timeout=30.0)
            yield store
            await store.close()

    else:
        url: str = request.getfixturevalue("database_url")
        space = Space("test", None if kind == "postgres-exact" else 8)

        @asynccontextmanager
        async def open_store() -> AsyncIterator[ExactStore]:
            database = Database(url, acquire_timeout=30.0)
            yield PgVectorStore(database, space, codec)
            await database.close()

    return open_store


def test_what_was_put_is_got_back_whole(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            await store.ping()
            kept = entry("a", body=bytes(range(256)) * 7)
            assert await store.get(kept.exact, time.time()) is None
            await store.put(kept)
            assert await store.get(kept.exact, time.time()) == kept
            assert await store.get(key("other"), time.time()) is None

    asyncio.run(scenario())


def test_every_field_comes_back(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            kept = with_everything(entry("a"))
            plain = Entry("i", "r", b"s", b"p", kept.exact, 200, (), b"", 0.0, 0.0, 0.0)
            for field in Entry.__struct_fields__:
                if field not in ("exact", "status"):
                    assert getattr(kept, field) != getattr(plain, field), f"{field} is not set to anything"
            await store.put(kept)
            assert await store.get(kept.exact, time.time()) == kept
            # Replaced: nothing of what was there before is left.
            bare = entry("a")
            await store.put(bare)
            assert await store.get(kept.exact, time.time()) == bare

    asyncio.run(scenario())


@pytest.mark.parametrize("form", list(Form))
def test_entries_of_every_form_come_back(opened: Opened, form: Form) -> None:
    async def scenario() -> None:
        async with opened() as store:
            kept = msgspec.structs.replace(entry("a"), form=form)
            await store.put(kept)
            found = await store.get(kept.exact, time.time())
            assert found == kept
            assert isinstance(found.form, Form)

    asyncio.run(scenario())


@pytest.mark.parametrize("size", [0, 1, 2_000, 10 << 20])
def test_bodies_of_every_size_come_back(opened: Opened, size: int) -> None:
    async def scenario() -> None:
        async with opened() as store:
            kept = entry("a", body=os.urandom(size))
            await store.put(kept)
            assert await store.get(kept.exact, time.time()) == kept

    asyncio.run(scenario())


def test_a_second_answer_replaces_the_first(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            await store.put(entry("a", body=b"old"))
            newer = msgspec.structs.replace(entry("a", body=b"new"), id="another-id", status=203, headers=())
            await store.put(newer)
            assert await store.get(newer.exact, time.time()) == newer

    asyncio.run(scenario())


def test_an_expired_entry_is_absent(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            kept = entry("a", ttl=60)
            await store.put(kept)
            assert await store.get(kept.exact, kept.expires_at - 1) == kept
            assert await store.get(kept.exact, kept.expires_at) is None
            already = entry("b", ttl=-1)
            await store.put(already)
            assert await store.get(already.exact, time.time()) is None

    asyncio.run(scenario())


def test_within_its_stale_time_an_expired_entry_is_found_when_asked_with_an_earlier_now(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            window = 3600.0
            kept = entry("a", ttl=-60, stale=window)
            await store.put(kept)
            # As routes with that window ask; then when the window is over.
            assert await store.get(kept.exact, time.time() - window) == kept
            assert await store.get(kept.exact, kept.expires_at - 0.001) == kept
            assert await store.get(kept.exact, kept.expires_at) is None

    asyncio.run(scenario())


def test_an_entry_that_is_stale_already_is_not_shown_as_fresh(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            kept = entry("a", ttl=-60, stale=3600.0)
            await store.put(kept)
            assert await store.get(kept.exact, time.time()) is None

    asyncio.run(scenario())


def test_an_expired_answer_does_not_leave_the_one_before_in_place(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            await store.put(entry("a", body=b"old"))
            await store.put(entry("a", body=b"new", ttl=-1))
            await asyncio.sleep(0.05)
            assert await store.get(entry("a").exact, time.time()) is None

    asyncio.run(scenario())


def test_many_use_it_at_once(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:

            async def use(number: int) -> None:
                mine, shared = entry(number), entry("shared", body=b"%d" % number)
                await store.put(mine)
                await store.put(shared)
                assert await store.get(mine.exact, time.time()) == mine
                found = await store.get(shared.exact, time.time())
                assert found is not None
                assert found.body.isdigit()

            await asyncio.gather(*[use(number) for number in range(100)])

    asyncio.run(scenario())


def test_a_cancelled_call_leaves_the_store_usable(opened: Opened) -> None:
    async def scenario() -> None:
        async with opened() as store:
            kept = entry("a", body=os.urandom(1 << 20))
            await store.put(kept)
            for patience in (0.0, 0.0001, 0.001, 0.003):
                try:
                    async with asyncio.timeout(patience):
                        await store.get(kept.exact, time.time())
                except TimeoutError:
                    pass
            assert await store.get(kept.exact, time.time()) == kept

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["redis", "redis-cluster", "redis-unix", "postgres", "postgres-unix"])
def test_a_store_that_is_down_says_so_without_its_password(kind: str) -> None:
    codec = Codec(SEAL)
    url = {
        "redis": "redis://user:s3cret%21@127.0.0.1:1/0",
        "redis-cluster": "redis+cluster://user:s3cret%21@127.0.0.1:1/0",
        "redis-unix": "unix:///nonexistent/redis.sock?password=s3cret%21",
        "postgres": "postgresql://user:s3cret%21@127.0.0.1:1/db",
        "postgres-unix": "postgresql://user:s3cret%21@/db?host=/nonexistent",
    }[kind]

    async def scenario() -> None:
        store: ExactStore
        if kind.startswith("redis"):
            store = RedisStore(url, codec, timeout=5.0)
        else:
            database = Database(url)
            store = PgVectorStore(database, Space("test", 8), codec)
        calls: list[Callable[[], Awaitable[object]]] = [
            store.ping,
            lambda: store.get(key("a"), 0.0),
            lambda: store.put(entry("a")),
        ]
        for call in calls:
            with pytest.raises(StoreError) as caught:
                await call()
            assert kind.partition("-")[0] in str(caught.value)
            assert "s3cret" not in str(caught.value)
            assert "s3cret" not in repr(store)
        await store.close()
        if not kind.startswith("redis"):
            await database.close()

    asyncio.run(scenario())
