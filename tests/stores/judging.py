"""Judgements, and processes that make them and hear of them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from rows import SEAL, key

from gateway.core.events import Event
from gateway.core.judgement import Finding, Judgement, Origin
from gateway.core.messages import HitKind
from gateway.engine.evidence import Evidence
from gateway.runtime.evidence import EvidenceKeeping
from gateway.stores.codec import Codec
from gateway.stores.evidence import EvidenceStore
from gateway.stores.evidence_log import EvidenceLog
from gateway.stores.postgres import Database
from gateway.stores.purge_log import PurgeLog

ASKED, BEFORE = "How do I enable it?", "How do I disable it?"


def judgement(name: object, finding: Finding = Finding.RIGHT, **others: object) -> Judgement:
    made = Judgement(
        route="chat",
        at=time.time(),
        origin=Origin.AUDIT,
        finding=finding,
        how="exact",
        kind=HitKind.VERIFIED,
        similarity=0.97,
        score=None,
        entry=f"entry-{name}",
        exact=key("asked", name),
        other=key("other", name),
        question=ASKED,
        asked_before=BEFORE,
        served=True,
        scope=key("scope"),
        setting=key("setting"),
    )
    return msgspec.structs.replace(made, **others)


class Process:
    """What one process has of all this. Its turns are taken by hand unless it was begun."""

    def __init__(self, url: str, *, namespace: str = "default", readable: bool = False, seal: bytes = SEAL) -> None:
        self.events: list[Event] = []
        self.database = Database(url, acquire_timeout=30.0, connect_timeout=30.0)
        self.known = Evidence(self.events.append)
        self.store = EvidenceStore(self.database, namespace, lambda _route: Codec(seal, readable=readable))
        self.log = EvidenceLog(self.database, namespace, Codec(seal, readable=True))
        self.keeping = EvidenceKeeping(self.known, self.store, self.events.append)
        self.purges = PurgeLog(self.database, namespace=namespace, heard=self._heard, on_removed=self._removed)

    async def turn(self) -> None:
        await self.keeping.take_turn()

    async def logged(self) -> list[Judgement]:
        return [each async for each in self.log.judgements(None, 0.0)]

    async def _heard(self, _purges: object, whole: bool) -> None:
        self.keeping.purged()

    async def _removed(self, keys: list[bytes]) -> None:  # type: ignore[override]
        await self.keeping.forget_words(keys)


@asynccontextmanager
async def processes(url: str, count: int = 1, **options: object) -> AsyncIterator[list[Process]]:
    made = [Process(url, **options) for _ in range(count)]  # type: ignore[arg-type]
    try:
        yield made
    finally:
        for each in made:
            await each.database.close()


def wordless(judged: Judgement) -> Judgement:
    return msgspec.structs.replace(judged, question=None, asked_before=None)
