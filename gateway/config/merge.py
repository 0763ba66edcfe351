"""The trees of a routes file and of the files that it includes -> one tree. Pure: files were read before.

Mappings of names (`upstreams`, `embedders`, ...) are merged by name, lists (`routes`, `clients`) follow each other; anything
else may stand in one file only. Which is which, the structs of the model say. Problems keep the places of their own files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec
from msgspec import inspect

from gateway.config.kinds import bare, type_of
from gateway.config.model import File
from gateway.config.problem import Place, Problem, json_path
from gateway.config.tree import Mapping, Node, Scalar, Sequence, Spot, key_position, position
from gateway.config.words import describe, shown, where

_INDEXED = re.compile(r"\$\.(\w+)\[(\d+)\](.*)", re.DOTALL)


class Part(msgspec.Struct, frozen=True):
    """One file's tree with its `${...}` filled in; places are the file's own."""

    name: str
    root: Mapping
    broken: frozenset[Place]
    secrets: frozenset[Place]


class Merged(msgspec.Struct, frozen=True):
    """`broken` and `secrets` are places of the whole; `shifts` says by how much the entries of a file's lists moved."""

    root: Mapping
    problems: list[Problem]
    broken: set[Place]
    secrets: set[Place]
    shifts: dict[tuple[str, str], int]

    def in_their_files(self, problems: Iterable[Problem]) -> list[Problem]:
        """Problems of the whole, with paths as each one's own file has them."""
        return [self._in_its_file(problem) for problem in problems]

    def _in_its_file(self, problem: Problem) -> Problem:
        found = _INDEXED.fullmatch(problem.path)
        shift = 0 if found is None else self.shifts.get((problem.file, found[1]), 0)
        if found is None or not shift:
            return problem
        return msgspec.structs.replace(problem, path=f"$.{found[1]}[{int(found[2]) - shift}]{found[3]}")


def merge_parts(main: Part, included: Iterable[Part]) -> Merged:
    merger = _Merger(main)
    for part in included:
        merger.add(part)
    whole = msgspec.structs.replace(main.root, members=merger.members, keys=merger.keys)
    return Merged(whole, merger.problems, merger.broken, merger.secrets, merger.shifts)


class _Merger:
    def __init__(self, main: Part) -> None:
        self.members = dict(main.root.members)
        self.keys = dict(main.root.keys)
        self.broken = set(main.broken)
        self.secrets = set(main.secrets)
        self.problems: list[Problem] = []
        self.shifts: dict[tuple[str, str], int] = {}
        self._main = main.name
        self._kinds = {each.encode_name: each.type for each in type_of(File).fields}

    def add(self, part: Part) -> None:
        dropped: set[Place] = {()}
        for name, node in part.root.members.items():
            if name == "include":
                hint = f"list the file in the `include` of {self._main}"
                self._note(part, ("include",), "an included file cannot include others", hint)
            elif name == "version":
                self._check_version(part, node)
            elif name not in self.members:
                self.members[name] = node
                self.keys[name] = part.root.keys[name]
                continue
            elif self._join(part, name, self.members[name], node, dropped):
                continue
            dropped.add((name,))
        shift = {name: count for (file, name), count in self.shifts.items() if file == part.name}
        for own, whole in ((part.broken, self.broken), (part.secrets, self.secrets)):
            whole.update(_moved(place, shift) for place in own if dropped.isdisjoint((place, place[:1], place[:2])))

    def _join(self, part: Part, name: str, there: Node, node: Node, dropped: set[Place]) -> bool:
        """Put the part's section to the one that is there; False if nothing of it could be used."""
        kind = self._kinds.get(name)
        match bare(kind) if kind is not None else None, there, node:
            case inspect.DictType(), Mapping(), Mapping():
                self.members[name] = self._joined(part, name, there, node, dropped)
                return True
            case inspect.VarTupleType(), Sequence(), Sequence():
                self.shifts[part.name, name] = len(there.items)
                self.members[name] = msgspec.structs.replace(there, items=(*there.items, *node.items))
                return True
            case (inspect.DictType(), Mapping(), _) | (inspect.VarTupleType(), Sequence(), _) if kind is not None:
                self._note_wrong_form(part, name, node, kind)
            case inspect.DictType() | inspect.VarTupleType(), _, _:
                pass  # what is there is a problem of shape
            case _:
                first = where(self._spot(name, there), part.name)
                text = f"`{name}` is in two files: it is on {first} already"
                self._note(part, (name,), text, "only lists and mappings of names can be spread over files")
        return False

    def _note_wrong_form(self, part: Part, name: str, node: Node, kind: inspect.Type) -> None:
        if isinstance(node, Scalar) and node.kind() == "null":
            self._note(part, (name,), f"`{name}` is empty", f"write {describe(kind)}, or leave the key out")
        elif (name,) not in part.broken:
            self._note(part, (name,), f"`{name}` must be {describe(kind)}, not {shown(node, (name,))}")

    def _joined(self, part: Part, name: str, there: Mapping, node: Mapping, dropped: set[Place]) -> Mapping:
        members, keys = dict(there.members), dict(there.keys)
        for key, member in node.members.items():
            if key in members:
                first = where(key_position(there, (key,)), part.name)
                self._note(part, (name, key), f"`{key}` is declared twice", f"it is on {first} already: keep one")
                dropped.add((name, key))
                continue
            members[key], keys[key] = member, node.keys[key]
        return msgspec.structs.replace(there, members=members, keys=keys)

    def _check_version(self, part: Part, node: Node) -> None:
        """It may stand in every file, and is the same."""
        right = isinstance(node, Scalar) and node.text == "1" and (node.kind() == "int" or node.sources)
        if not right and ("version",) not in part.broken:
            text = f"`version` must be {describe(self._kinds['version'])}, not {shown(node, ('version',))}"
            self._note(part, ("version",), text)

    def _spot(self, name: str, there: Node) -> Spot:
        return Spot(*self.keys[name], there.file)

    def _note(self, part: Part, place: Place, text: str, hint: str = "") -> None:
        spot = position(part.root, place)
        self.problems.append(Problem(json_path(place), spot.line, spot.column, text, hint, file=part.name))


def _moved(place: Place, shift: dict[str, int]) -> Place:
    match place:
        case (str(name), int(index), *rest) if name in shift:
            return (name, index + shift[name], *rest)
        case _:
            return place
