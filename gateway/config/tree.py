"""The tree of a routes file: scalars, sequences and mappings that know their file, line and column, and ways to find them.

A tree may be put together from several files. Types are not decided here: a scalar keeps its text, and says what YAML 1.2's core schema takes it for.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

import msgspec

from gateway.config.problem import Place

# What escapes in double quotes can bring in: control characters, and surrogates that no encoding can write.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

Kind: TypeAlias = Literal["null", "bool", "int", "float", "text"]

_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("null", re.compile(r"null|Null|NULL|~|")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?[0-9]{1,30}|0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}")),
    ("float", re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")),
)


class Scalar(msgspec.Struct, frozen=True):
    """`text` as written. `sources` are the `${...}` parts that were filled in; `empty` says that all of them were."""

    text: str
    plain: bool
    line: int
    column: int
    file: str = ""
    sources: tuple[str, ...] = ()
    empty: bool = False

    def kind(self) -> Kind:
        """What the core schema takes the text for. What was filled in is text until a number is wanted."""
        return kind_of(self.text) if self.plain and not self.sources else "text"


class Sequence(msgspec.Struct, frozen=True):
    items: tuple[Node, ...]
    line: int
    column: int
    file: str = ""


class Mapping(msgspec.Struct, frozen=True):
    """`keys` has the line and column of each key; its file is that of its member."""

    members: dict[str, Node]
    keys: dict[str, tuple[int, int]]
    line: int
    column: int
    file: str = ""


Node: TypeAlias = Scalar | Sequence | Mapping


def kind_of(text: str) -> Kind:
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(text)), "text")


def find(root: Node, place: Place) -> Node | None:
    """The node at this place, or None where nothing is written there."""
    node: Node = root
    for step in place:
        match node, step:
            case Mapping(members=members), str(name) if name in members:
                node = members[name]
            case Sequence(items=items), int(index) if index < len(items):
                node = items[index]
            case _:
                return None
    return node


class Spot(NamedTuple):
    """Where something stands; `line` and `column` count from 1."""

    line: int
    column: int
    file: str


def position(root: Node, place: Place) -> Spot:
    """Where to point at: the value if it is a scalar, else its key; the nearest outer place if not written."""
    node = find(root, place)
    if node is None:
        return position(root, place[:-1])
    if isinstance(node, Scalar) and (node.text or not node.plain):
        return Spot(node.line, node.column, node.file)
    return key_position(root, place)


def key_position(root: Node, place: Place) -> Spot:
    """Where the key at this place is; the node itself where it has no key."""
    node = find(root, place)
    if node is None:
        return position(root, place[:-1])
    outer = find(root, place[:-1]) if place else None
    if isinstance(outer, Mapping) and isinstance(place[-1], str):
        return Spot(*outer.keys.get(place[-1], (node.line, node.column)), node.file)
    return Spot(node.line, node.column, node.file)
