"""The gate inside a program: which requests of its own application go through the cache, and how they come out again.

The application answers as if nothing stood before it: it gets the whole body as often as it is asked, its headers and
its exceptions pass, and what the cache has no part in reaches it untouched. So there is nothing here that refuses: who may
call, and how much, the application knows.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import quote, unquote_to_bytes

import msgspec

from gateway.core.asgi import BODY, App, HeaderList, Message, Receive, Scope, Send
from gateway.core.body import Document
from gateway.core.connection import named_by_connection
from gateway.core.extract import Extractor, Extractors, first_value
from gateway.core.messages import Reason
from gateway.core.messages import Request as CoreRequest
from gateway.core.models import ModelPattern
from gateway.core.routing import decode_variables
from gateway.fronts.application import AppsOwn, Inner, passing_on
from gateway.fronts.asgi import CacheMiddleware
from gateway.fronts.clients import Clients
from gateway.fronts.intake import declared_length
from gateway.fronts.request import Request

LOG = logging.getLogger("semgate")

Function: TypeAlias = Callable[[Request], Any]

# Seconds that a request waits for a program's own async function; then it goes on without the cache.
FUNCTION = 10.0
# What a path may have unescaped (RFC 3986, 3.3).
_PATH_SAFE = "/:@!$&'()*+,;=~-._"
_NO_CLIENTS = Clients({})


class Callables(msgspec.Struct, frozen=True):
    """What a route's settings hold as Python callables, sync or async. None: the setting is none."""

    query: Function | None = None
    model: Function | None = None
    scope: Function | None = None
    keep_if: Function | None = None


NO_CALLABLES = Callables()


class InsideRoute(msgspec.Struct, frozen=True):
    """One route of a program's own application. `state` are its extractors of what the application itself left."""

    name: str
    methods: frozenset[str]
    models: tuple[ModelPattern, ...]
    model: Extractors
    max_body: int
    middleware: CacheMiddleware
    callables: Callables
    state: Extractors = ()


class InsideGate:
    """The routes of one path, in their order; `app` answers what none of them takes."""

    def __init__(self, routes: tuple[InsideRoute, ...], app: App) -> None:
        self._by_method: dict[str, list[InsideRoute]] = {}
        for route in routes:
            for method in route.methods:
                self._by_method.setdefault(method, []).append(route)
        self._app = app

    def takes(self, method: str) -> bool:
        """Does any route of this path?"""
        return method in self._by_method

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, where: Where, variables: dict[str, bytes]
    ) -> None:
        """Answer one request of this path. Raises what the application raises."""
        try:
            await self._answer(scope, receive, send, where, variables)
        except AppsOwn as raised:
            raise raised.error from raised.error.__cause__

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, where: Where, variables: dict[str, bytes]
    ) -> None:
        asked_at = time.time()
        routes = self._by_method.get(scope["method"])
        if routes is None:
            await self._app(scope, receive, send)
            return
        headers = _end_to_end(scope["headers"])
        request = CoreRequest(
            method=scope["method"],
            path=where.matched,
            query_string=scope.get("query_string", b""),
            headers=headers,
            body=b"",
            path_params=decode_variables(variables) if variables else {},
            upstream_path=where.asked,
            client=_NO_CLIENTS.identify(headers).identity,
            asked_at=asked_at,
            state=scope.get("state"),
        )
        by_model = any(route.models for route in routes)
        most = max(route.max_body for route in routes) if by_model else routes[0].max_body
        reads = by_model or routes[0].middleware.reads_bodies
        body, receive = await read_body(receive, declared_length(headers), most) if reads else (None, receive)
        send = passing_on(scope, send)
        if body is None:
            reason = Reason.BODY_TOO_LARGE if reads else Reason.OFF
            await routes[0].middleware.bypass(reason, request, scope, receive, send)
            return
        request.body, document = body, Document(body)
        scope[BODY] = body
        asked = Request(scope, unquote_to_bytes(where.matched).decode("utf-8", "replace"), body)
        route = await _choose(routes, request, document, asked)
        if route is None:
            await Inner(self._app)(scope, receive, send)
            return
        given = await ask_callables(route.name, route.callables, asked) if route.callables != NO_CALLABLES else {}
        if not all(_is_readable(route.name, each, request) for each in route.state):
            given = Reason.EXTRACTOR
        if len(body) > route.max_body:
            given = Reason.BODY_TOO_LARGE
        if isinstance(given, Reason):
            await route.middleware.bypass(given, request, scope, receive, send)
        else:
            request.given = given
            keep = given.get("keep_if", True) is not False
            await route.middleware.serve(request, document, scope, receive, send, keep=keep)


