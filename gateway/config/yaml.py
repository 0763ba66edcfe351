"""Bytes -> a tree of nodes, each with its line and column: YAML 1.2's core schema over PyYAML's event parser.

PyYAML's own resolver speaks YAML 1.1 (`on` is true, `12:30` is 750, `<<` merges), so only its events are used. What
YAML allows and a routes file has no use for (tags, merge keys, several documents, recursive aliases) is a problem, and
what could grow without bound (nesting, aliases of aliases) has one. Types are not decided here: a scalar keeps its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import yaml
from yaml import events

from gateway.config.problem import Place, Problem, json_path
from gateway.config.tree import UNPRINTABLE, Mapping, Node, Scalar, Sequence

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
MAX_DEPTH = 40
# Not printable in YAML 1.2, and the three characters that end a line in YAML 1.1 (which the parser speaks) but not in 1.2.
_REFUSED = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_BOMS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"\x00\x00\xfe\xff", "UTF-32"))
# The C parser is 13 times as fast; a platform without it gets the same events from the other.
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class Document(msgspec.Struct, frozen=True):
    """`root` is None where nothing could be read, or nothing is there (`empty`: comments at most, which is no problem
    here); `broken` are places that have their problem already."""

    root: Node | None
    problems: list[Problem]
    broken: set[Place]
    empty: bool = False


def parse(data: bytes, name: str = "") -> Document:
    """Read one document of the file called `name`. Never raises: whatever is wrong is among the problems."""
    document = _parse(data, name)
    problems = [msgspec.structs.replace(problem, file=name) for problem in document.problems]
    return msgspec.structs.replace(document, problems=problems)


def _parse(data: bytes, name: str) -> Document:
    text = _decode(data)
    if isinstance(text, Problem):
        return Document(None, [text], set())
    odd = _REFUSED.search(text)
    if odd is not None:
        line, column = text.count("\n", 0, odd.start()) + 1, odd.start() - text.rfind("\n", 0, odd.start())
        what = f"the character U+{ord(odd.group()):04X} cannot be part of a routes file"
        return Document(
            None, [Problem("$", line, column, what, 'in double quotes it can be written as "\\u...."')], set()
        )
    composer = _Composer(text, name)
    root = composer.compose()
    return Document(root, composer.problems, composer.broken, empty=root is None and not composer.problems)


def _decode(data: bytes) -> str | Problem:
    if len(data) > MAX_BYTES:
        return Problem("$", 0, 0, f"the file is larger than {MAX_BYTES >> 20} MiB")
    for mark, name in _BOMS:
        if data.startswith(mark):
            return Problem("$", 1, 1, f"the file is {name} text", "save it as UTF-8")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return Problem("$", line, column, f"the file is not UTF-8: byte 0x{data[error.start]:02X}", "save it as UTF-8")


class _Stop(Exception):
    """Nothing more can be read; the problem is noted."""


class _Anchor(msgspec.Struct, frozen=True):
    node: Node
    size: int
    height: int


class _Composer:
    """Builds nodes from events by recursive descent, bounded in depth and in expanded size."""

    def __init__(self, text: str, name: str) -> None:
        self.problems: list[Problem] = []
        self.broken: set[Place] = set()
        self._text = text
        self._name = name
        self._events: Iterator[events.Event] = iter(yaml.parse(text, Loader=_LOADER))
        # None: the anchor's own node is not finished yet, so an alias to it would contain itself.
        self._anchors: dict[str, _Anchor | None] = {}
        self._size = 0
        self._height = 0

    def compose(self) -> Node | None:
        root: Node | None = None
        try:
            for event in self._events:
                match event:
                    case events.DocumentStartEvent() if root is not None:
                        hint = "keep one document in the file, without a second `---`"
                        self._note((), event, "there is a second document", hint)
                        break
                    case events.ScalarEvent() | events.CollectionStartEvent() | events.AliasEvent():
                        root = self._node(event, (), 1)
                    case _:
                        pass
        except _Stop:
            return None
        except yaml.MarkedYAMLError as error:
            self.problems.append(self._syntax(error))
            return None
        except yaml.YAMLError as error:
            self.problems.append(Problem("$", 0, 0, f"not valid YAML: {error}"))
            return None
        return None if isinstance(root, Scalar) and root.kind() == "null" else root

    def _next(self) -> events.Event:
        return next(self._events)

    def _note(self, place: Place, event: events.Event, text: str, hint: str = "") -> None:
        line, column = _start(event)
        self.problems.append(Problem(json_path(place), line, column, text, hint))

    def _node(self, event: events.Event, place: Place, depth: int) -> Node:
        if isinstance(event, events.AliasEvent):
            return self._alias(event, place, depth)
        assert isinstance(event, events.NodeEvent)
        self._grow(event, place, 1, depth)
        size, self._height, outer = self._size, depth, self._height
        anchor: str | None = event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        tag: str | None = event.tag  # type: ignore[attr-defined]
        if tag is not None and tag != "!":
            self._note(place, event, "tags (`!...`) have no meaning here", "leave it out; quotes make text of anything")
            self.broken.add(place)
        line, column = _start(event)
        node: Node
        match event:
            case events.ScalarEvent(value=text, style=style):
                node = Scalar(text, plain=style in (None, ""), line=line, column=column, file=self._name)
            case events.SequenceStartEvent():
                node = Sequence(self._items(place, depth), line, column, self._name)
            case _:
                node = self._mapping(place, depth, line, column)
        if anchor is not None:
            self._anchors[anchor] = _Anchor(node, self._size - size + 1, self._height - depth)
        self._height = max(outer, self._height)
        return node

    def _items(self, place: Place, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        while not isinstance(event := self._next(), events.SequenceEndEvent):
            items.append(self._node(event, (*place, len(items)), depth + 1))
        return tuple(items)

    def _mapping(self, place: Place, depth: int, line: int, column: int) -> Mapping:
        members: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        while not isinstance(event := self._next(), events.MappingEndEvent):
            key = self._key(event, place, depth)
            value = self._node(self._next(), place if key is None else (*place, key), depth + 1)
            if key is None:
                continue
            if key in members:
                first = "{}:{}".format(*keys[key])
                self._note((*place, key), event, f"`{key}` is written twice", f"it is at {first} already: keep one")
                continue
            members[key] = value
            keys[key] = _start(event)
        return Mapping(members, keys, line, column, self._name)

    def _key(self, event: events.Event, place: Place, depth: int) -> str | None:
        match event:
            case events.ScalarEvent(value="<<", style=None | ""):
                self.broken.add(place)
                hint = "YAML 1.2 has none; write the members out, or use an alias for a whole value"
                self._note(place, event, "merge keys (`<<`) are not supported", hint)
            case events.ScalarEvent(value=text, tag=None, anchor=None) if UNPRINTABLE.search(text) is None:
                return str(text)
            case _:
                self._note(
                    place, event, "a key must be plain text, without a tag, an anchor, an alias or a control character"
                )
                self._node(event, place, depth + 1)
        return None

    def _alias(self, event: events.AliasEvent, place: Place, depth: int) -> Node:
        name = event.anchor or ""
        if name not in self._anchors:
            self._note(place, event, f"there is no anchor `&{name}` before this alias")
        elif (anchor := self._anchors[name]) is None:
            self._note(place, event, f"the alias `*{name}` is inside its own anchor, so it would never end")
        else:
            self._grow(event, place, anchor.size, depth + anchor.height)
            self._height = max(self._height, depth + anchor.height)
            return anchor.node
        self.broken.add(place)
        line, column = _start(event)
        return Scalar("", True, line, column, self._name)

    def _grow(self, event: events.Event, place: Place, size: int, depth: int) -> None:
        self._size += size
        if depth > MAX_DEPTH:
            self._note(place[:4], event, f"the file is nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        if self._size > MAX_NODES:
            hint = "aliases of aliases multiply: write fewer of them"
            self._note(
                place[:4], event, f"with its aliases written out the file has more than {MAX_NODES:,} values", hint
            )
            raise _Stop

    def _syntax(self, error: yaml.MarkedYAMLError) -> Problem:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        lines = self._text.splitlines()
        text = lines[line - 1] if 0 < line <= len(lines) else ""
        found = text[column - 1 : column]
        what = error.problem or "it ends too early"
        if error.context and error.context_mark is not None:
            what += f", {error.context} that begins on line {error.context_mark.line + 1}"
        hint = ""
        if "\t" in (found, text[:1]):
            what, hint = "a tab cannot indent YAML", "indent with spaces"
        elif "cannot start any token" in (error.problem or ""):
            what, hint = f"a plain value cannot start with `{found}`", "put the value in quotes"
        elif "${" in text:
            hint = 'inside {...} and [...], and where a `: ` or ` #` follows, write "${NAME}" with quotes'
        return Problem("$", line, column, f"not valid YAML: {what}", hint)


def _start(event: events.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (0, 0) if mark is None else (mark.line + 1, mark.column + 1)
