"""One upstream: its pool of connections, and one try at an answer. All that aiohttp may raise is translated here.

A try ends in an Answer (whatever its status) or a Failure before the answer's head; who tries again, and where, is
decided in `tries`. The request target and the headers reach the wire as the client wrote them: aiohttp is told to
re-quote, decode, add and follow nothing.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

import aiohttp
import msgspec
from aiohttp import hdrs
from yarl import URL

from gateway.errors import RequestTimeout, UpstreamError, UpstreamTimeout
from gateway.proxy.answer import Answer
from gateway.proxy.body import Deadline, RequestBody
from gateway.proxy.breaker import Breaker
from gateway.proxy.connections import Connector, Usage, tls_context
from gateway.proxy.forwarding import via
from gateway.proxy.headers import CONTROL, NOT_FORWARDED, TOKEN, request_headers, response_headers, text

MAX_HEADER = 65536
MAX_HEADERS = 1000
URLS_REMEMBERED = 512


CONNECT = "connect"
TIMEOUT = "timeout"
PROTOCOL = "protocol"


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests go. Header names are lower-case; times are seconds; `attempts` counts all tries.

    `retry_on` holds "connect" (no connection, or it broke before the answer's head), "timeout" (no head in time) and
    statuses; `max_wait` is the longest pause that a Retry-After may ask for. `remove_headers` are fields of the client's
    that do not pass. The `breaker_` fields are Breaker's. A path in `url` is put before the request's; user and password
    in it become an Authorization header. `ca` is a PEM file ("": the system's), `proxy` an http:// URL ("": none),
    `connections` the most open at once.
    """

    name: str
    url: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    remove_headers: frozenset[bytes] = frozenset()
    connect_timeout: float = 5.0
    first_byte_timeout: float = 60.0
    idle_timeout: float = 60.0
    attempts: int = 1
    retry_on: frozenset[str | int] = frozenset((CONNECT, 502, 503, 504))
    max_wait: float = 2.0
    breaker_failures: int = 10
    breaker_pause: float = 1.0
    breaker_longest: float = 15.0
    verify: bool = True
    ca: str = ""
    proxy: str = ""
    connections: int = 512
    # uvicorn and Node close a connection that was idle for 5 s. Leaving it before they do keeps a request from being
    # written into a closing connection, which for a POST cannot be repaired (RFC 9110, 9.2.2). httpx and the SDKs on it
    # give connections up after 5 s as well, so the gateway reconnects hardly more often than its clients would.
    keepalive: float = 4.0


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request for an upstream. `path` and `query` are raw bytes; `dropped` names headers not to forward, `added` are
    those that tell who called, names in lower case; `trace` as `core.asgi.TRACE` has it."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...] | list[tuple[bytes, bytes]]
    dropped: frozenset[bytes]
    added: list[tuple[str, str]]
    body: RequestBody
    trace: Callable[[str], list[tuple[str, str]]] | None = None


class Failure(msgspec.Struct, frozen=True):
    """No answer. `kind` is what `retry_on` may hold, or "protocol"; `sent`: the upstream may have acted on the request."""

    kind: str
    error: UpstreamError
    sent: bool


class Source(Protocol):
    """What can answer a call: a pool of connections to an upstream, or a fixed answer."""

    @property
    def name(self) -> str: ...

    @property
    def attempts(self) -> int: ...

    @property
    def retry_on(self) -> frozenset[str | int]: ...

    @property
    def max_wait(self) -> float: ...

    @property
    def breaker(self) -> Breaker: ...

    async def ask(self, call: Call) -> Answer | Failure: ...

    async def close(self) -> None: ...


