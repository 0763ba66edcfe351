"""The Gate of one path: who calls, how much body, which of the path's routes; then the route's cache takes over.

Routes may share a path and be told apart by method and model, so the body is read here, once, and bounded: over a
route's `max_body` the request streams on uncached, over the server's bound it is refused.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec

from gateway.core.asgi import (
    ACCOUNT,
    BODY,
    CALLER,
    DROP_HEADERS,
    UPSTREAM_PATH,
    UPSTREAM_VARIABLES,
    HeaderList,
    Message,
    Receive,
    Scope,
    Send,
)
from gateway.core.body import Document
from gateway.core.connection import named_by_connection
from gateway.core.extract import Extractors, first_value
from gateway.core.messages import Reason, Request
from gateway.core.models import ModelPattern
from gateway.core.routing import decode_variables
from gateway.engine.allowance import Allowances
from gateway.errors import Forbidden, MethodNotAllowed, NoRoute, RequestBroken, RequestTooLarge, SemgateError
from gateway.fronts.asgi import CacheMiddleware
from gateway.fronts.clients import Account, Caller, Client, Clients, announcing, too_many
from gateway.fronts.patience import Patience
from gateway.fronts.problem import send_problem

# Wishes to this cache are not the upstream's business.
_WISHES = frozenset({b"x-cache-threshold", b"x-cache-ttl"})

# How much of a refused body is read, and for how long, before the answer.
DRAIN_BYTES = 16 << 20
DRAIN_SECONDS = 2.0


class GatedRoute(msgspec.Struct, frozen=True):
    """One route behind a gate. `upstream_path` maps the raw path and its raw variables to the raw path asked for."""

    name: str
    methods: frozenset[str]
    models: tuple[ModelPattern, ...]
    model: Extractors
    max_body: int
    upstream_path: Callable[[bytes, dict[str, bytes]], bytes]
    middleware: CacheMiddleware


class Admitted(msgspec.Struct, gc=False):
    """A request that may go on. `document` is None where the body was not read: too large, or nobody needs it."""

    route: GatedRoute
    request: Request
    document: Document | None
    receive: Receive


class Gate:
    """`max_request_body` in bytes; routes in the order of the file; `allowances` know what clients with limits have left."""

    def __init__(
        self,
        path: str,
        routes: tuple[GatedRoute, ...],
        clients: Clients,
        max_request_body: int,
        patience: Patience,
        allowances: Allowances,
    ) -> None:
        self._path = path
        self._by_method: dict[str, list[GatedRoute]] = {}
        for route in routes:
            for method in route.methods:
                self._by_method.setdefault(method, []).append(route)
        self._clients = clients
        self._limit = max_request_body
        self._patience = patience
        self._allowances = allowances
        self._by_model = any(route.models for route in routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, variables: dict[str, bytes]) -> None:
        """Answer one request of this path; what is wrong with the request itself becomes problem+json."""
        asked_at = time.time()
        try:
            routes, headers, caller = self._recognise(scope)
            client = caller.client
            if (
                client is not None
                and client.routes is not None
                and not client.may_use(*[route.name for route in routes])
            ):
                await self._drain_announced(scope, headers, receive)
                raise self._forbidden(client, "any route of this path")
            if client is not None and client.limits is not None:
                standing = await self._allowances.admit(client.name, client.limits)
                send = announcing(send, standing.headers)
                if standing.over is not None:
                    await self._drain_announced(scope, headers, receive)
                    raise too_many(client, standing.over)
            admitted = await self._admit(asked_at, routes, headers, caller, scope, receive, variables)
        except SemgateError as error:
            await send_problem(send, error)
            return
        middleware = admitted.route.middleware
        if admitted.document is None:
            reason = Reason.BODY_TOO_LARGE if middleware.reads_bodies else Reason.OFF
            await middleware.bypass(reason, admitted.request, scope, admitted.receive, send)
        else:
            await middleware.serve(admitted.request, admitted.document, scope, admitted.receive, send)

    def _recognise(self, scope: Scope) -> tuple[list[GatedRoute], HeaderList, Caller]:
        """The routes of this method, the headers that go on, and who calls."""
        method = scope["method"]
        routes = self._by_method.get(method)
        if routes is None:
            raise MethodNotAllowed(f"{self._path} does not take {method}", tuple(sorted(self._by_method)))
        headers = _end_to_end(scope["headers"])
        return routes, headers, self._clients.identify(headers)

    async def _admit(
        self,
        asked_at: float,
        routes: list[GatedRoute],
        headers: HeaderList,
        caller: Caller,
        scope: Scope,
        receive: Receive,
        variables: dict[str, bytes],
    ) -> Admitted:
        scope[DROP_HEADERS] = _WISHES if caller.key_header is None else _WISHES | {caller.key_header}
        declared = _declared_length(headers)
        if declared is not None and declared > self._limit:
            await self._drain_announced(scope, headers, receive)
            raise self._too_large()
        body: bytes | None = None
        if self._by_model:
            # Where the model decides, the body must be read whole to know whose it is.
            body, receive = await self._read(receive, declared, self._limit)
        elif routes[0].middleware.reads_bodies:
            body, receive = await self._read(receive, declared, routes[0].max_body)
        else:
            more = _has_body(scope["http_version"], declared, headers)
            receive = self._replay([], more, declared, receive)  # streams on, within the server's bounds
        request = Request(
            method=scope["method"],
            path=scope["raw_path"],
            query_string=scope["query_string"],
            headers=headers,
            body=body or b"",
            path_params=decode_variables(variables) if variables else {},
            upstream_path=b"",
            client=caller.identity,
            asked_at=asked_at,
        )
        route, document = routes[0], None
        if body is not None:
            scope[BODY] = body
            document = Document(body)
            if self._by_model:
                route = self._choose(routes, request, document)
            if len(body) > route.max_body:
                document = None
        if caller.client is not None:
            self._put_on(caller.client, route, request, scope)
        request.upstream_path = route.upstream_path(request.path, variables)
        scope[UPSTREAM_PATH] = request.upstream_path
        scope[UPSTREAM_VARIABLES] = variables
        return Admitted(route, request, document, receive)

    def _forbidden(self, client: Client, routes: str) -> Forbidden:
        self._allowances.forbid(client.name)
        return Forbidden(f"the client {client.name!r} may not use {routes} (clients.routes)")

    def _put_on(self, client: Client, route: GatedRoute, request: Request, scope: Scope) -> None:
        """Raises Forbidden where the model chose a route that this client may not use."""
        if not client.may_use(route.name):
            raise self._forbidden(client, f"the route {route.name!r}")
        scope[CALLER] = client.name
        if client.limits is not None and client.limits.metered:
            scope[ACCOUNT] = Account(client.name, client.limits, request)

    def _choose(self, routes: list[GatedRoute], request: Request, document: Document) -> GatedRoute:
        """The first route whose `models` match (case matters); one without takes any."""
        model = None
        for route in routes:
            if not route.models:
                return route
            model = first_value(route.model, request, document.holder)
            if any(each.pattern.fullmatch(str(model)) for each in route.models if model is not None):
                return route
        named = "a request without a model" if model is None else f"the model {str(model)[:100]!r}"
        raise NoRoute(f"no route of {self._path} takes {named}")

    def _too_large(self) -> RequestTooLarge:
        return RequestTooLarge(f"the request body exceeds server.max_request_body ({self._limit} bytes)")

    async def _read(self, receive: Receive, declared: int | None, keep_at_most: int) -> tuple[bytes | None, Receive]:
        """The whole body if it is at most `keep_at_most` bytes, else None and a receive that plays it from its start."""
        message = await self._next(receive)
        body: bytes = message.get("body", b"")
        # A server may announce more even after the last byte; where the length was declared, no need to ask.
        more = message.get("more_body", False) and len(body) != declared
        if not more and len(body) <= keep_at_most:
            return body, receive
        chunks, size = [body], len(body)
        while more and size <= keep_at_most:
            message = await self._next(receive)
            more = message.get("more_body", False) and size + len(message.get("body", b"")) != declared
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        if size > self._limit:
            await self._drain(receive)
            raise self._too_large()
        if size <= keep_at_most:
            return b"".join(chunks), receive
        return None, self._replay(chunks, more, declared, receive)

    def _replay(self, chunks: list[bytes], more: bool, declared: int | None, receive: Receive) -> Receive:
        """Play what was read, then the rest, refusing it beyond the server's bounds. After the body's end whoever receives
        waits for the client to leave, for as long as it likes."""
        size = sum(map(len, chunks))
        ended = not more or size == declared

        async def play() -> Message:
            nonlocal size, ended
            if chunks:
                body = b"".join(chunks)
                chunks.clear()
                return {"type": "http.request", "body": body, "more_body": more}
            if ended:
                return await receive()
            message = await self._next(receive)
            size += len(message.get("body", b""))
            if size > self._limit:
                await self._drain(receive)
                raise self._too_large()
            ended = not message.get("more_body", False) or size == declared
            return message

        return play

    async def _drain_announced(self, scope: Scope, headers: HeaderList, receive: Receive) -> None:
        """Of a body that is refused unread. Who expects a word first sends nothing yet."""
        announced = _has_body(scope["http_version"], _declared_length(headers), headers)
        if announced and not any(name == b"expect" for name, _ in headers):
            await self._drain(receive)

    async def _drain(self, receive: Receive) -> None:
        """Read on for a little: a client that is still sending when the connection closes never sees the answer."""
        size = 0
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while size < DRAIN_BYTES:
                    message = await receive()
                    size += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return
        except TimeoutError:
            return

    async def _next(self, receive: Receive) -> Message:
        message = await self._patience.receive(receive)
        if message["type"] == "http.disconnect":
            raise RequestBroken("the request body ended before it was whole, or its framing cannot be read")
        return message


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """The headers that an upstream will see. What `Connection` names goes no further than here (RFC 9110, 7.6.1): were it
    part of a key, an answer that was given without it would be stored as one that was given with it."""
    found = list(headers)
    named = named_by_connection(found)
    return [pair for pair in found if pair[0] not in named] if named else found


def _has_body(version: str, declared: int | None, headers: HeaderList) -> bool:
    """HTTP/1 announces a body (RFC 9112, 6.3), HTTP/2 need not."""
    if declared is not None:
        return declared > 0
    return version not in ("1.0", "1.1") or any(name == b"transfer-encoding" for name, _ in headers)


def _declared_length(headers: HeaderList) -> int | None:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return None
