"""The REST cache of one route, as LangCache's public API has it: which operation a request asks for, and its answer.

It stands where other routes have a cache around an upstream: the gate before it knows who calls, what they may use, and has
read the body. A cache comes into being by being used: every id in the path is one, and nothing of it is ever another's.
"""

from __future__ import annotations

import re
import time
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.core.asgi import CALLER, HeaderList, Receive, Scope, Send
from gateway.core.body import Document
from gateway.core.events import Outcome, Served
from gateway.core.extract import PathParameter
from gateway.core.keys import Keyer, frame
from gateway.core.messages import Reason, Request
from gateway.core.ports import Emit
from gateway.core.shelving import Place
from gateway.core.subject import CLIENT, Rule, read_scope
from gateway.core.tags import read_tags
from gateway.errors import (
    DependencyDown,
    FieldProblem,
    InvalidFields,
    MethodNotAllowed,
    NoRoute,
    RequestTooLarge,
    SemgateError,
    Unauthorized,
)
from gateway.fronts.langcache.conversation import read_turn, turn_in
from gateway.fronts.langcache.operations import Operations, shown, shown_id
from gateway.fronts.langcache.problem import send_error
from gateway.fronts.langcache.reading import read_put, read_removal, read_search
from gateway.fronts.langcache.shapes import (
    ConversationAnswer,
    DeleteAnswer,
    SearchAnswer,
    SetAnswer,
)
from gateway.fronts.langcache.telling import Told

# What follows a cache's id in the path -> the methods that it takes.
_OPERATIONS: dict[bytes, tuple[str, ...]] = {
    b"entries": ("DELETE", "POST"),
    b"entries/search": ("POST",),
    b"conversations/search": ("POST",),
    b"flush": ("POST",),
}
_ENTRY = re.compile(rb"entries/[^/]+")
_NAMED = "`entries`, `entries/search`, `entries/ID`, `conversations/search` and `flush`"


class Answer(NamedTuple):
    """`body` None: there is none (204). `wrote`: something was put or taken out, and nothing looked for."""

    status: int
    body: msgspec.Struct | None
    headers: HeaderList
    wrote: bool = True


