"""Extractors: where in a request a value is. One string names one place; a list of strings is an `Extractors`.

`$...` reads the body, `header:`, `query:` and `path:` read the rest of the request. Inside a program there are two more:
`state:` reads what its own authentication left there, `given:` is what a callable in its settings gave. Nothing is
guessed: a value that is absent, null or empty is no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from gateway.core.jsonpath import JsonPath, compile_path
from gateway.core.keys import canonical

if TYPE_CHECKING:
    from gateway.core.messages import Request

KINDS = ("header", "query", "path", "state", "given")
INSIDE = ("state:", "given:")
"""What only a program's own settings can have: no request that a gateway gets says it."""


class Header(msgspec.Struct, frozen=True):
    text: str
    name: bytes

    def values(self, request: Request, _holder: list[object] | None) -> list[object]:
        return [value.decode("latin-1") for name, value in request.headers if name == self.name and value.strip()]


class Query(msgspec.Struct, frozen=True):
    text: str
    name: str

    def values(self, request: Request, _holder: list[object] | None) -> list[object]:
        return [value for name, value in query_parameters(request.query_string) if name == self.name]


class PathParameter(msgspec.Struct, frozen=True):
    text: str
    name: str

    def values(self, request: Request, _holder: list[object] | None) -> list[object]:
        value = request.path_params.get(self.name)
        return [value] if value else []


class Body(msgspec.Struct, frozen=True):
    text: str
    path: JsonPath

    def values(self, _request: Request, holder: list[object] | None) -> list[object]:
        return [] if holder is None else self.path.values(holder)


class State(msgspec.Struct, frozen=True):
    """`names` lead to the value, each an item of a mapping or an attribute."""

    text: str
    names: tuple[str, ...]

    def values(self, request: Request, _holder: list[object] | None) -> list[object]:
        node = request.state
        for name in self.names:
            node = node.get(name) if isinstance(node, Mapping) else getattr(node, name, None)
        return _comparable(node)


class Given(msgspec.Struct, frozen=True):
    """What the callable of the setting `name` gave for this request."""

    text: str
    name: str

    def values(self, request: Request, _holder: list[object] | None) -> list[object]:
        return _comparable((request.given or {}).get(self.name))


Extractor: TypeAlias = Header | Query | PathParameter | Body | State | Given
Extractors: TypeAlias = tuple[Extractor, ...]


def compile_extractor(text: str) -> Extractor:
    """Compile one extractor. Raises ValueError saying what is wrong and what would be right."""
    if text.startswith("$"):
        return Body(text, compile_path(text))
    kind, colon, name = text.partition(":")
    if not colon or kind not in KINDS or not name:
        raise ValueError("expected a JSONPath like `$.a.b`, `header:Name`, `query:name` or `path:name`")
    match kind:
        case "header":
            return Header(text, name.lower().encode("latin-1"))
        case "query":
            return Query(text, name)
        case "state":
            return State(text, tuple(name.split(".")))
        case "given":
            return Given(text, name)
        case _:
            return PathParameter(text, name)


def compile_extractors(texts: str | tuple[str, ...] | None) -> Extractors:
    """Compile one extractor or a list of them; None gives none."""
    if texts is None:
        return ()
    return tuple(compile_extractor(text) for text in ([texts] if isinstance(texts, str) else texts))


def query_parameters(query_string: bytes) -> list[tuple[str, str]]:
    """Decoded (name, value) pairs in order; bytes that are not UTF-8 keep their identity (surrogateescape)."""
    return parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="surrogateescape")


def _comparable(value: object) -> list[object]:
    """A program's own value, where it can be compared with another request's: of some objects nothing says what they are."""
    try:
        if value is not None:
            as_bytes(value)
    except (TypeError, ValueError, RecursionError):
        return []
    return [value]


def has_value(value: object) -> bool:
    return value is not None and value != ""


def as_bytes(value: object) -> bytes:
    """A value as canonical bytes; a string and a number that look alike stay apart."""
    if isinstance(value, str):
        return b'"' + value.encode("utf-8", "surrogateescape")
    return canonical(value)


def first_value(extractors: Extractors, request: Request, holder: list[object] | None) -> object:
    """The first value of the first extractor that has one, else None."""
    for extractor in extractors:
        for value in extractor.values(request, holder):
            if has_value(value):
                return value
    return None


def is_present(extractors: Extractors, request: Request, holder: list[object] | None) -> bool:
    """Does any extractor find anything but null and false, the APIs' ways of saying "not asked for"?"""
    for extractor in extractors:
        for value in extractor.values(request, holder):
            if value is not None and value is not False:
                return True
    return False
