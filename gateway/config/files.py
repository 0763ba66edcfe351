"""One file of a configuration, the routes file or an included one: bytes -> its tree, with `${...}` filled in.

Nothing raises for what is in the file or for a file that cannot be read: that is among the problems.
"""

from __future__ import annotations

import os
from collections.abc import Mapping as ReadOnly
from pathlib import Path

import msgspec

from gateway.config.interpolate import fill_in
from gateway.config.merge import Part
from gateway.config.problem import Problem
from gateway.config.tree import Mapping
from gateway.config.yaml import MAX_BYTES, parse

_WHOLE = "a routes file has at least `version`, `upstreams` and `routes`"
_INCLUDED = "an included file has some of the sections of a routes file, like `upstreams` or `routes`"


class ReadFile(msgspec.Struct, frozen=True):
    """`name` is the path as it is shown, `part` None where nothing could be read; `watched` the files that values came from."""

    name: str
    data: bytes
    part: Part | None
    problems: list[Problem]
    watched: tuple[Path, ...] = ()

    @property
    def text(self) -> str:
        return self.data.decode("utf-8", "replace").removeprefix("\ufeff")


def read_file(path: Path, env: ReadOnly[str, str], *, included: bool) -> ReadFile:
    """Relative `${file:...}` start at the file's own folder. An included file may be empty, which is warned about."""
    name, hint = _shown(path), _INCLUDED if included else _WHOLE
    try:
        # To open a pipe may take for ever. What a shell makes of `<(...)` is none by this path, and is read.
        if Path(os.path.realpath(path)).is_fifo():
            return ReadFile(name, b"", None, [Problem("$", 0, 0, "the file cannot be read: it is a pipe", file=name)])
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        return ReadFile(name, b"", None, [Problem("$", 0, 0, f"the file cannot be read: {reason}", file=name)])
    document = parse(data, name)
    problems, root = list(document.problems), document.root
    if document.empty:
        problems.append(Problem("$", 0, 0, "the file is empty", hint, "warning" if included else "error", name))
    elif root is not None and not isinstance(root, Mapping):
        problems.append(Problem("$", root.line, root.column, "the file must be a mapping", hint, file=name))
    if not isinstance(root, Mapping):
        return ReadFile(name, data, None, problems)
    filled = fill_in(root, env, path.parent)
    assert isinstance(filled.root, Mapping)
    part = Part(name, filled.root, frozenset(document.broken | filled.broken), filled.secrets)
    return ReadFile(name, data, part, [*problems, *filled.problems], filled.watched)


def _shown(path: Path) -> str:
    """A file name that can be printed, even if its bytes are not UTF-8."""
    return str(path).encode("utf-8", "replace").decode()
