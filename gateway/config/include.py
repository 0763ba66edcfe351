"""The `include` list of a routes file -> the files that it means, in order, each once.

Looks at folders, never into files. Patterns are matched name by name from the file's folder on; as in a shell, `*` passes over
names that begin with a dot, so that the `..data` links of a Kubernetes volume are not taken for files of their own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Literal

import msgspec

from gateway.config.merge import Part
from gateway.config.problem import Problem, json_path
from gateway.config.tree import Scalar, Sequence
from gateway.config.words import shown

MOST_FILES = 100
MOST_NAMES = 10_000
"""Of one folder."""
MOST_FOLDERS = 100
"""That a pattern looks into; each is looked at again whenever files are watched."""

_WILD = re.compile(r"[*?\[]")


class Included(msgspec.Struct, frozen=True):
    """`files` in the order in which they are read. `watched` are those, named ones that are not there (yet), and the folders
    that patterns look into: a folder changes when a file in it comes or goes."""

    files: tuple[Path, ...]
    watched: tuple[Path, ...]
    problems: list[Problem]


def find_included(main: Part, path: Path) -> Included:
    """What the routes file at `path`, with its `${...}` filled in, includes. Never raises."""
    finder = _Finder(path)
    match main.root.members.get("include"):
        case Sequence(items=items):
            for index, item in enumerate(items):
                # Whatever is no text is a problem of shape.
                if isinstance(item, Scalar) and item.kind() == "text" and ("include", index) not in main.broken:
                    finder.entry(index, item)
        case _:
            pass
    return Included(tuple(finder.files.values()), tuple(finder.watched), finder.problems)


class _Unreadable(Exception):
    """A pattern cannot be followed; the text says why."""


class _Finder:
    def __init__(self, main: Path) -> None:
        self.problems: list[Problem] = []
        self.watched: dict[Path, None] = {}
        # By their real paths, so that two names of one file are one.
        self.files: dict[Path, Path] = {}
        self._main = main
        self._real = _real(main)
        self._full = False

    def entry(self, index: int, item: Scalar) -> None:
        if not item.text.strip():
            self._note(index, item, f"{shown(item, ('include', index))} names no file")
        elif "**" in item.text:
            self._note(index, item, "`**` is not supported", "name each folder, or use `*` for one")
        elif _WILD.search(item.text):
            self._pattern(index, item)
        else:
            self._named(index, item)

    def _named(self, index: int, item: Scalar) -> None:
        path = self._main.parent / _expanded(item.text)
        if _is(S_ISDIR, path):
            hint = "write which of its files, like `routes.d/*.yaml`"
            self._note(index, item, f"{shown(item, ('include', index))} is a folder", hint)
            return
        self.watched[path] = None
        if not _is(S_ISREG, path):
            self._note(index, item, f"{shown(item, ('include', index))}: there is no such file")
        elif _real(path) == self._real:
            self._note(index, item, "a routes file cannot include itself", "leave it out")
        else:
            self._take(index, item, path)

    def _pattern(self, index: int, item: Scalar) -> None:
        try:
            found = self._followed(_expanded(item.text).parts)
        except _Unreadable as error:
            self._note(index, item, f"{shown(item, ('include', index))}: {error}")
            return
        files = [path for path in sorted(found) if _is(S_ISREG, path) and _real(path) != self._real]
        if not files:
            text = f"{shown(item, ('include', index))} matches no file"
            self._note(index, item, text, "files that come later are noticed", level="warning")
        for path in files:
            self._take(index, item, path)

    def _followed(self, steps: Iterable[str]) -> list[Path]:
        found = [self._main.parent]
        for step in steps:
            if len(found) > MOST_FOLDERS:
                raise _Unreadable(f"it looks into more than {MOST_FOLDERS} folders")
            found = [match for folder in found for match in self._step(folder, step)]
        return found

    def _step(self, folder: Path, step: str) -> Iterator[Path]:
        """One name of a pattern, in one folder."""
        if not _WILD.search(step):
            yield folder / step
            return
        self.watched[folder] = None
        for name in _names(folder):
            if fnmatchcase(name, step) and (step.startswith(".") or not name.startswith(".")):
                yield folder / name

    def _take(self, index: int, item: Scalar, path: Path) -> None:
        real = _real(path)
        if real in self.files or self._full:
            return
        if len(self.files) == MOST_FILES - 1:  # the routes file itself is one
            self._full = True
            hint = "put several parts into one file"
            self._note(index, item, f"with this a routes file has more than {MOST_FILES} files", hint)
            return
        self.watched[path] = None
        self.files[real] = path

    def _note(
        self, index: int, item: Scalar, text: str, hint: str = "", level: Literal["error", "warning"] = "error"
    ) -> None:
        path = json_path(("include", index))
        self.problems.append(Problem(path, item.line, item.column, text, hint, level, item.file))


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MOST_NAMES + 1)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _Unreadable(f"the folder cannot be read: {error.strerror}") from None
    if len(names) > MOST_NAMES:
        raise _Unreadable(f"the folder has more than {MOST_NAMES:,} files")
    return names


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Does the path lead to a file, or a folder? A pipe would be waited for."""
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # `~nobody/x`: no such user, so it is a name like others
        return Path(text)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
