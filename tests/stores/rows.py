"""Entries and vectors for the store tests."""

from __future__ import annotations

import hashlib
import math
import random
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from gateway.core.messages import Cost, Entry, Form, Shelfmark
from gateway.stores.codec import Codec
from gateway.stores.pgvector import PgVectorStore
from gateway.stores.postgres import Database
from gateway.stores.schema import Space

SEAL = b"k" * 32
SIZE = 8
SPACE = Space("test-model", SIZE)


def key(*parts: object) -> bytes:
    return hashlib.blake2b(repr(parts).encode(), digest_size=32).digest()


def entry(
    name: object,
    *,
    body: bytes = b'{"answer": 42}',
    partition: object = "partition",
    ttl: float = 3600.0,
    route: str = "chat",
    age: float = 0.0,
    stale: float = 0.0,
) -> Entry:
    """An entry that was asked `age` seconds ago, expires in `ttl` seconds and may be of use for `stale` more."""
    now = time.time()
    return Entry(
        id=key("id", partition, name).hex()[:22],
        route=route,
        scope=key("scope"),
        partition=key(partition),
        exact=key(partition, name),
        status=200,
        headers=((b"content-type", b"application/json"), (b"x-odd", bytes(range(128, 256)))),
        body=body,
        asked_at=now - age - 0.5,
        created_at=now - age,
        expires_at=now + ttl,
        stale=stale,
    )


def vector(*angles: float, size: int = SIZE) -> bytes:
    """A unit vector: the first two axes by the first angle (radians), turned towards the third by the second."""
    first, second = (*angles, 0.0)[:2]
    values = [math.cos(first) * math.cos(second), math.sin(first) * math.cos(second), math.sin(second)]
    return array("f", values + [0.0] * (size - 3)).tobytes()


def with_everything(kept: Entry) -> Entry:
    """The same with every field set to something else than its default."""
    return msgspec.structs.replace(
        kept,
        cost=Cost("gpt-4o", 11, 22),
        form=Form.NDJSON,
        stale=12.5,
        pace=bytes(range(256)),
        compressed=True,
        usage_asked=True,
        tags=("alpha", "b\u00e9ta"),
        mark=Shelfmark(b"words", (("user", "7"),), (b"label",)),
        synthesized=True,
    )


@asynccontextmanager
async def opened(url: str, space: Space = SPACE) -> AsyncIterator[tuple[Database, PgVectorStore]]:
    database = Database(url, acquire_timeout=30.0)
    yield database, PgVectorStore(database, space, Codec(SEAL))
    await database.close()


def random_vector(chance: random.Random, size: int = SIZE) -> bytes:
    values = [chance.gauss(0, 1) for _ in range(size)]
    length = math.sqrt(sum(value * value for value in values))
    return array("f", [value / length for value in values]).tobytes()
