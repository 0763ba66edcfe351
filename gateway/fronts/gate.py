"""The Gate of one path: who calls, how much body, which of the path's routes; then the route's cache takes over.

Routes may share a path and be told apart by method and model, so the body is read here, once, and bounded: over a
route's `max_body` the request streams on uncached, over the server's bound it is refused.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeAlias

import msgspec

from gateway.core.asgi import (
    ACCOUNT,
    BODY,
    CALLER,
    DROP_HEADERS,
    UPSTREAM_PATH,
    UPSTREAM_VARIABLES,
    HeaderList,
    Receive,
    Scope,
    Send,
)
from gateway.core.body import Document
from gateway.core.connection import named_by_connection
from gateway.core.events import Outcome, Served
from gateway.core.extract import Extractors, first_value
from gateway.core.messages import Reason, Request
from gateway.core.models import ModelPattern
from gateway.core.ports import Emit
from gateway.core.quota import Standing
from gateway.core.routing import decode_variables
from gateway.engine.allowance import Allowances
from gateway.errors import Forbidden, MethodNotAllowed, NoRoute, SemgateError
from gateway.fronts.clients import Account, Caller, Client, Clients, announcing, too_many
from gateway.fronts.intake import Intake, declared_length, has_body
from gateway.fronts.problem import send_problem

# Wishes to this cache are not the upstream's business.
_WISHES = frozenset({b"x-cache-threshold", b"x-cache-ttl"})


class Answering(Protocol):
    """What answers a route's requests once they may go on: the cache around its upstream, or what stands in its place."""

    @property
    def reads_bodies(self) -> bool:
        """Does anything there need the request's body?"""

    async def serve(self, request: Request, document: Document, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request whose body has been read."""

    async def bypass(self, reason: Reason, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one whose body was not: it is too large, or nobody needs it."""


Refuse: TypeAlias = Callable[[Scope, Send, SemgateError], Awaitable[None]]


class GatedRoute(msgspec.Struct, frozen=True):
    """One route behind a gate. `upstream_path` maps the raw path and its raw variables to the raw path asked for."""

    name: str
    methods: frozenset[str]
    models: tuple[ModelPattern, ...]
    model: Extractors
    max_body: int
    upstream_path: Callable[[bytes, dict[str, bytes]], bytes]
    middleware: Answering


class Admitted(msgspec.Struct, gc=False):
    """A request that may go on. `document` is None where the body was not read: too large, or nobody needs it."""

    route: GatedRoute
    request: Request
    document: Document | None
    receive: Receive


class Gate:
    """Routes in the order of the file; `intake` reads bodies, `allowances` know what clients with limits have left, `refuse`
    tells a client what is wrong with its request in the words of the route's API."""

    def __init__(
        self,
        path: str,
        routes: tuple[GatedRoute, ...],
        clients: Clients,
        intake: Intake,
        allowances: Allowances,
        emit: Emit,
        refuse: Refuse | None = None,
    ) -> None:
        self._path = path
        self._name = routes[0].name if len(routes) == 1 else ""
        self._by_method: dict[str, list[GatedRoute]] = {}
        for route in routes:
            for method in route.methods:
                self._by_method.setdefault(method, []).append(route)
        self._clients = clients
        self._intake = intake
        self._allowances = allowances
        self._emit = emit
        self._refuse = refuse or _as_problem
        self._by_model = any(route.models for route in routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, variables: dict[str, bytes]) -> None:
        """Answer one request of this path; what is wrong with the request itself becomes problem+json."""
        asked_at = time.time()
        try:
            routes, headers, caller = self._recognise(scope)
            if caller.client is not None:
                scope[CALLER] = caller.client.name
                standing = await self._standing(caller.client, routes, scope, headers, receive)
                if standing is not None:
                    send = announcing(send, standing.headers)
                    await self._hold_back(caller.client, standing, scope, headers, receive)
            admitted = await self._admit(asked_at, routes, headers, caller, scope, receive, variables)
        except SemgateError as error:
            await self._refuse(scope, send, error)
            seconds = max(0.0, time.time() - asked_at)
            self._emit(Served(self._name, Outcome.REFUSED, seconds, error.status, client=scope.get(CALLER)))
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
        declared = declared_length(headers)
        if declared is not None and declared > self._intake.limit:
            await self._intake.drain_announced(scope, headers, receive)
            raise self._intake.too_large()
        body: bytes | None = None
        if self._by_model:
            # Where the model decides, the body must be read whole to know whose it is.
            body, receive = await self._intake.read(receive, declared, self._intake.limit)
        elif routes[0].middleware.reads_bodies:
            body, receive = await self._intake.read(receive, declared, routes[0].max_body)
        else:
            more = has_body(scope["http_version"], declared, headers)
            receive = self._intake.replay([], more, declared, receive)  # streams on, within the server's bounds
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

    async def _standing(
        self, client: Client, routes: list[GatedRoute], scope: Scope, headers: HeaderList, receive: Receive
    ) -> Standing | None:
        """What a client with limits has left, this request counted. Raises Forbidden where it may not use the path at all."""
        if client.routes is not None and not client.may_use(*[route.name for route in routes]):
            await self._intake.drain_announced(scope, headers, receive)
            raise self._forbidden(client, "any route of this path")
        return None if client.limits is None else await self._allowances.admit(client.name, client.limits)

    async def _hold_back(
        self, client: Client, standing: Standing, scope: Scope, headers: HeaderList, receive: Receive
    ) -> None:
        """Raises TooManyRequests where a limit is reached."""
        if standing.over is not None:
            await self._intake.drain_announced(scope, headers, receive)
            raise too_many(client, standing.over)

    def _forbidden(self, client: Client, routes: str) -> Forbidden:
        self._allowances.forbid(client.name)
        return Forbidden(f"the client {client.name!r} may not use {routes} (clients.routes)")

    def _put_on(self, client: Client, route: GatedRoute, request: Request, scope: Scope) -> None:
        """Raises Forbidden where the model chose a route that this client may not use."""
        if not client.may_use(route.name):
            raise self._forbidden(client, f"the route {route.name!r}")
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


async def _as_problem(_scope: Scope, send: Send, error: SemgateError) -> None:
    await send_problem(send, error)


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """The headers that an upstream will see. What `Connection` names goes no further than here (RFC 9110, 7.6.1): were it
    part of a key, an answer that was given without it would be stored as one that was given with it."""
    found = list(headers)
    named = named_by_connection(found)
    return [pair for pair in found if pair[0] not in named] if named else found
