"""The outermost ASGI layer: Litestar answers `/-/`, the current generation's gates their paths, nothing else exists.

It stands in front of Litestar's router, as that one rewrites paths and costs more than a whole exact hit. A request
keeps the generation it began with.
"""

from __future__ import annotations

from gateway.core.asgi import CLIENTS_DOOR, App, Message, Receive, Scope, Send
from gateway.errors import NoRoute, NoWebSockets
from gateway.fronts.problem import send_problem
from gateway.runtime.generation import Generation

ADMIN = b"/-/"
HEALTH = b"/health"
READY = "/-/ready"
# What load balancers ask the clients' own door, and clients may say there.
OPEN = frozenset({b"/-/live", b"/-/ready", b"/-/feedback"})


class Switch:
    """`generation` is None until the gateway has started; then it is replaced by one assignment. With `open_only` nothing
    but the probes and feedback is answered under `/-/`: the rest has a door of its own."""

    def __init__(self, admin: App, *, open_only: bool = False) -> None:
        self.generation: Generation | None = None
        self._admin = admin
        self._open_only = open_only

    def to(self, generation: Generation | None) -> None:
        """New requests go to this generation from now on."""
        self.generation = generation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._admin(scope, receive, send)
            return
        path = scope["raw_path"]
        if path.startswith(ADMIN):
            # Before any route: one like `/*` has no part in it, and its upstream must not see the operator's token.
            if self._open_only and path not in OPEN:
                door = "the operator's door has an address of its own: server.admin.listen"
                await send_problem(send, NoRoute(door))
            else:
                if self._open_only:
                    scope[CLIENTS_DOOR] = True
                await self.operate(scope, receive, send)
            return
        generation = self.generation
        if generation is None:
            await self._admin(scope, receive, send)
            return
        found = generation.router.find(path)
        if found is not None:
            if scope["method"] == "GET" and scope["http_version"] == "1.1" and _asks_for_websockets(scope):
                await send_problem(send, NoWebSockets("semgate passes no WebSockets on; ask over plain HTTP"))
                return
            gate, variables = found
            generation.requests += 1
            try:
                await gate(scope, receive, send, variables)
            finally:
                generation.requests -= 1
                if generation.replaced:
                    generation.left()
        elif path == HEALTH:
            await self.operate({**scope, "path": READY, "raw_path": READY.encode()}, receive, send)
        else:
            shown = path[:200].decode("latin-1")
            await send_problem(send, NoRoute(f"no route has the path {shown!r}; routes.yaml names the ones there are"))

    async def operate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let Litestar answer, which waits for a body as long as it takes: anybody may send one to the form to sign in.
        HEAD, with which some load balancers probe, is a GET without the answer's body."""
        if self.generation is not None and scope["type"] == "http":
            receive = self.generation.patience.until_whole(receive)
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _head_only(send)
        await self._admin(scope, receive, send)


def _head_only(send: Send) -> Send:
    async def sending(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return sending


def _asks_for_websockets(scope: Scope) -> bool:
    """As RFC 6455, 4.1, writes it. Forwarded as a plain GET it would be answered as something else, or with a 405, which
    clients take for a path that is not there; a 426 sends those that can do both back to HTTP at once."""
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in scope["headers"])
