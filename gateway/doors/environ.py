"""A WSGI environ as an ASGI scope, its body piece by piece, and what of it nobody but the server and the app can have said."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from gateway.core.asgi import ENVIRON, HeaderList, Scope

Environ: TypeAlias = dict[str, Any]

STATE = "semgate.state"
"""Where an app's own authentication may leave what `state:` reads: a mapping, or an object with attributes."""
# Bytes that are read of a body at once.
PIECE = 1 << 16
# What a client says itself, besides its headers.
_CLIENTS = frozenset({
    "CONTENT_LENGTH", "CONTENT_TYPE", "PATH_INFO", "PATH_TRANSLATED", "QUERY_STRING", "RAW_URI", "REQUEST_METHOD",
    "REQUEST_URI", "SCRIPT_NAME", "SERVER_PROTOCOL",
})  # fmt: skip
# Where servers leave the path as it came; PEP 3333 has it decoded only.
_RAW = ("RAW_URI", "REQUEST_URI")


def scope_of(environ: Environ) -> Scope:
    """The request as ASGI has it. The environ itself is in it for callables."""
    root, path = _text(environ.get("SCRIPT_NAME", "")), _text(environ.get("PATH_INFO", ""))
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environ["REQUEST_METHOD"],
        "scheme": environ["wsgi.url_scheme"],
        "path": (root + path) or "/",
        "root_path": root,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "headers": headers_of(environ),
        "state": EnvironState(environ),
        ENVIRON: environ,
    }
    raw = next((environ[name] for name in _RAW if str(environ.get(name, "")).startswith("/")), None)
    if raw is not None:
        scope["raw_path"] = raw.partition("?")[0].encode("latin-1")
    return scope


def _text(value: str) -> str:
    """WSGI has the bytes of a path as characters of latin-1."""
    return value.encode("latin-1").decode("utf-8", "replace")


def headers_of(environ: Environ) -> HeaderList:
    """The request's headers, `host` among them whether it was sent or not."""
    headers: HeaderList = []
    for name, value in environ.items():
        if name.startswith("HTTP_") and name not in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
            headers.append((name[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1")))
        elif name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value:
            headers.append((name.replace("_", "-").lower().encode(), value.encode("latin-1")))
    if "HTTP_HOST" not in environ:
        headers.append((b"host", f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}".encode("latin-1")))
    return headers


class EnvironState(Mapping[str, object]):
    """What `state:` finds: in `environ["semgate.state"]`, and else in the environ itself, but for what is the client's own
    word. A key with dots in it is found under its parts."""

    def __init__(self, environ: Environ, before: str = "") -> None:
        self._environ = environ
        self._before = before

    def __getitem__(self, name: str) -> object:
        state = None if self._before else self._environ.get(STATE)
        if state is not None:
            found = state.get(name) if isinstance(state, Mapping) else getattr(state, name, None)
            if found is not None:
                return found
        key = self._before + name
        if key in self._environ and not key.startswith("HTTP_") and key not in _CLIENTS:
            return self._environ[key]
        if any(each.startswith(f"{key}.") for each in self._environ):
            return EnvironState(self._environ, f"{key}.")
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._environ if not key.startswith("HTTP_") and key not in _CLIENTS)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def has_an_end(environ: Environ) -> bool:
    """Is it known where the body ends? Without a length, servers say so where the input itself ends."""
    return bool(environ.get("wsgi.input_terminated")) or "HTTP_TRANSFER_ENCODING" not in environ


class Body:
    """A request's body: read here as far as the cache wants it, and played from its start to whoever comes after."""

    def __init__(self, environ: Environ) -> None:
        """`has_an_end` of it must be so."""
        self._input = environ["wsgi.input"]
        length = environ.get("CONTENT_LENGTH", "")
        self._left = int(length) if str(length).isdigit() else None
        if self._left is None and not environ.get("wsgi.input_terminated"):
            self._left = 0
        self._read: list[bytes] = []
        self._over = self._left == 0

    def read(self) -> tuple[bytes, bool] | None:
        """The next piece, and whether there may be more. None: the client left in the middle of it."""
        piece = self._next(PIECE)
        if not piece and self._left:
            return None
        if piece:
            self._read.append(piece)
        return piece, not self._over

    def again(self) -> Any:
        """What is to be `wsgi.input` of whoever comes after."""
        if not self._read:
            return self._input
        if self._over:
            return io.BytesIO(b"".join(self._read))
        return io.BufferedReader(_Played(self._read, self))

    def _next(self, size: int) -> bytes:
        if self._over:
            return b""
        piece: bytes = self._input.read(size if self._left is None else min(size, self._left))
        if self._left is not None:
            self._left -= len(piece)
        self._over = not piece or self._left == 0
        return piece


class _Played(io.RawIOBase):
    """What was read, then the rest."""

    def __init__(self, read: list[bytes], body: Body) -> None:
        self._first = list(read)
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        piece = self._first.pop(0) if self._first else self._body._next(len(into))
        if len(piece) > len(into):
            self._first.insert(0, piece[len(into) :])
            piece = piece[: len(into)]
        into[: len(piece)] = piece
        return len(piece)
