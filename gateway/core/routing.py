"""Method + raw path -> the handler of a route group. The most specific path wins; bytes are compared as they came.

Exact paths are one dict look-up. Templates (`/models/{model}:generate`) and prefixes (`/files/*`) are tried from the most
specific on, segment by segment: plain text before text with a variable, a variable before the rest.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

T = TypeVar("T")

# `.` and `..` as segments, in all their spellings; parameters after `;` do not hide them from every server, and some decode
# `%2f`, or take a backslash for a slash, before they resolve them.
_DOTS = re.compile(rb"(?:[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[;?/\\]|%2f|%5c|%3b|\Z)", re.IGNORECASE)
_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class PathTemplate(msgspec.Struct, frozen=True):
    """A compiled path. `order` sorts the most specific first."""

    text: str
    pattern: re.Pattern[bytes]
    names: tuple[str, ...]
    order: tuple[tuple[int, int], ...]

    def match(self, raw_path: bytes) -> dict[str, bytes] | None:
        """The raw bytes of the path's variables if it matches, else None."""
        found = self.pattern.fullmatch(raw_path)
        return None if found is None else dict(zip(self.names, found.groups(), strict=True))


def is_exact(path: str) -> bool:
    return not path.endswith("/*") and _VARIABLE.search(path) is None


def compile_template(path: str) -> PathTemplate:
    """Compile a path with `{name}` within segments and perhaps a final `/*` (the rest, which may be empty)."""
    body, rest = (path[:-2], True) if path.endswith("/*") else (path, False)
    pieces = _VARIABLE.split(body)
    literals, names = pieces[::2], tuple(pieces[1::2])
    pattern = b"([^/]+?)".join(re.escape(literal.encode()) for literal in literals)
    if rest:
        pattern += b"/.*"
    order = (*(_segment_order(segment) for segment in body.split("/")), *([_REST] if rest else []))
    return PathTemplate(path, re.compile(pattern, re.DOTALL), names, order)


_REST = (2, 0)


def _segment_order(segment: str) -> tuple[int, int]:
    if _VARIABLE.search(segment) is None:
        return (0, 0)
    return (1, -len(_VARIABLE.sub("", segment)))


class Router(Generic[T]):
    """Maps paths to groups of routes."""

    def __init__(self, groups: dict[str, T]) -> None:
        self._exact = {path.encode(): group for path, group in groups.items() if is_exact(path)}
        templates = [(compile_template(path), group) for path, group in groups.items() if not is_exact(path)]
        self._templates = sorted(templates, key=lambda pair: (pair[0].order, pair[0].text))

    def find(self, raw_path: bytes) -> tuple[T, dict[str, bytes]] | None:
        """The group of this raw path (no query string) and its path variables, or None."""
        group = self._exact.get(raw_path)
        if group is not None:
            return group, {}
        if (b"." in raw_path or b"%2" in raw_path) and _DOTS.search(raw_path):
            return None  # an upstream that resolves them would serve a path that no route has
        for template, group in self._templates:
            variables = template.match(raw_path)
            if variables is not None:
                return group, variables
        return None


def decode_variables(variables: dict[str, bytes]) -> dict[str, str]:
    """Percent-decoded text, for extractors; bytes that are not UTF-8 keep their identity."""
    return {name: unquote_to_bytes(raw).decode("utf-8", "surrogateescape") for name, raw in variables.items()}


def fill_template(template: str, variables: dict[str, bytes]) -> bytes:
    """An upstream path with the client's raw bytes in place of `{name}`."""
    pieces = _VARIABLE.split(template)
    return b"".join(variables[piece] if index % 2 else piece.encode() for index, piece in enumerate(pieces))
