"""A Problem: one thing that is wrong with a routes file, where it is, and what would be right.

Its text never holds an interpolated value or a secret: it says "the value of ${NAME}" instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

Place: TypeAlias = tuple[str | int, ...]

# One broken alias or a generated file can repeat a mistake thousands of times; nobody reads beyond this many.
MOST_PROBLEMS = 100

_SHORTHAND = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Problem(msgspec.Struct, frozen=True):
    """`path` is a JSONPath like `$.routes[0].thresholds.hit` in `file`, be it the routes file or one that it includes;
    `line` and `column` count from 1 (0: the whole file)."""

    path: str
    line: int
    column: int
    text: str
    hint: str = ""
    level: Literal["error", "warning"] = "error"
    file: str = ""


def json_path(place: Place) -> str:
    """A place in the file as RFC 9535 text."""
    return "$" + "".join(_step(step) for step in place)


def _step(step: str | int) -> str:
    match step:
        case int(index):
            return f"[{index}]"
        case name if _SHORTHAND.fullmatch(name):
            return f".{name}"
        case name:
            return "['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']"


def in_order(problems: Iterable[Problem], files: Iterable[str] = ()) -> tuple[Problem, ...]:
    """Problems by their place, file by file, each once, and no more than anybody would read."""
    rank = {name: index for index, name in enumerate(files)}

    def place(problem: Problem) -> tuple[int, int, int, str]:
        return rank.get(problem.file, 0), problem.line, problem.column, problem.level

    ordered = sorted(dict.fromkeys(problems), key=place)
    if len(ordered) <= MOST_PROBLEMS:
        return tuple(ordered)
    # The rest must not hide an error behind warnings: the closing line says error if any of the rest is one.
    rest = ordered[MOST_PROBLEMS:]
    level: Literal["error", "warning"] = "error" if any(each.level == "error" for each in rest) else "warning"
    more = Problem("$", rest[0].line, rest[0].column, f"and {len(rest)} more problems", level=level, file=rest[0].file)
    return (*ordered[:MOST_PROBLEMS], more)
