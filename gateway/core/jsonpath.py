"""RFC 9535 JSONPath text -> a compiled path over a decoded body.

Plain paths (`$.messages[-1].content`), which is nearly all of them, become direct access; everything else goes through
the library jsonpath-rfc9535. A document is handed over inside a one-element list, its *holder*, so that the root itself
has a place like any other value and can be replaced.
"""

from __future__ import annotations

import re
from typing import Protocol, TypeAlias

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError, JSONPathNode, JSONPathRecursionError

Place: TypeAlias = tuple["dict[str, object] | list[object]", "str | int"]

# Bodies come from clients: a pattern in a filter would let a body pick the cost of its own look-up.
REFUSED_FUNCTIONS = ("match", "search")

_ENVIRONMENT = JSONPathEnvironment()
for _name in REFUSED_FUNCTIONS:
    _ENVIRONMENT.function_extensions.pop(_name, None)

_PLAIN = re.compile(r"""\$(?:\.[A-Za-z_][A-Za-z0-9_]*|\[(?:0|-?[1-9][0-9]{0,8})\]|\['[^'\\\x00-\x1f]*'\])*""")
_STEP = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_]*)|\[(-?[0-9]+)\]|\['([^']*)'\]""")


class JsonPath(Protocol):
    text: str

    def values(self, holder: list[object]) -> list[object]:
        """Every value the path selects, in document order."""

    def places(self, holder: list[object]) -> list[Place]:
        """Where those values are: (container, key), so that container[key] is the value."""

    def remove(self, holder: list[object]) -> None:
        """Take those values out of their containers."""


class PlainPath:
    """Names and indexes only: at most one value."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str, steps: tuple[str | int, ...]) -> None:
        self.text = text
        self._steps = steps

    def values(self, holder: list[object]) -> list[object]:
        node = holder[0]
        for step in self._steps:
            if type(step) is str:
                if type(node) is not dict or step not in node:
                    return []
                node = node[step]
            elif type(node) is list and type(step) is int and -len(node) <= step < len(node):
                node = node[step]
            else:
                return []
        return [node]

    def places(self, holder: list[object]) -> list[Place]:
        container: dict[str, object] | list[object] = holder
        key: str | int = 0
        for step in self._steps:
            node = container[key]  # type: ignore[index]
            if type(step) is str:
                if type(node) is not dict or step not in node:
                    return []
            elif type(node) is not list or type(step) is not int or not -len(node) <= step < len(node):
                return []
            container, key = node, step
        return [(container, key)]

    def remove(self, holder: list[object]) -> None:
        if len(self._steps) == 1 and type(holder[0]) is dict:
            holder[0].pop(self._steps[0], None)  # nearly always; an index finds nothing there
            return
        for container, key in self.places(holder):
            del container[key]  # type: ignore[arg-type]


class GeneralPath:
    """Wildcards, slices, filters, descendants: the library's business. Requests nest 100 deep at most (see body); of an
    answer that nests deeper, descendants raise RecursionError."""

    __slots__ = ("_query", "text")

    def __init__(self, text: str) -> None:
        try:
            self._query = _ENVIRONMENT.compile(text)
        except JSONPathError as error:
            # Without its own line and column: those of the routes file are told.
            raise ValueError(str(error).splitlines()[0].partition(", line ")[0]) from None
        self.text = text

    def values(self, holder: list[object]) -> list[object]:
        return [match.value for match in self._matches(holder)]

    def places(self, holder: list[object]) -> list[Place]:
        found: list[Place] = []
        for match in self._matches(holder):
            container: dict[str, object] | list[object] = holder
            key: str | int = 0
            for part in match.location:
                container, key = container[key], part  # type: ignore[index,assignment]
            found.append((container, key))
        return found

    def _matches(self, holder: list[object]) -> list[JSONPathNode]:
        try:
            return list(self._query.finditer(holder[0]))  # type: ignore[arg-type]
        except JSONPathRecursionError as error:
            raise RecursionError(f"{self.text}: the document nests too deep for it") from error

    def remove(self, holder: list[object]) -> None:
        # From the back, so that taking out one element of an array does not move the next; once each, as a path may
        # select a place twice.
        places = {(id(container), key): container for container, key in self.places(holder)}
        for (_, key), container in reversed(places.items()):
            del container[key]  # type: ignore[arg-type]


def compile_path(text: str) -> JsonPath:
    """Compile one JSONPath. Raises ValueError saying what is wrong with it."""
    if _PLAIN.fullmatch(text):
        steps: list[str | int] = []
        for name, index, quoted in _STEP.findall(text):
            steps.append(int(index) if index else name or quoted)
        return PlainPath(text, tuple(steps))
    for function in REFUSED_FUNCTIONS:
        if re.search(rf"\b{function}\s*\(", text):
            raise ValueError(f"the function {function}() is not allowed: a pattern's cost has no bound")
    return GeneralPath(text)
