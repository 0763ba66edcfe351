"""How a connection to an upstream is made: its TLS, and whether a request got a new one or one that was kept.

The difference decides what a connection that breaks before its answer means: a kept one may have been closing already
when the request was written to it, and then nobody read the request.
"""

from __future__ import annotations

import ssl
import time
from contextvars import ContextVar

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace

# A kept connection that breaks this soon was being closed when we wrote to it: the upstream's word for it and our request
# passed each other on the way. Later, the upstream may have been at work on the request.
STALE_WITHIN = 1.0

_made_new: ContextVar[bool] = ContextVar("made_new")


class Connector(aiohttp.TCPConnector):
    """Notes in the task that makes a request that a connection was made for it."""

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
        self._since = time.monotonic()
        _made_new.set(False)

    def was_stale(self) -> bool:
        """To be asked when the connection broke without an answer: was the request lost with a kept connection?"""
        return not _made_new.get() and time.monotonic() - self._since < STALE_WITHIN


def tls_context(ca: str, *, verify: bool) -> ssl.SSLContext:
    """One context for all connections to an upstream: loading the authorities takes milliseconds. Raises OSError."""
    context = ssl.create_default_context(cafile=ca or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context
