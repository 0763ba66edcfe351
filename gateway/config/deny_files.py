"""The files that `deny:` names -> the questions in them: read together with the routes file, so that a changed line is a
changed setting, and watched like any file that settings come from.

Nothing raises for what is in a file or for one that cannot be read: that is among the problems.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from gateway.config.model import File, Route
from gateway.config.model_deny import Deny
from gateway.config.problem import Place, Problem, json_path
from gateway.config.tree import UNPRINTABLE, Mapping, Scalar, find
from gateway.config.words import shown
from gateway.core.denial import LONGEST_QUESTION

MAX_BYTES = 4 << 20
"""Of one file."""
MOST_QUESTIONS = 10_000
"""Of one file."""


class ReadDeny(Deny, frozen=True, kw_only=True):
    """One whose file was read: `questions` are its lines."""

    questions: tuple[str, ...] = ()


def questions_of(deny: Deny) -> tuple[str, ...]:
    """The questions that it denies."""
    if isinstance(deny, ReadDeny):
        return deny.questions
    return () if deny.text is None else (deny.text,)


class DenyFiles(msgspec.Struct, frozen=True):
    """`file` has every `deny` entry with its questions; `broken` are the places of files that could not be read."""

    file: File
    watched: tuple[Path, ...]
    problems: list[Problem]
    broken: frozenset[Place]


def read_deny_files(file: File, written: Mapping, main: Path) -> DenyFiles:
    """Relative paths start at the folder of the file that names them, `main` or one that it includes."""
    reader = _Reader(written, main)
    deny = reader.entries(("deny",), file.deny)
    routes = tuple(
        _with(route, reader.entries(("routes", index, "deny"), route.deny)) for index, route in enumerate(file.routes)
    )
    if reader.read:
        file = msgspec.structs.replace(file, deny=deny, routes=routes)
    return DenyFiles(file, tuple(reader.watched), reader.problems, frozenset(reader.broken))


def _with(route: Route, deny: tuple[Deny, ...]) -> Route:
    return msgspec.structs.replace(route, deny=deny) if deny else route


class _Unfit(Exception):
    """The text says what is wrong with a file or a line of it."""


class _Reader:
    def __init__(self, written: Mapping, main: Path) -> None:
        self.problems: list[Problem] = []
        self.watched: dict[Path, None] = {}
        self.broken: set[Place] = set()
        self.read = False
        self._written = written
        self._main = main

    def entries(self, place: Place, entries: tuple[Deny, ...]) -> tuple[Deny, ...]:
        return tuple(self._entry((*place, index, "file"), entry) for index, entry in enumerate(entries))

    def _entry(self, at: Place, entry: Deny) -> Deny:
        node = find(self._written, at)
        if entry.file is None or not isinstance(node, Scalar):
            return entry
        folder = Path(node.file).parent if node.file else self._main.parent
        try:
            path = folder / Path(entry.file).expanduser()
        except RuntimeError:  # `~nobody/x`: no such user, so it is a name like others
            path = folder / entry.file
        try:
            self.watched[path] = None
            questions = tuple(_questions(path))
        except _Unfit as unfit:
            text = f"`file`: {shown(node, at)}: {unfit}"
            self.problems.append(Problem(json_path(at), node.line, node.column, text, file=node.file))
            self.broken.add(at)
            return entry
        self.read = True
        fields = {name: getattr(entry, name) for name in Deny.__struct_fields__}
        return ReadDeny(**fields, questions=questions)


def _questions(path: Path) -> Iterator[str]:
    """Raises _Unfit."""
    try:
        if Path(os.path.realpath(path)).is_fifo():
            raise _Unfit("it is a pipe")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise _Unfit(f"cannot be read: {said}") from None
    if len(data) > MAX_BYTES:
        raise _Unfit(f"is larger than {MAX_BYTES >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        broken = data.count(b"\n", 0, error.start) + 1
        raise _Unfit(f"line {broken} is not UTF-8") from None
    found = 0
    for number, line in enumerate(text.split("\n"), 1):
        question = line.strip()
        if not question or question.startswith("#"):
            continue
        found += 1
        if found > MOST_QUESTIONS:
            raise _Unfit(f"has more than {MOST_QUESTIONS:,} questions")
        if len(question) > LONGEST_QUESTION:
            raise _Unfit(f"line {number} is longer than {LONGEST_QUESTION:,} characters")
        if UNPRINTABLE.search(question):
            raise _Unfit(f"there is a control character in line {number}")
        yield question
