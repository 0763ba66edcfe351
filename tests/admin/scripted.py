"""Operations that answer what a test tells them to, and remember what they were asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Litestar
from litestar.exceptions import HTTPException

from gateway.core.asgi import HeaderList
from gateway.errors import SemgateError
from gateway.fronts.admin import examples
from gateway.fronts.admin.deny_shapes import DeniedPage, DeniedShown, DenyOrder, SparedShown
from gateway.fronts.admin.door import CONTROLLERS, door_state
from gateway.fronts.admin.judged import FeedbackOrder, FeedbackResult, ShadowReport, ShadowReset
from gateway.fronts.admin.operations import (
    EntriesPage,
    EntryWhole,
    Imported,
    LookupAnswer,
    LookupQuestion,
    Moment,
    PurgeOrder,
    PurgeResult,
    Readiness,
    Reloaded,
    Running,
    Stats,
)
from gateway.fronts.admin.problems import from_litestar, from_nowhere, from_semgate
from gateway.fronts.clients import Caller

TOKEN = "correct-horse-battery"
# (method, path) of everything that needs the token
GUARDED = [
    ("GET", "/-/config"),
    ("POST", "/-/reload"),
    ("GET", "/-/stats"),
    ("GET", "/-/openapi"),
    ("POST", "/-/lookup"),
    ("GET", "/-/entries"),
    ("GET", "/-/entries/01a1fd2e"),
    ("DELETE", "/-/entries/01a1fd2e"),
    ("POST", "/-/purge"),
    ("GET", "/-/deny"),
    ("POST", "/-/deny"),
    ("DELETE", "/-/deny/01a1fd2e"),
    ("POST", "/-/deny/01a1fd2e/false-positive"),
    ("GET", "/-/shadow"),
    ("GET", "/-/shadow/log"),
    ("DELETE", "/-/shadow?route=chat"),
    ("POST", "/-/feedback"),
    ("GET", "/-/export"),
    ("POST", "/-/import"),
]
# What those need that are not content without a body.
BODIES = {
    ("POST", "/-/feedback"): b'{"entry": "01a1fd2e", "verdict": "wrong"}',
    ("POST", "/-/lookup"): b'{"route": "chat", "text": "Hi"}',
    ("POST", "/-/deny"): b'{"text": "Hi"}',
    ("POST", "/-/deny/01a1fd2e/false-positive"): b'{"question": "Hi"}',
}
OPEN = [("GET", "/-/live"), ("GET", "/-/ready"), ("GET", "/-/metrics")]


class Scripted:
    """`fails`: raised by whatever is asked next."""

    admin_token = TOKEN

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.fails: Exception | None = None
        self.known_ids = {"01a1fd2e"}

    def _asked(self, name: str, what: Any = None) -> None:
        self.asked.append((name, what))
        if self.fails is not None:
            raise self.fails

    async def readiness(self) -> Readiness:
        return msgspec.convert(examples.READINESS, Readiness)

    def running(self) -> Running:
        self._asked("config")
        return msgspec.convert(examples.RUNNING, Running)

    def metrics(self) -> bytes:
        return b"# HELP semgate_requests_total\n"

    async def reload(self, *, force: bool) -> Reloaded:
        self._asked("reload", force)
        return msgspec.convert(examples.RELOADED, Reloaded)

    async def stats(self) -> Stats:
        self._asked("stats")
        return msgspec.convert(examples.STATS, Stats)

    def history(self) -> list[Moment]:
        return []

    async def lookup(self, question: LookupQuestion) -> LookupAnswer:
        self._asked("lookup", question)
        return msgspec.convert(examples.ANSWER, LookupAnswer)

    async def entries(self, *, route: str | None, limit: int, after: str | None) -> EntriesPage:
        self._asked("entries", (route, limit, after))
        return msgspec.convert(examples.PAGE, EntriesPage)

    async def entry(self, entry_id: str) -> EntryWhole | None:
        self._asked("entry", entry_id)
        return msgspec.convert(examples.ENTRY, EntryWhole) if entry_id in self.known_ids else None

    async def remove(self, entry_id: str) -> bool:
        self._asked("remove", entry_id)
        return entry_id in self.known_ids

    async def purge(self, order: PurgeOrder) -> PurgeResult:
        self._asked("purge", order)
        return msgspec.convert(examples.PURGED, PurgeResult)

    async def denied(self, *, route: str | None, limit: int, after: str | None) -> DeniedPage:
        self._asked("denied", (route, limit, after))
        return msgspec.convert(examples.DENIED_PAGE, DeniedPage)

    async def deny(self, order: DenyOrder) -> DeniedShown:
        self._asked("deny", order)
        return msgspec.convert(examples.DENIED, DeniedShown)

    async def allow(self, denied_id: str) -> bool:
        self._asked("allow", denied_id)
        return denied_id in self.known_ids

    async def spare(self, denied_id: str, question: str) -> SparedShown | None:
        self._asked("spare", (denied_id, question))
        return msgspec.convert(examples.SPARED, SparedShown) if denied_id in self.known_ids else None

    has_clients = False
    caller: Caller | None = None

    def caller_of(self, headers: HeaderList) -> Caller | None:
        self._asked("caller_of")
        return self.caller

    async def feedback(self, order: FeedbackOrder, caller: Caller | None, headers: HeaderList) -> FeedbackResult | None:
        self._asked("feedback", (order, caller))
        return msgspec.convert(examples.FEEDBACK_TAKEN, FeedbackResult) if order.entry in self.known_ids else None

    async def shadow(self, *, route: str | None, since: str | None) -> ShadowReport:
        self._asked("shadow", (route, since))
        return msgspec.convert(examples.REPORT, ShadowReport)

    async def shadow_log(self, route: str | None, since: str | None) -> AsyncIterator[bytes]:
        self._asked("shadow_log", (route, since))
        yield examples.JUDGED_LINES.encode()

    async def reset_shadow(self, route: str) -> ShadowReset:
        self._asked("reset_shadow", route)
        return msgspec.convert(examples.RESET, ShadowReset)

    async def export(self, route: str | None) -> AsyncIterator[bytes]:
        self._asked("export", route)
        for line in (b'{"nth": 1}\n', b'{"nth": 2}\n'):
            yield line

    async def import_lines(self, lines: bytes, *, route: str | None) -> Imported:
        self._asked("import", (lines, route))
        return msgspec.convert(examples.IMPORTED, Imported)


def app_for(operations: Scripted) -> Litestar:
    """As gateway.app puts it together, without a gateway."""
    return Litestar(
        CONTROLLERS,
        state=door_state(operations),
        exception_handlers={HTTPException: from_litestar, SemgateError: from_semgate, Exception: from_nowhere},
        openapi_config=None,
        logging_config=None,
    )
