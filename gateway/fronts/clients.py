"""Who calls: declared clients by the hash of their key, or, where none are declared, the credentials as presented."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256

from gateway.core.asgi import HeaderList
from gateway.core.keys import frame
from gateway.errors import Unauthorized

# Headers by which the covered APIs authenticate their callers.
CREDENTIALS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
BEARER = b"bearer "


class Caller:
    """`identity` is who calls, for `scope: client` (None: nobody in particular); `key_header` the header that held the
    gateway's own key, which no upstream may see."""

    __slots__ = ("identity", "key_header")

    def __init__(self, identity: bytes | None, key_header: bytes | None) -> None:
        self.identity = identity
        self.key_header = key_header


class Clients:
    """Declared clients: SHA-256 of the key (32 bytes) -> name. Empty: anybody may call."""

    def __init__(self, names: Mapping[bytes, str]) -> None:
        self._names = dict(names)

    def identify(self, headers: HeaderList) -> Caller:
        """Raises Unauthorized where clients are declared and no known key was presented."""
        presented = [(name, value) for name, value in headers if name in CREDENTIALS]
        if not self._names:
            if not presented:
                return _NOBODY
            return Caller(frame(*(part for pair in sorted(presented) for part in pair)), None)
        for header, value in presented:
            name = self._name_of(_key(header, value))
            if name is not None:
                return Caller(name.encode(), header)
        raise Unauthorized(
            "this gateway answers its own clients only: send a client key as `Authorization: Bearer KEY` or `x-api-key`"
        )

    def _name_of(self, key: bytes) -> str | None:
        # Hashes are compared, each in constant time: neither a key's bytes nor their order can be guessed from timing.
        digest = sha256(key).digest()
        for known, name in self._names.items():
            if hmac.compare_digest(known, digest):
                return name
        return None


_NOBODY = Caller(None, None)


def _key(header: bytes, value: bytes) -> bytes:
    if header == b"authorization":
        return value[len(BEARER) :].strip() if value[: len(BEARER)].lower() == BEARER else b""
    return value.strip()
