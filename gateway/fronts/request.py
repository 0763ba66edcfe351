"""The request as a program's own callables see it: small, read-only, the same behind every door."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from gateway.core.asgi import ENVIRON, HeaderList, Scope
from gateway.core.extract import query_parameters


class Headers(Mapping[str, str]):
    """Request headers by name, whatever the case; of one that was sent more than once, the values with `, ` between them."""

    def __init__(self, headers: HeaderList) -> None:
        self._values: dict[str, str] = {}
        for raw_name, raw in headers:
            name, value = raw_name.decode("latin-1").lower(), raw.decode("latin-1")
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Request:
    """One request, whose body has been read.

    Attributes:
        method: `POST`.
        path: decoded, as the application's routes have it, without what it is mounted under.
        query: the first value of each query parameter.
        headers: by name, whatever the case.
        body: the bytes as they came.
        state: what the program's own authentication left in `scope["state"]`; None where there is nothing.
        scope: the raw ASGI scope, WSGI environ, or the client's own request.
    """

    __slots__ = ("_headers", "_query_string", "_raw_headers", "body", "method", "path", "scope", "state")

    def __init__(self, scope: Scope, path: str, body: bytes) -> None:
        self.method: str = scope["method"]
        self.path = path
        self.body = body
        self.state: Any = scope.get("state")
        self.scope: Any = scope.get(ENVIRON, scope)
        self._query_string: bytes = scope.get("query_string", b"")
        self._raw_headers: HeaderList = scope["headers"]
        self._headers: Headers | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        if self._headers is None:
            self._headers = Headers(self._raw_headers)
        return self._headers

    @property
    def query(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for name, value in query_parameters(self._query_string):
            found.setdefault(name, value)
        return found

    def json(self) -> Any:
        """The body's JSON value. Raises ValueError where it is none."""
        return msgspec.json.decode(self.body)
