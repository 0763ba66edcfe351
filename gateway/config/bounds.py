"""Every bound that holds for a route: its value, and the setting that changes it, or that it is fixed.

A setting that is a number, a size or a duration is taken for a bound unless it is listed as none, so a new one cannot be
forgotten. The fixed ones are in `bounds_fixed`.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import inspect

from gateway.config.bounds_fixed import FIXED
from gateway.config.kinds import bare, members_of, type_of
from gateway.config.model import File
from gateway.config.plain import plain
from gateway.config.schema import description

# Numbers that choose, describe or pay for something, instead of bounding it.
NO_BOUNDS = frozenset(
    {
        "version", "status", "hit", "from", "min", "m", "ef_construction", "ef_search", "dimensions", "sample",
        "price", "prompt", "completion",
    }
)  # fmt: skip


def bounds_text(explained: dict[str, object]) -> str:
    """All bounds as comment lines; `explained` is a routes file with one route and everything filled in."""
    rows = [(_shown(value), name, what) for name, value, what in _settings(type_of(File), explained, "")]
    rows += [(_shown(plain(each.value)), "fixed", each.what) for each in FIXED]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [f"#   {value:>{widths[0]}}  {name:{widths[1]}}  {what}" for value, name, what in rows]
    return "\n".join(("#", "# Bounds: the value, the setting that changes it, and what is bounded.", *lines)) + "\n"


def _settings(kind: inspect.Type, value: object, place: str) -> Iterator[tuple[str, object, str]]:
    """(place, value, what) of each bound among the settings that are shown."""
    match bare(kind), value:
        case inspect.StructType(fields=fields), dict():
            known = {field.encode_name: field.type for field in fields}
            for name, member in value.items():
                if name in known and member is not None:
                    yield from _setting(known[name], member, name, f"{place}.{name}" if place else name)
        case inspect.DictType(value_type=inner_kind), dict():
            for name, member in value.items():
                yield from _settings(inner_kind, member, f"{place}.{name}")
        case inspect.VarTupleType(item_type=item), list():
            for index, member in enumerate(value):
                yield from _settings(item, member, f"{place}[{index}]")
        case inspect.UnionType(), _:
            for each in members_of(kind):
                if _is_this(bare(each), value):
                    yield from _settings(each, value, place)
        case _:
            pass


def _setting(kind: inspect.Type, value: object, name: str, place: str) -> Iterator[tuple[str, object, str]]:
    numbers = (inspect.IntType, inspect.FloatType, inspect.CustomType)
    if not any(isinstance(bare(each), numbers) for each in members_of(kind)):
        yield from _settings(kind, value, place)
    elif name not in NO_BOUNDS:
        first, _, _ = description(kind).partition(". ")
        yield place, value, first.removesuffix(".")


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_this(kind: inspect.Type, value: object) -> bool:
    """Is the mapping this struct, where several may be?"""
    match kind, value:
        case inspect.StructType(tag_field=str(field), tag=tag), dict():
            return value.get(field) == tag
        case inspect.StructType(), dict():
            return True
        case _:
            return False
