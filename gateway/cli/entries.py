"""`semgate entries list|show|rm`: the stored answers, one by one."""

from __future__ import annotations

import itertools

import msgspec

from gateway.cli.client import open_gateway
from gateway.cli.failure import note
from gateway.cli.options import Reach
from gateway.cli.removing import remove_each
from gateway.cli.showing import (
    Column,
    count,
    moment,
    size,
    things,
    visible,
    visible_json,
    visible_lines,
    write,
    write_json,
    write_table,
)
from gateway.fronts.admin.operations import EntryShown, EntryWhole

COLUMNS = (
    Column("id"),
    Column("route", spare=1),
    Column("stored", spare=3),
    Column("expires", spare=6),
    Column("hits", right=True, spare=2),
    Column("size", right=True, spare=5),
    Column("tags", wraps=True, spare=4),
    Column("question", wraps=True),
)
_TO_THE_MINUTE = "%Y-%m-%d %H:%M"
# Of a question in the table; --format json and `entries show` have it whole.
LONGEST_QUESTION = 200


def list_entries(reach: Reach, route: str | None, limit: int | None, form: str) -> int:
    """Print up to `limit` entries (None: all), the way that the gateway orders them."""
    with open_gateway(reach) as gateway:
        found = gateway.entries(route, None if limit is None else limit + 1)
        if form == "jsonl":
            for entry in itertools.islice(found, limit):
                write(visible_json(msgspec.json.encode(entry).decode()))
            return 0
        entries = list(itertools.islice(found, limit))
        more = limit is not None and next(found, None) is not None
    if form == "json":
        write_json(entries)
    elif entries:
        write_table(COLUMNS, [_row(entry) for entry in entries])
    else:
        note("there are no entries" if route is None else f"there are no entries of route {route}")
    if more:
        note(f"these are the first {limit}; --limit N shows more, --all shows all")
    return 0


def show_entry(reach: Reach, entry_id: str, form: str) -> int:
    with open_gateway(reach) as gateway:
        entry = gateway.entry(entry_id)
    if form == "json":
        write_json(entry)
    else:
        _show(entry)
    return 0


def remove_entries(reach: Reach, entry_ids: tuple[str, ...]) -> int:
    """Remove each; 1 if one was not there."""
    with open_gateway(reach) as gateway:
        return remove_each(entry_ids, gateway.remove)


def _row(entry: EntryShown) -> tuple[str, ...]:
    return (
        visible(entry.id),
        visible(entry.route),
        moment(entry.created_at, _TO_THE_MINUTE),
        moment(entry.expires_at, _TO_THE_MINUTE),
        count(entry.hits),
        size(entry.bytes),
        visible(" ".join(entry.tags)),
        _question(entry),
    )


def _question(entry: EntryShown) -> str:
    if entry.question is None:
        return "(sealed with another key)"
    whole = visible(entry.question)
    return whole if len(whole) <= LONGEST_QUESTION else whole[: LONGEST_QUESTION - 1] + "…"


def _show(entry: EntryWhole) -> None:
    facts = {
        "id": entry.id,
        "route": entry.route,
        "question": "(sealed with another key)" if entry.question is None else entry.question,
        "asked": moment(entry.asked_at),
        "stored": moment(entry.created_at),
        "expires": moment(entry.expires_at),
        "used": things(entry.hits, "hit") + (f", the last {moment(entry.last_used)}" if entry.hits else ""),
        "size": f"{size(entry.bytes)}, {entry.form}",
        "tags": " ".join(entry.tags) or "-",
        "status": str(entry.status),
    }
    for name, value in facts.items():
        write(f"{name:8}  {visible(value)}")
    for name, value in entry.attributes.items():
        write(f"          {visible(name)} = {visible(value)}")
    for name, value in entry.headers:
        write(f"          {visible(name)}: {visible(value)}")
    write("")
    write(visible_lines(entry.body) if entry.encoding == "utf-8" else visible(f"({entry.encoding}) {entry.body}"))
