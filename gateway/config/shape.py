"""A tree of nodes -> settings: every key and type against the structs of `model`, all problems at once.

msgspec stops at its first error and speaks of types, so the tree is walked against `msgspec.inspect`'s view of the
structs here. A place with a problem is *broken*: a neutral value stands in, so that the rest can still be judged, and
nobody complains about that place again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec
from msgspec import inspect

from gateway.config.kinds import admits_none_but_no_text, bare, extra, members_of, neutral, places_of_keys, type_of
from gateway.config.model import Duration, Interval, Share, Size
from gateway.config.problem import Place, Problem, json_path
from gateway.config.tree import Mapping, Node, Scalar, Sequence, Spot, key_position, position
from gateway.config.units import parse_duration, parse_interval, parse_share, parse_size
from gateway.config.words import LONGEST_SHOWN, advice_for, describe, did_you_mean, name_of, one_of, shown


class Shaped(msgspec.Struct, frozen=True):
    """`value` is whole only if there are no problems; else neutral values stand at the `broken` places."""

    value: msgspec.Struct
    problems: list[Problem]
    broken: set[Place]


def read_shape(root: Mapping, wanted: type[msgspec.Struct], broken: Iterable[Place] = ()) -> Shaped:
    """Read a tree as this struct. Places in `broken` are passed over in silence."""
    reader = _Reader(root, set(broken))
    value = reader.read(root, type_of(wanted), ())
    assert isinstance(value, wanted)
    return Shaped(value, reader.problems, reader.broken)


class _Reader:
    def __init__(self, root: Mapping, broken: set[Place]) -> None:
        self.problems: list[Problem] = []
        self.broken = broken
        self._root = root

    def read(self, node: Node, kind: inspect.Type, place: Place) -> object:
        if place in self.broken:
            return neutral(kind)
        if isinstance(node, Scalar) and node.kind() == "null":
            return self._empty(kind, place)
        if isinstance(node, Scalar) and node.empty and not node.text and admits_none_but_no_text(kind):
            return None
        for member in members_of(kind):
            if self._fits(node, member):
                return self._read_as(node, member, kind, place)
        return self._wrong(node, kind, place)

    def _empty(self, kind: inspect.Type, place: Place) -> object:
        if any(isinstance(bare(member), inspect.NoneType) for member in members_of(kind)):
            return None
        return self._broken(kind, place, f"{name_of(place)} is empty", f"write {describe(kind)}, or leave the key out")

    def _fits(self, node: Node, kind: inspect.Type) -> bool:
        """Could this node be read as this type, as far as its form tells?"""
        match node, bare(kind):
            case Mapping(), inspect.StructType(tag=str(tag), tag_field=str(field)):
                match node.members.get(field):
                    case Scalar(text=text):
                        return text == tag
                return False
            case Mapping(), inspect.StructType() | inspect.DictType():
                return True
            case Sequence(), inspect.VarTupleType():
                return True
            case Scalar(sources=sources), inspect.IntType() | inspect.FloatType() | inspect.BoolType() if sources:
                return True
            case Scalar(), inspect.IntType():
                return node.kind() == "int"
            case Scalar(), inspect.FloatType():
                return node.kind() in ("int", "float")
            case Scalar(), inspect.BoolType():
                return node.kind() == "bool"
            case Scalar(), inspect.StrType():
                return node.kind() == "text"
            case Scalar(), inspect.LiteralType() | inspect.CustomType():
                return True
            case _, inspect.AnyType():
                return True
            case _:
                return False

    def _read_as(self, node: Node, kind: inspect.Type, wanted: inspect.Type, place: Place) -> object:
        """Read a node as a type that its form fits; `wanted` is the whole union, for the words of a problem."""
        match node, bare(kind):
            case Mapping() as mapping, inspect.StructType() as struct:
                return self._struct(mapping, struct, place)
            case Mapping() as mapping, inspect.DictType() as dictionary:
                return self._dict(mapping, dictionary, place)
            case Sequence(items=items), inspect.VarTupleType(item_type=item, min_length=least):
                if len(items) < (least or 0):
                    return self._broken(kind, place, f"{name_of(place)} is empty", "it needs at least one entry")
                return tuple(self.read(each, item, (*place, index)) for index, each in enumerate(items))
            case _, inspect.AnyType():
                return _json(node)
            case Scalar() as scalar, seen:
                try:
                    return _scalar(scalar, seen)
                except _Unfit:
                    return self._wrong(node, kind if extra(kind, "wants") else wanted, place)
                except ValueError as error:
                    return self._wrong(node, wanted, place, wants=str(error))
        raise AssertionError(kind)

    def _struct(self, node: Mapping, kind: inspect.StructType, place: Place) -> object:
        fields = {each.encode_name: each for each in kind.fields}
        values: dict[str, object] = {}
        for name, member in node.members.items():
            if name in fields:
                values[fields[name].name] = self.read(member, fields[name].type, (*place, name))
            elif name != kind.tag_field:
                self._unknown(name, fields, place)
        for name, each in fields.items():
            if not each.required or each.name in values:
                continue
            inner = (*place, name)
            values[each.name] = neutral(each.type)
            if inner not in self.broken:
                hint = extra(each.type, "missing") or f"write `{name}:` with {describe(each.type)}"
                self._note(place, f"`{name}` is missing", hint)
                self.broken.add(inner)
        return kind.cls(**values)

    def _dict(self, node: Mapping, kind: inspect.DictType, place: Place) -> dict[object, object]:
        if len(node.members) < (kind.min_length or 0):
            self._broken(kind, place, f"{name_of(place)} is empty", "it needs at least one entry")
        values: dict[object, object] = {}
        for name, member in node.members.items():
            inner = (*place, name)
            try:
                _scalar(Scalar(name, False, 0, 0), bare(kind.key_type))
            except _Unfit:
                text = f"`{name[:LONGEST_SHOWN]}` must be {describe(kind.key_type)}"
                self._add(inner, key_position(self._root, inner), text)
            values[name] = self.read(member, kind.value_type, inner)
        return values

    def _unknown(self, name: str, fields: Iterable[str], place: Place) -> None:
        inner = (*place, name)
        close = did_you_mean(name, fields)
        elsewhere = places_of_keys().get(name, ())
        if close is not None:
            hint = f"did you mean `{close}`?"
            self.broken.add((*place, close))
        elif elsewhere:
            hint = "it belongs at " + " or ".join(f"`{each}`" for each in elsewhere[:2])
        else:
            hint = "known here: " + ", ".join(fields)
        self._add(inner, key_position(self._root, inner), f"unknown key `{name[:LONGEST_SHOWN]}`", hint)

    def _wrong(self, node: Node, kind: inspect.Type, place: Place, wants: str = "") -> object:
        seen = [bare(member) for member in members_of(kind)]
        tags = {str(each.tag): each for each in seen if isinstance(each, inspect.StructType) and each.tag is not None}
        if tags and isinstance(node, Mapping):
            return self._wrong_tag(node, kind, tags, place)
        text = f"{name_of(place)} must be {wants or describe(kind)}, not {shown(node, place)}"
        return self._broken(kind, place, text, advice_for(node, seen, place))

    def _wrong_tag(
        self, node: Mapping, kind: inspect.Type, tags: dict[str, inspect.StructType], place: Place
    ) -> object:
        """None of several structs: the member that names which (`type`) is missing or unknown."""
        field = next(iter(tags.values())).tag_field or ""
        inner = (*place, field)
        self.broken.update(((*place,), inner))
        written = node.members.get(field)
        if written is None:
            self._note(place, f"`{field}` is missing", f"write `{field}:` with {one_of(tags)}")
        else:
            close = did_you_mean(written.text, tags) if isinstance(written, Scalar) and not written.sources else None
            hint = f"did you mean `{close}`?" if close else ""
            self._note(inner, f"`{field}` must be {one_of(tags)}, not {shown(written, inner)}", hint)
        return neutral(kind)

    def _broken(self, kind: inspect.Type, place: Place, text: str, hint: str = "") -> object:
        self._note(place, text, hint)
        self.broken.add(place)
        return neutral(kind)

    def _note(self, place: Place, text: str, hint: str = "") -> None:
        self._add(place, position(self._root, place), text, hint)

    def _add(self, place: Place, spot: Spot, text: str, hint: str = "") -> None:
        self.problems.append(Problem(json_path(place), spot.line, spot.column, text, hint, file=spot.file))


_UNITS: dict[type, Callable[[str], object]] = {
    Duration: parse_duration,
    Interval: parse_interval,
    Share: parse_share,
    Size: parse_size,
}


class _Unfit(Exception):
    """The text is not what the type admits."""


def _json(node: Node) -> object:
    """What YAML 1.2's core schema takes a node for, as a JSON value; lists are tuples."""
    match node:
        case Mapping(members=members):
            return {name: _json(member) for name, member in members.items()}
        case Sequence(items=items):
            return tuple(_json(item) for item in items)
        case Scalar(text=text):
            match node.kind():
                case "null":
                    return None
                case "bool":
                    return text.lower() == "true"
                case "int":
                    return _whole(text)
                case "float" if text[-1].isdigit() or text[-1] == ".":
                    return float(text)
                case _:  # infinity and what is no number are none in JSON
                    return text