class Pool:
    """The connections to one upstream, made on the first call, and its breaker; shared by all routes that name it.

    Raises ValueError where the upstream cannot be used as it is written, OSError where its `ca` cannot be read.
    `clock` is a monotonic clock in seconds.
    """

    def __init__(self, upstream: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        url = _http_url("url", upstream.url)
        if upstream.proxy:
            _http_url("proxy", upstream.proxy)
        self.name = upstream.name
        self.attempts = upstream.attempts
        self.retry_on = upstream.retry_on
        self.max_wait = upstream.max_wait
        self.breaker = Breaker(upstream.breaker_failures, upstream.breaker_pause, upstream.breaker_longest, clock)
        self._upstream = upstream
        self._base = str(url.with_user(None).with_query(None).with_fragment(None)).rstrip("/")
        own = _own_headers(upstream, url)
        self._own = [(name.decode("ascii"), text(value)) for name, value in own]
        self._unwanted = NOT_FORWARDED | {name for name, _ in own} | upstream.remove_headers
        self._untold = {name.decode("latin-1") for name in self._unwanted}
        self._tls = tls_context(upstream.ca, verify=upstream.verify) if url.scheme == "https" else True
        self._url = lru_cache(URLS_REMEMBERED)(self._build_url)
        self._idle = upstream.idle_timeout if upstream.idle_timeout != upstream.first_byte_timeout else None
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def ask(self, call: Call) -> Answer | Failure:
        """One try. Raises what went wrong on the client's side while its body was streamed: a ClientError."""
        session = self._session or self._open()
        headers = request_headers(call.headers, self._unwanted, call.dropped)
        headers += [field for field in call.added if field[0] not in self._untold]
        headers += self._own
        url = self._url(call.path, call.query)
        body = call.body
        usage = Usage()
        try:
            if (whole := body.whole) is not None:
                response = await session.request(
                    call.method, url, headers=headers, data=whole or None, allow_redirects=False
                )
            else:
                response = await self._send_large(session, call.method, url, headers, body)
        except (aiohttp.ClientError, TimeoutError) as error:
            if body.trouble is not None:
                raise body.trouble from error
            return self._failure(error, stale=usage.was_stale())
        if response.status == 101:
            response.close()
            fault = UpstreamError(f"upstream {self.name!r} switched protocols unasked", self.name)
            return Failure(PROTOCOL, fault, sent=True)
        if self._idle is not None and (connection := response.connection) is not None:
            # sock_read has waited for the head; from here on it measures the gaps in the body.
            protocol = connection.protocol
            assert protocol is not None
            protocol.read_timeout = self._idle
            protocol.start_timeout()
        try:
            answered = response_headers(response.raw_headers)
        except ValueError as error:
            response.close()
            fault = UpstreamError(f"upstream {self.name!r}: its answer cannot be read: {error}", self.name)
            return Failure(PROTOCOL, fault, sent=True)
        answered.append((b"via", _via(response.version)))
        return Answer(self.name, response.status, answered, response=response)

    async def close(self) -> None:
        """Close all connections; calls in flight break."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _send_large(
        self, session: aiohttp.ClientSession, method: str, url: URL, headers: list[tuple[str, str]], body: RequestBody
    ) -> aiohttp.ClientResponse:
        if body.content_length is not None:
            headers.append((hdrs.CONTENT_LENGTH, str(body.content_length)))
        timer = asyncio.timeout(None)
        deadline = Deadline(timer, self._upstream.idle_timeout, self._upstream.first_byte_timeout)
        try:
            async with timer:
                return await session.request(
                    method, url, headers=headers, data=body.pieces(deadline), allow_redirects=False
                )
        except TimeoutError as error:
            if timer.expired() and deadline.client_is_due:
                raise RequestTimeout("the request body stopped arriving") from error
            raise
        finally:
            deadline.lift()

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise UpstreamError(f"upstream {self.name!r}: its connections are closed", self.name)
        upstream = self._upstream
        self._session = aiohttp.ClientSession(
            connector=Connector(limit=upstream.connections, keepalive_timeout=upstream.keepalive, ssl=self._tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=upstream.connect_timeout, sock_read=upstream.first_byte_timeout
            ),
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE),
            auto_decompress=False,
            trust_env=False,
            proxy=upstream.proxy or None,
            max_line_size=MAX_HEADER,
            max_field_size=MAX_HEADER,
            max_headers=MAX_HEADERS,
        )
        return self._session

    def _build_url(self, path: bytes, query: bytes) -> URL:
        target = self._base + text(path)
        return URL(f"{target}?{text(query)}" if query else target, encoded=True)

    def _failure(self, error: aiohttp.ClientError | TimeoutError, *, stale: bool) -> Failure:
        kind, sent = CONNECT, False
        match error:
            case aiohttp.ConnectionTimeoutError():
                detail = f": no connection within {self._upstream.connect_timeout:g} s (timeout.connect)"
            case TimeoutError():
                kind, sent = TIMEOUT, True
                detail = f": no answer within {self._upstream.first_byte_timeout:g} s (timeout.first_byte)"
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
                detail = f": TLS failed: {_reason(error)}"
            case aiohttp.ClientConnectorError():
                detail = f": no connection: {_reason(error)}"
            case aiohttp.ClientHttpProxyError():
                detail = f": its proxy refused the connection with status {error.status}"
            case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
                kind, sent = PROTOCOL, True
                detail = ": its answer is not valid HTTP"
            case _:
                sent = not stale
                detail = ": closed the connection before its answer"
        fault = UpstreamTimeout if isinstance(error, TimeoutError) else UpstreamError
        return Failure(kind, fault(f"upstream {self.name!r}{detail}", self.name), sent)


def _reason(error: aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else error.os_error
    return f"{error.host}:{error.port}: {cause}"


def _via(version: aiohttp.HttpVersion | None) -> bytes:
    return via("1.1" if version is None else f"{version.major}.{version.minor}").encode()


def _http_url(setting: str, value: str) -> URL:
    url = URL(value)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"{setting}: not an http:// or https:// URL")
    return url


def _own_headers(upstream: Upstream, url: URL) -> tuple[tuple[bytes, bytes], ...]:
    """The headers to set. User and password of the URL are taken out of it: aiohttp would refuse a client's own
    Authorization beside them."""
    for name, value in upstream.headers:
        if not TOKEN.fullmatch(name) or CONTROL.search(value):
            # Never the value: it may be a secret (one that was read from a file with its last newline, say).
            raise ValueError(f"headers.{text(name)}: its name or value may not stand in a header")
    if not url.user or any(name == b"authorization" for name, _ in upstream.headers):
        return upstream.headers
    pair = base64.b64encode(f"{url.user}:{url.password or ''}".encode())
    return (*upstream.headers, (b"authorization", b"Basic " + pair))
