"""Who calls, and what they may: declared clients by the hash of their key; or, where none are declared, the credentials
as presented.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from gateway.core.asgi import HeaderList, Message, Send
from gateway.core.keys import frame
from gateway.core.messages import Request
from gateway.core.quota import Limit, Limits, Over
from gateway.errors import TooManyRequests, Unauthorized

# Headers by which the covered APIs authenticate their callers.
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
BEARER = b"bearer "


class Client(msgspec.Struct, frozen=True):
    """A declared client: the names of the routes that it may use (None: all), and its limits (None: none)."""

    name: str
    routes: frozenset[str] | None = None
    limits: Limits | None = None

    def may_use(self, *routes: str) -> bool:
        """Any of these?"""
        return self.routes is None or not self.routes.isdisjoint(routes)


class Account(msgspec.Struct, frozen=True):
    """Whom the upstream's answer to this request is put on."""

    client: str
    limits: Limits
    request: Request


class Caller:
    """`identity` is who calls, for `scope: client` (None: nobody in particular); `key_header` the header that held the
    gateway's own key, which no upstream may see; `client` the declared client, if any are declared."""

    __slots__ = ("client", "identity", "key_header")

    def __init__(self, identity: bytes | None, key_header: bytes | None, client: Client | None = None) -> None:
        self.identity = identity
        self.key_header = key_header
        self.client = client


class Clients:
    """Declared clients by the SHA-256 of their key (32 bytes). None: anybody may call."""

    def __init__(self, clients: Mapping[bytes, Client]) -> None:
        self._clients = dict(clients)

    def identify(self, headers: HeaderList) -> Caller:
        """Raises Unauthorized where clients are declared and no known key was presented."""
        presented = [(name, value) for name, value in headers if name in CREDENTIALS]
        if not self._clients:
            if not presented:
                return _NOBODY
            return Caller(frame(*(part for pair in sorted(presented) for part in pair)), None)
        for header, value in presented:
            client = self._client_of(_key(header, value))
            if client is not None:
                return Caller(client.name.encode(), header, client)
        raise Unauthorized(
            "this gateway answers its own clients only: send a client key as `Authorization: Bearer KEY` or `x-api-key`"
        )

    def _client_of(self, key: bytes) -> Client | None:
        # Hashes are compared, each in constant time: neither a key's bytes nor their order can be guessed from timing.
        digest = sha256(key).digest()
        for known, client in self._clients.items():
            if hmac.compare_digest(known, digest):
                return client
        return None


def too_many(client: Client, over: Over) -> TooManyRequests:
    """The error that says what a client is over."""
    assert client.limits is not None
    said = {
        Limit.REQUESTS: f"its {client.limits.requests} requests per minute (limits.requests_per_minute)",
        Limit.TOKENS: f"its {client.limits.tokens} tokens per minute (limits.tokens_per_minute)",
        Limit.DOLLARS: f"its {client.limits.dollars} dollars of this month (limits.dollars_per_month)",
    }
    return TooManyRequests(f"the client {client.name!r} has used {said[over.limit]}", over.limit, over.retry_after)


def announcing(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Sends, with these headers in place of an upstream's of the same names."""
    names = {name for name, _ in headers}

    async def announce(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*(pair for pair in message["headers"] if pair[0] not in names), *headers]
        await send(message)

    return announce


_NOBODY = Caller(None, None)


def _key(header: bytes, value: bytes) -> bytes:
    if header == b"authorization":
        return value[len(BEARER) :].strip() if value[: len(BEARER)].lower() == BEARER else b""
    return value.strip()
