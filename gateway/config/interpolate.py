"""`${NAME}`, `${NAME:-default}` and `${file:/path}` filled into a tree's scalars; `$${` stands for `${` itself.

Values are filled into parsed scalars and never parsed again, so a value cannot add YAML structure. Keys are left as
they are. What came from outside is remembered by its place, so that nothing prints it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as EnvMapping
from pathlib import Path

import msgspec

from gateway.config.problem import Place, Problem, json_path
from gateway.config.tree import UNPRINTABLE, Mapping, Node, Scalar, Sequence

MAX_SECRET_BYTES = 1 << 16

_PART = re.compile(r"\$\$\{|\$\{(?P<inner>[^}]*)(?P<end>\}?)")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?", re.DOTALL)
_FORMS = "the forms are ${NAME}, ${NAME:-default} and ${file:/path}; for a literal ${ write $${"


class Filled(msgspec.Struct, frozen=True):
    """`secrets` are the places that hold a value from outside; `watched` the files that values came from."""

    root: Node
    problems: list[Problem]
    broken: set[Place]
    secrets: frozenset[Place]
    watched: tuple[Path, ...]


class _Part(msgspec.Struct, frozen=True):
    text: str
    source: str
    outside: bool


def fill_in(root: Node, env: EnvMapping[str, str], folder: Path) -> Filled:
    """Fill in every scalar. A relative `${file:...}` is looked up from `folder`. Never raises."""
    filler = _Filler(env, folder)
    filled = filler.node(root, ())
    return Filled(filled, filler.problems, filler.broken, frozenset(filler.secrets), tuple(filler.watched))


class _Filler:
    def __init__(self, env: EnvMapping[str, str], folder: Path) -> None:
        self.problems: list[Problem] = []
        self.broken: set[Place] = set()
        self.secrets: set[Place] = set()
        self.watched: dict[Path, None] = {}
        self._env = env
        self._folder = folder

    def node(self, node: Node, place: Place) -> Node:
        match node:
            case Scalar():
                return self._scalar(node, place)
            case Sequence(items=items):
                filled = tuple(self.node(item, (*place, index)) for index, item in enumerate(items))
                return msgspec.structs.replace(node, items=filled)
            case Mapping(members=members):
                return msgspec.structs.replace(
                    node, members={name: self.node(member, (*place, name)) for name, member in members.items()}
                )

    def _scalar(self, scalar: Scalar, place: Place) -> Scalar:
        if UNPRINTABLE.search(scalar.text):
            self._note(scalar, place, "there is a control character in this value")
            return scalar
        if "${" not in scalar.text:
            return scalar
        pieces: list[str] = []
        parts: list[_Part] = []
        end = 0
        for found in _PART.finditer(scalar.text):
            pieces.append(scalar.text[end : found.start()])
            end = found.end()
            if found["inner"] is None:
                pieces.append("${")
                continue
            part = self._part(found, scalar, place)
            if part is None:
                return scalar
            parts.append(part)
            pieces.append(part.text)
        pieces.append(scalar.text[end:])
        if not parts:
            return msgspec.structs.replace(scalar, text="".join(pieces), plain=False)
        if any(part.outside for part in parts):
            self.secrets.add(place)
        return msgspec.structs.replace(
            scalar,
            text="".join(pieces),
            plain=False,
            sources=tuple(part.source for part in parts),
            empty=not any(part.text for part in parts),
        )

    def _part(self, found: re.Match[str], scalar: Scalar, place: Place) -> _Part | None:
        inner = found["inner"]
        if not found["end"]:
            self._note(scalar, place, "there is a `${` without its `}`", _FORMS)
            return None
        if inner.startswith("file:"):
            return self._file(inner.removeprefix("file:"), scalar, place)
        variable = _VARIABLE.fullmatch(inner)
        if variable is None:
            self._note(scalar, place, "there is a `${...}` that has none of the known forms", _FORMS)
            return None
        name, default = variable["name"], variable["default"]
        source = f"${{{name}}}"
        value = self._env.get(name)
        if value:
            return self._usable(value, source, scalar, place)
        if default is not None:
            return _Part(default, source, outside=False)
        if value is None:
            hint = f"set it, or give it a default: ${{{name}:-...}}"
            self._note(scalar, place, f"the environment variable {name} is not set", hint)
            return None
        return _Part("", source, outside=False)

    def _file(self, name: str, scalar: Scalar, place: Place) -> _Part | None:
        source = f"${{file:{name}}}"
        path = self._folder / Path(name).expanduser()
        self.watched[path] = None
        try:
            if not path.is_file():
                self._note(scalar, place, f"{source}: there is no such file")
                return None
            with path.open("rb") as file:
                data = file.read(MAX_SECRET_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
            self._note(scalar, place, f"{source}: the file cannot be read: {reason}")
            return None
        if len(data) > MAX_SECRET_BYTES:
            self._note(scalar, place, f"{source}: the file is larger than {MAX_SECRET_BYTES >> 10} KiB")
            return None
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._note(scalar, place, f"{source}: the file is not UTF-8 text")
            return None
        return self._usable(text.removesuffix("\n").removesuffix("\r"), source, scalar, place)

    def _usable(self, value: str, source: str, scalar: Scalar, place: Place) -> _Part | None:
        """A value from outside, unless no setting could hold it."""
        # Environment bytes that are not UTF-8 come as lone surrogates.
        if UNPRINTABLE.search(value):
            self._note(scalar, place, f"the value of {source} is not plain UTF-8 text")
            return None
        return _Part(value, source, outside=bool(value))

    def _note(self, scalar: Scalar, place: Place, text: str, hint: str = "") -> None:
        self.broken.add(place)
        self.problems.append(Problem(json_path(place), scalar.line, scalar.column, text, hint, file=scalar.file))
