"""How a connection to an upstream is made: its TLS, and whether a request got a new one or one that was kept.

The difference decides what a connection that breaks before its answer means: a kept one may have been closing already
when the request was written to it, and then nobody read the request. Once a byte of an answer came, somebody did.
"""

from __future__ import annotations

import ssl
import time
from contextvars import ContextVar
from functools import partial
from typing import cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

# A kept connection that breaks this soon was being closed when we wrote to it: the upstream's word for it and our request
# passed each other on the way, within about a round trip. Later, the upstream may have been at work on the request.
STALE_WITHIN = 0.25

_made_new: ContextVar[bool] = ContextVar("made_new")
_used: ContextVar[Handler | None] = ContextVar("used")


class Handler(ResponseHandler):
    """Notes whether anything was heard of the upstream since the connection was last taken."""

    taken_at = 0.0
    heard = False

    def data_received(self, data: bytes) -> None:
        self.heard = True
        super().data_received(data)


class Connector(aiohttp.TCPConnector):
    """Notes in the task that makes a request which connection it uses, and whether that was made for it."""

    def __init__(self, *, limit: int, keepalive_timeout: float, ssl: ssl.SSLContext | bool) -> None:
        super().__init__(limit=limit, keepalive_timeout=keepalive_timeout, ssl=ssl)
        self._factory = cast("partial[ResponseHandler]", partial(Handler, loop=self._loop))

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        handler = connection.protocol
        assert isinstance(handler, Handler)
        handler.heard, handler.taken_at = False, time.monotonic()
        _used.set(handler)
        return connection

    async def _create_connection(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the signature is aiohttp's
    ) -> ResponseHandler:
        _made_new.set(True)
        return await super()._create_connection(req, traces, timeout)


class Usage:
    """What one request uses, from now on; of the task that makes it."""

    def __init__(self) -> None:
        _made_new.set(False)
        _used.set(None)

    def was_stale(self) -> bool:
        """To be asked when the connection broke without an answer: was the request lost with a kept connection?"""
        handler = _used.get()
        if handler is None or handler.heard or _made_new.get():
            return False
        return time.monotonic() - handler.taken_at < STALE_WITHIN


def tls_context(ca: str, *, verify: bool) -> ssl.SSLContext:
    """One context for all connections to an upstream: loading the authorities takes milliseconds. Raises OSError."""
    context = ssl.create_default_context(cafile=ca or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
