"""msgspec's view of the settings' structs, as the walks over it want it: types without wrappings, and what they say.

The reader of files, the schema and the reference all go by this one view, so none can know a setting the others do not.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from msgspec import inspect

from gateway.config.model import File


@lru_cache
def type_of(wanted: type[msgspec.Struct]) -> inspect.StructType:
    seen = inspect.type_info(wanted)
    assert isinstance(seen, inspect.StructType)
    return seen


def bare(kind: inspect.Type) -> inspect.Type:
    """A type without its description."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind


def extra(kind: inspect.Type, name: str) -> str:
    """What `Meta(extra={name: ...})` says of a type, or ""."""
    while isinstance(kind, inspect.Metadata):
        if kind.extra is not None and name in kind.extra:
            return str(kind.extra[name])
        kind = kind.type
    return ""


def members_of(kind: inspect.Type) -> tuple[inspect.Type, ...]:
    """The members of a union (nested ones too), or the type alone."""
    seen = bare(kind)
    if isinstance(seen, inspect.UnionType):
        return tuple(member for each in seen.types for member in members_of(each))
    return (kind,)


def admits_none_but_no_text(kind: inspect.Type) -> bool:
    """Is `${NAME:-}` with nothing in it the same as not written? Where text is wanted, it is the empty text."""
    kinds = {type(bare(member)) for member in members_of(kind)}
    return inspect.NoneType in kinds and inspect.StrType not in kinds


def neutral(kind: inspect.Type) -> object:
    """A value that stands in where the written one is broken."""
    match bare(kind):
        case inspect.StructType(cls=cls, fields=fields):
            return cls(**{each.name: neutral(each.type) for each in fields if each.required})
        case inspect.UnionType(types=types):
            optional = any(isinstance(bare(each), inspect.NoneType) for each in types)
            return None if optional else neutral(types[0])
        case inspect.LiteralType(values=values):
            return values[0]
        case inspect.VarTupleType():
            return ()
        case inspect.DictType():
            return {}
        case inspect.BoolType():
            return False
        case inspect.IntType(ge=low):
            return low or 0
        case inspect.FloatType(ge=low):
            return float(low or 0)
        case inspect.CustomType(cls=cls):
            return cls(1)
        case _:
            return ""


@lru_cache
def places_of_keys() -> dict[str, tuple[str, ...]]:
    """Every key that a routes file knows -> where it belongs (`routes[].thresholds.hit`)."""
    found: dict[str, list[str]] = {}

    def visit(kind: inspect.Type, where: str) -> None:
        match bare(kind):
            case inspect.StructType(fields=fields):
                for each in fields:
                    inner = f"{where}.{each.encode_name}" if where else each.encode_name
                    if inner not in (places := found.setdefault(each.encode_name, [])):
                        places.append(inner)
                    visit(each.type, inner)
            case inspect.UnionType(types=types):
                for each_type in types:
                    visit(each_type, where)
            case inspect.VarTupleType(item_type=item):
                visit(item, f"{where}[]")
            case inspect.DictType(value_type=value):
                visit(value, f"{where}.NAME")
            case _:
                pass

    visit(type_of(File), "")
    return {name: tuple(places) for name, places in found.items()}