def _scalar(scalar: Scalar, kind: inspect.Type) -> object:
    """The value of a scalar's text as this type. Raises _Unfit, or ValueError with what would be right."""
    text = scalar.text
    match kind:
        case inspect.StrType(pattern=pattern):
            if pattern is not None and re.fullmatch(pattern, text) is None:
                raise _Unfit
            return text
        case inspect.LiteralType(values=values):
            for value in values:
                written_alike = scalar.sources or scalar.kind() == ("int" if isinstance(value, int) else "text")
                if text == str(value) and written_alike:
                    return value
            raise _Unfit
        case inspect.CustomType(cls=cls):
            return _UNITS[cls](text)
        case inspect.BoolType():
            if text.lower() not in ("true", "false"):
                raise _Unfit
            return text.lower() == "true"
        case inspect.IntType(ge=low, le=high):
            return _within(_whole(text), low, high)
        case inspect.FloatType(ge=low, le=high):
            return _within(_number(text), low, high)
    raise AssertionError(kind)


def _whole(text: str) -> int:
    if re.fullmatch(r"[-+]?[0-9]{1,30}|0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}", text) is None:
        raise _Unfit
    base = 8 if text.startswith("0o") else 16 if text.startswith("0x") else 10
    return int(text, base)


def _number(text: str) -> float:
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text) is None:
        raise _Unfit
    number = float(text)
    if not math.isfinite(number):
        raise _Unfit
    return number


_N = TypeVar("_N", int, float)


def _within(number: _N, low: float | None, high: float | None) -> _N:
    if (low is not None and number < low) or (high is not None and number > high):
        raise _Unfit
    return number