class LangCache:
    """`operations` None: the route is off, and finds and keeps nothing. `depth` is how many slashes stand before the name of
    an operation, `max_body` what a request may be long."""

    reads_bodies = True

    def __init__(
        self,
        route: str,
        rule: Rule,
        keyer: Keyer,
        operations: Operations | None,
        told: Told,
        emit: Emit,
        *,
        depth: int,
        max_body: int,
    ) -> None:
        self._route = route
        self._rule = rule
        self._keyer = keyer
        self._operations = operations
        self._told = told
        self._emit = emit
        self._depth = depth
        self._max_body = max_body

    async def serve(self, request: Request, document: Document, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        try:
            answer = await self._answer(request, document, scope.get(CALLER))
        except SemgateError as error:
            await self._refuse(error, scope, send, started)
        except Exception:
            # The client is told in the API's own shape; what went wrong is the server's to log, as everywhere.
            await self._refuse(SemgateError("something went wrong that should not"), scope, send, started)
            raise
        else:
            if self._operations is None:
                self._say(scope, Outcome.BYPASS, answer.status, started, Reason.OFF)
            elif answer.wrote:  # the shelf tells of searches
                self._say(scope, Outcome.WRITTEN, answer.status, started)
            await _send(send, answer)

    async def bypass(self, reason: Reason, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """The body is larger than the route takes."""
        error = RequestTooLarge(f"the request body exceeds the route's max_body ({self._max_body} bytes)")
        await self._refuse(error, scope, send, time.perf_counter())

    async def _answer(self, request: Request, document: Document, client: str | None) -> Answer:
        rest = request.path.split(b"/", self._depth)[-1]
        takes = _OPERATIONS.get(rest, ("DELETE",) if _ENTRY.fullmatch(rest) else ())
        if not takes:
            raise NoRoute(f"a cache has no such operation: it has {_NAMED}")
        if request.method not in takes:
            raise MethodNotAllowed(f"this operation does not take {request.method}", takes)
        at = self._place(request)
        match rest, request.method:
            case b"entries", "POST":
                return await self._put(request, document, at)
            case b"entries", _:
                return await self._remove_where(document, at)
            case b"entries/search", _:
                return await self._search(document, at, client)
            case b"conversations/search", _:
                return await self._search(document, at, client, conversation=True)
            case b"flush", _:
                if self._operations is not None:
                    await self._operations.flush(at)
            case _:
                entry = unquote_to_bytes(rest.removeprefix(b"entries/")).decode("utf-8", "replace")
                if self._operations is not None:
                    await self._operations.remove(entry, at)
        return Answer(204, None, self._told.added)

    async def _put(self, request: Request, document: Document, at: Place) -> Answer:
        put = read_put(document)
        if self._operations is None:
            forgotten: Reason | None = Reason.OFF
            entry_id = "0" * 32
        else:
            tags = read_tags(self._rule.tags, request, document.holder)
            entry_id, forgotten = await self._operations.put(put, tags, at)
        headers = self._told.added if forgotten is None else self._told.other(forgotten, b"BYPASS")
        return Answer(201, SetAnswer(shown_id(entry_id)), headers)

    async def _search(self, document: Document, at: Place, client: str | None, *, conversation: bool = False) -> Answer:
        sought = read_search(document, conversation=conversation)
        turn = turn_in(sought.prompt, sought.context) if conversation else read_turn(sought.prompt)
        if self._operations is None:
            found, headers = [], self._told.other(Reason.OFF, b"BYPASS")
        else:
            looked = await self._operations.find(sought, turn, at, client)
            found = [shown(each, turn, sought.strategies) for each in looked.found]
            headers = self._told.searched(looked, time.time())
        body = ConversationAnswer(turn.written(), found) if conversation else SearchAnswer(found)
        return Answer(200, body, headers, wrote=False)

    async def _remove_where(self, document: Document, at: Place) -> Answer:
        attributes = read_removal(document)
        removed = 0 if self._operations is None else await self._operations.remove_where(attributes, at)
        return Answer(200, DeleteAnswer(removed), self._told.added)

    def _place(self, request: Request) -> Place:
        """Whose entries these are: who may share them by the route's scope, and the cache that the path names. Raises
        Unauthorized, InvalidFields."""
        scope = read_scope(self._rule, self._keyer, request, None)
        if scope is None:
            if self._rule.scope == CLIENT:
                raise Unauthorized("each caller has entries of its own here: send a key as `Authorization: Bearer KEY`")
            assert not isinstance(self._rule.scope, str)
            missing = [each.text for each in self._rule.scope if not each.values(request, None)]
            raise InvalidFields(
                tuple(FieldProblem(each, "required", f"{each} is missing: it says who shares") for each in missing)
            )
        extractors = () if isinstance(self._rule.scope, str) else self._rule.scope
        if {each.name for each in extractors if isinstance(each, PathParameter)}.issuperset(request.path_params):
            return Place(scope)
        # What the scope does not say of the path keeps caches apart all the same.
        named = sorted(request.path_params.items())
        return Place(scope, frame(*(text.encode("utf-8", "surrogateescape") for pair in named for text in pair)))

    async def _refuse(self, error: SemgateError, scope: Scope, send: Send, started: float) -> None:
        await send_error(scope, send, error, self._told.added)
        failed = isinstance(error, DependencyDown) or type(error) is SemgateError
        self._say(scope, Outcome.ERROR if failed else Outcome.REFUSED, error.status, started)

    def _say(self, scope: Scope, outcome: Outcome, status: int, started: float, reason: Reason | None = None) -> None:
        seconds = time.perf_counter() - started
        self._emit(Served(self._route, outcome, seconds, status, reason=reason, client=scope.get(CALLER)))


async def _send(send: Send, answer: Answer) -> None:
    body = b"" if answer.body is None else msgspec.json.encode(answer.body)
    head = [*answer.headers, (b"cache-control", b"no-store")]
    if answer.body is not None:
        head += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    await send({"type": "http.response.body", "body": body})
