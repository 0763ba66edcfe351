"""Entries for the tests of purges: asked long before, stored, and looked for afterwards."""

from __future__ import annotations

import msgspec
from purging import Process
from rows import entry as made
from rows import vector

from gateway.core.messages import Entry

SOON = 30.0  # that it takes less than a second is measured elsewhere: here are busy machines


def entry(name: object, **more: object) -> Entry:
    """One that was asked long before any purge of a test."""
    return made(name, **{"age": 1000.0, **more})  # type: ignore[arg-type]


def tagged(name: object, *tags: str, **more: object) -> Entry:
    return msgspec.structs.replace(entry(name, **more), tags=tags)


async def stored(process: Process) -> set[str]:
    return {each.id async for whole in process.catalog.export(None) for each in [whole.listed]}


async def kept(process: Process, *entries: Entry) -> None:
    for each in entries:
        await process.near.keep(each, "q", vector(0.0))