class Where(msgspec.Struct, frozen=True):
    """Where a request goes: the raw path that routes are matched with, without what the application is mounted under, and
    all that two requests for one thing have in common: host, whole path, and the path that a rewriter made of it."""

    matched: bytes
    asked: bytes


def where_to(scope: Scope) -> Where:
    """Servers give the path as it came (`raw_path`); test clients may not, and who rewrites `path` leaves it as it was."""
    path: str = scope["path"]
    seen = quote(path.encode("utf-8", "surrogateescape"), safe=_PATH_SAFE).encode()
    raw = (scope.get("raw_path") or seen).partition(b"?")[0]
    root = scope.get("root_path", "").rstrip("/")
    if unquote_to_bytes(raw).decode("utf-8", "replace") in (path, root + path):
        matched, asked = _without(root, raw), raw
    else:
        matched, asked = _without(root, seen), raw + b" " + seen
    host = next((value for name, value in scope["headers"] if name.lower() == b"host"), b"")
    return Where(matched or b"/", scope.get("scheme", "http").encode() + b"://" + host.lower() + asked)


def _without(root: str, raw: bytes) -> bytes:
    """As applications take their mount point off: only where the path begins with it, whole segments."""
    prefix = quote(root.encode("utf-8", "surrogateescape"), safe=_PATH_SAFE).encode()
    rest = raw[len(prefix) :]
    return rest if prefix and raw.startswith(prefix) and rest[:1] in (b"", b"/") else raw


async def read_body(receive: Receive, declared: int | None, most: int) -> tuple[bytes | None, Receive]:
    """The whole body where it has `most` bytes at most, and what is to be received from then on; else None, and a receive
    that plays all from its start."""
    if declared is not None and declared > most:
        return None, receive
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if message["type"] != "http.request" or size > most:
            return None, _played(messages, receive)
        if not message.get("more_body", False):
            return b"".join(each.get("body", b"") for each in messages), receive


def _played(messages: list[Message], receive: Receive) -> Receive:
    async def play() -> Message:
        return messages.pop(0) if messages else await receive()

    return play


async def ask_callables(route: str, callables: Callables, request: Request) -> dict[str, object] | Reason:
    """What a route's callables give, by the setting's name; or why the request is bypassed. One that raises is logged."""
    given: dict[str, object] = {}
    for name, none in (
        ("query", Reason.NO_TEXT),
        ("model", Reason.BYPASS_RULE),
        ("scope", Reason.NO_SCOPE),
        ("keep_if", Reason.BYPASS_RULE),
    ):
        function: Function | None = getattr(callables, name)
        if function is None:
            continue
        try:
            value = function(request)
            if inspect.isawaitable(value):
                async with asyncio.timeout(FUNCTION):
                    value = await value
            if name == "query" and value is not None:
                _check_text(value)
        except Exception as error:
            # Whatever a program's own code does wrong: the request is answered all the same. Its message may hold what was
            # asked, so it is for those who look closer.
            LOG.warning("route %s: `%s` failed with %s: not cached", route, name, type(error).__name__)
            LOG.debug("route %s: `%s`", route, name, exc_info=True)
            return Reason.EXTRACTOR
        if value is None:
            return none
        given[name] = value
    return given


def _is_readable(route: str, extractor: Extractor, request: CoreRequest) -> bool:
    """Can it be read here and now? An attribute of a program's own object may do anything, such as ask a database."""
    try:
        extractor.values(request, None)
    except Exception as error:
        LOG.warning("route %s: `%s` failed with %s: not cached", route, extractor.text, type(error).__name__)
        LOG.debug("route %s: `%s`", route, extractor.text, exc_info=True)
        return False
    return True


def _check_text(value: object) -> None:
    """Raises TypeError, or UnicodeEncodeError for half a character."""
    if not isinstance(value, str):
        raise TypeError(f"`query` must give text or None, not {type(value).__name__}")
    value.encode()


async def _choose(
    routes: list[InsideRoute], request: CoreRequest, document: Document, asked: Request
) -> InsideRoute | None:
    """The first route whose `models` match; one without takes any."""
    for route in routes:
        if not route.models:
            return route
        if route.callables.model is not None:
            given = await ask_callables(route.name, Callables(model=route.callables.model), asked)
            request.given = None if isinstance(given, Reason) else given
        model = first_value(route.model, request, document.holder)
        if model is not None and any(each.pattern.fullmatch(str(model)) for each in route.models):
            return route
    return None


def _end_to_end(headers: HeaderList) -> HeaderList:
    """Names in lower case, as ASGI has them and not every test client; without what goes no further than one connection."""
    found = [(bytes(name).lower(), bytes(value)) for name, value in headers]
    named = named_by_connection(found)
    return [pair for pair in found if pair[0] not in named] if named else found
