"""ReverseProxy: a plain ASGI app that asks its upstreams in order and passes the answer on, piece by piece.

Before an answer's head: tries, then fallbacks (`tries`); if all fail, the last answer there was, else an UpstreamError
for the front to word. After the head nothing can be mended: the same errors leave the app, and the server cuts the
client's connection, so that a broken answer never looks like a whole one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.core.asgi import (
    BODY,
    DROP_HEADERS,
    FINISH,
    TRACE,
    UPSTREAM,
    UPSTREAM_PATH,
    UPSTREAM_VARIABLES,
    Receive,
    Scope,
    Send,
)
from gateway.core.connection import NOTHING
from gateway.core.ports import Emit
from gateway.errors import AmbiguousRequest, UpstreamError
from gateway.proxy.body import PIECE, Held, RequestBody, Streamed, read_whole, receive_piece
from gateway.proxy.departure import Departure
from gateway.proxy.forwarding import Introducer
from gateway.proxy.headers import Framing, read_framing, text
from gateway.proxy.tries import Taken, Target, take_answer
from gateway.proxy.upstream import Call

__all__ = ["ReverseProxy", "Target"]


class ReverseProxy:
    """Forwards to `targets`: the first is asked, the others stand in for it in order.

    What the front may say in the scope, and what the proxy answers there, is listed in `gateway.core.asgi`. Sources
    may be shared between proxies; whoever made them closes them, `close` is for a proxy that has them to itself.
    `introducer` says how upstreams are told who called; without one, nobody in front is trusted.
    """

    def __init__(self, targets: tuple[Target, ...], emit: Emit, introducer: Introducer | None = None) -> None:
        self._targets = targets
        self._emit = emit
        self._introducer = introducer or Introducer()

    async def close(self) -> None:
        for target in self._targets:
            await target.source.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises UpstreamError and what is below it, AmbiguousRequest, RequestBroken, and what `receive` raises
        (ClientError). Returns without having sent a whole answer only when the client has left."""
        task = asyncio.current_task()
        assert task is not None
        still_wanted: Callable[[], bool] = scope.get(FINISH) or _never
        gone = cut = False

        def cut_unless_wanted() -> bool:
            nonlocal gone, cut
            gone = True
            if not still_wanted():
                cut = True
                task.cancel()
            return cut

        departure: Departure | None = None
        taken: Taken | None = None
        try:
            framing = read_framing(scope["headers"])
            if not framing.host and scope["http_version"] == "1.1":
                raise AmbiguousRequest("the request names no Host (RFC 9112, 3.2)")
            body = await _body(scope, receive, framing)
            departure = Departure(receive, body, cut_unless_wanted)
            call = self._call(scope, framing, body)
            taken = await take_answer(self._targets, call, scope.get(UPSTREAM_VARIABLES) or {}, self._emit)
            scope[UPSTREAM] = taken.target
            answer = taken.answer
            piece = answer.here()
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            while not answer.ended():
                # A first piece that is empty still sends the head on its way: servers wait for a body message.
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await answer.more()
                if gone and not still_wanted():
                    return
            await send({"type": "http.response.body", "body": piece, "more_body": False})
        except UpstreamError:
            if taken is not None:
                taken.broke_off(self._emit)
            raise
        except asyncio.CancelledError:
            if cut and task.uncancel() == 0:
                return
            raise
        finally:
            if departure is not None:
                departure.stop()
            if taken is not None:
                taken.answer.close()

    def _call(self, scope: Scope, framing: Framing, body: RequestBody) -> Call:
        introduction = self._introducer.introduce(scope, text(framing.host))
        return Call(
            scope["method"],
            scope.get(UPSTREAM_PATH) or scope["raw_path"],
            scope["query_string"],
            scope["headers"],
            scope.get(DROP_HEADERS, NOTHING) | introduction.replaced,
            introduction.fields,
            body,
            scope.get(TRACE),
        )


def _never() -> bool:
    return False


async def _body(scope: Scope, receive: Receive, framing: Framing) -> RequestBody:
    if (data := scope.get(BODY)) is not None:
        return Held(data)
    length = framing.content_length
    # HTTP/2 need not announce a body.
    if length is None and not framing.chunked and scope["http_version"] in ("1.0", "1.1"):
        return Held(b"")
    if length is not None and length <= PIECE:
        return Held(await read_whole(receive, length))
    first, more = await receive_piece(receive)
    return Streamed(first, receive, length) if more else Held(first)
