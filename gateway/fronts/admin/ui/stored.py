"""Pages on what is stored: the list of entries, finding one, one whole entry, removing it, and purging many."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from litestar import Controller, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Redirect, Template

from gateway.errors import CacheTrouble, InvalidOrder
from gateway.fronts.admin.access import operations_of
from gateway.fronts.admin.operations import (
    EntriesPage,
    EntryWhole,
    LookupAnswer,
    LookupQuestion,
    PurgeOrder,
    PurgeResult,
    Similar,
)
from gateway.fronts.admin.reading import is_entry_id
from gateway.fronts.admin.ui.access import HOME, Visitor, fields_of
from gateway.fronts.admin.ui.page import HEADERS, page

PAGE = 50
LIST = f"{HOME}/entries"
AT_LEAST = 0.9
MOST_SHOWN = 200_000
"""Characters of an answer."""


class Stored(Controller):
    @get("/entries")
    async def entries(self, request: Visitor) -> Template:
        """A page of entries, newest first."""
        asked = request.query_params
        route, after = asked.get("route") or None, asked.get("after") or None
        found, trouble = EntriesPage([], None), ""
        try:
            found = await operations_of(request).entries(route=route, limit=PAGE, after=_place(after))
        except (CacheTrouble, InvalidOrder) as error:
            trouble = str(error)
        older = f"{LIST}?{urlencode({'route': route or '', 'after': found.next})}" if found.next else ""
        return page(
            request,
            "entries",
            **_common(request),
            entries=found.entries,
            route=route or "",
            after=after,
            older=older,
            trouble=trouble,
            removed=asked.get("removed", "")[:80],
        )

    @post("/entries/find", status_code=200)
    async def find(self, request: Visitor) -> Template | Redirect:
        """By id: the entry. By words: the nearest entries of a route."""
        fields = await fields_of(request)
        words, route = fields.get("words", ""), fields.get("route", "")
        answer: LookupAnswer | None = None
        trouble = ""
        try:
            if is_entry_id(words) and await operations_of(request).entry(words) is not None:
                return Redirect(f"{LIST}/{quote(words, safe='')}", headers=HEADERS, status_code=303)
            answer = await operations_of(request).lookup(nearest_to(words, route, fields))
        except (CacheTrouble, InvalidOrder) as error:
            trouble = str(error)
        return page(
            request,
            "found",
            **_common(request),
            answer=answer,
            words=words,
            route=route,
            fields=fields,
            trouble=trouble,
        )

    @get("/entries/{entry_id:str}")
    async def entry(self, request: Visitor) -> Template:
        """One entry with its answer."""
        entry_id: str = request.path_params["entry_id"]
        found = await operations_of(request).entry(entry_id) if is_entry_id(entry_id) else None
        if found is None:
            raise NotFoundException(detail="there is no such entry; it may have expired or been purged")
        body = _laid_out(found)
        return page(request, "entry", here="entries", entry=found, body=body[:MOST_SHOWN], cut=len(body) > MOST_SHOWN)

    @post("/entries/{entry_id:str}/remove", status_code=303)
    async def remove(self, request: Visitor) -> Redirect:
        """Remove one entry, everywhere."""
        entry_id: str = request.path_params["entry_id"]
        if not (is_entry_id(entry_id) and await operations_of(request).remove(entry_id)):
            raise NotFoundException(detail="there is no such entry; it may have expired or been purged")
        return Redirect(f"{LIST}?{urlencode({'removed': entry_id})}", headers=HEADERS, status_code=303)


class Purging(Controller):
    @get("/purge")
    async def form(self, request: Visitor) -> Template:
        """Which entries; links from other pages fill some of it in."""
        asked = {name: request.query_params.get(name, "") for name in ("route", "tags")}
        return page(
            request, "purge", **{**_common(request), "here": "purge"}, fields=asked, result=None, step="", trouble=""
        )

    @post("/purge", status_code=200)
    async def purge(self, request: Visitor) -> Template:
        """First a count of what fits, then, with `step=confirm`, its end."""
        fields = await fields_of(request)
        step = "confirm" if fields.get("step") == "confirm" else "preview"
        result: PurgeResult | None = None
        trouble = ""
        try:
            result = await operations_of(request).purge(order_of(fields, dry_run=step != "confirm"))
        except (CacheTrouble, InvalidOrder) as error:
            trouble = str(error)
        common = {**_common(request), "here": "purge"}
        return page(request, "purge", **common, fields=fields, result=result, step=step, trouble=trouble)


def nearest_to(words: str, route: str, fields: dict[str, str]) -> LookupQuestion:
    """Raises InvalidOrder."""
    if not words or not route:
        raise InvalidOrder("to search by words, give some and choose a route: nearness is measured within one")
    return LookupQuestion(route=route, text=words, scope=scope_of(fields))


def order_of(fields: dict[str, str], *, dry_run: bool) -> PurgeOrder:
    """Raises InvalidOrder."""
    text = fields.get("similar_to", "")
    try:
        at_least = float(fields.get("at_least") or AT_LEAST)
    except ValueError:
        raise InvalidOrder("the least similarity is a number from 0 to 1") from None
    return PurgeOrder(
        route=fields.get("route") or None,
        scope=scope_of(fields),
        tags=[tag.strip() for tag in fields.get("tags", "").split(",") if tag.strip()] or None,
        older_than=fields.get("older_than") or None,
        similar_to=Similar(text, at_least) if text else None,
        dry_run=dry_run,
    )


def _place(after: str | None) -> str | None:
    """Raises InvalidOrder."""
    if after is not None and not is_entry_id(after):
        raise InvalidOrder("there is no such page")
    return after


def _laid_out(entry: EntryWhole) -> str:
    """JSON with line breaks; anything else as it is."""
    try:
        return msgspec.json.format(entry.body, indent=2) if entry.encoding == "utf-8" else entry.body
    except (msgspec.DecodeError, RecursionError):
        return entry.body


def scope_of(fields: dict[str, str]) -> str | list[str] | None:
    """One value; or several, a line for each."""
    lines = [line.strip() for line in fields.get("scope", "").splitlines() if line.strip()]
    return None if not lines else lines[0] if len(lines) == 1 else lines


def _common(request: Visitor) -> dict[str, Any]:
    return {"here": "entries", "routes": [route.name for route in operations_of(request).running().routes]}
