"""The structs of `model` -> the JSON Schema of routes files (draft 2020-12), for editors and for `semgate schema`.

msgspec's own generator cannot write defaults as people do (`10MiB`, `24h`), nor say that a number may be `${N}`: hence
this one, over the same `msgspec.inspect` view that the reader of files walks. It says no more than a schema can: rules
across settings are `check`'s.
"""

from __future__ import annotations

import json

from msgspec import NODEFAULT, inspect

from gateway.config.kinds import bare, members_of, type_of
from gateway.config.model import Duration, File, Interval, Share, Size
from gateway.config.plain import plain
from gateway.config.units import DURATION, INTERVAL, SHARE, SIZE

Schema = dict[str, object]

ID = "urn:semgate:schema:routes:1"
INTERPOLATED = "interpolated"
_REFERENCE: Schema = {"$ref": f"#/$defs/{INTERPOLATED}"}


def routes_schema() -> Schema:
    """JSON Schema of a whole routes file; every struct is under `$defs` by its class name."""
    definitions: Schema = {
        INTERPOLATED: {
            "type": "string",
            "pattern": r"\$\{",
            "description": "`${NAME}`, `${NAME:-default}` or `${file:/path}`, filled in before validation.",
        }
    }
    root = _struct(type_of(File), definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "semgate routes file",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """The schema as the file in `schemas/` holds it."""
    return json.dumps(routes_schema(), indent=2, ensure_ascii=False) + "\n"


def _struct(kind: inspect.StructType, definitions: Schema) -> Schema:
    properties: Schema = {}
    required: list[str] = []
    if kind.tag_field is not None:
        properties[kind.tag_field] = {"const": kind.tag, **_known(description=_summary(kind) or None)}
        required.append(kind.tag_field)
    for field in kind.fields:
        properties[field.encode_name] = _property(field, definitions)
        if field.required:
            required.append(field.encode_name)
    return {
        **_known(description=_summary(kind) or None),
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def _summary(kind: inspect.StructType) -> str:
    return " ".join((kind.cls.__doc__ or "").split())


def _property(field: inspect.Field, definitions: Schema) -> Schema:
    schema = {**_type(field.type, definitions), "description": description(field.type)}
    default = default_of(field)
    # A struct's members say their own defaults.
    if default is not None and not isinstance(bare(field.type), inspect.StructType):
        schema["default"] = default
    return schema


def default_of(field: inspect.Field) -> object:
    """A field's default as a file would say it; None where there is none, or nothing is the default."""
    if field.default is not NODEFAULT:
        return plain(field.default)
    if field.default_factory is not NODEFAULT:
        return plain(field.default_factory())
    return None


def description(kind: inspect.Type) -> str:
    """A field's own description and, in brackets after it, that of the shared type it uses."""
    texts: list[str] = []
    while isinstance(kind, inspect.Metadata):
        if kind.extra_json_schema is not None and "description" in kind.extra_json_schema:
            texts.append(str(kind.extra_json_schema["description"]))
        kind = kind.type
    return " ".join(texts)


def _type(kind: inspect.Type, definitions: Schema) -> Schema:
    seen = bare(kind)
    match seen:
        case inspect.StructType(cls=cls):
            if cls.__name__ not in definitions:
                definitions[cls.__name__] = {}
                definitions[cls.__name__] = _struct(seen, definitions)
            return {"$ref": f"#/$defs/{cls.__name__}"}
        case inspect.VarTupleType(item_type=item, min_length=least):
            return {"type": "array", "items": _type(item, definitions), **_known(minItems=least)}
        case inspect.DictType(key_type=key, value_type=value, min_length=least):
            return {
                "type": "object",
                **_known(propertyNames=_known(pattern=_pattern(key)) or None, minProperties=least),
                "additionalProperties": _type(value, definitions),
            }
        case inspect.UnionType():
            return _any_of([_type(member, definitions) for member in members_of(seen)])
        case inspect.NoneType():
            return {"type": "null"}
        case inspect.StrType(pattern=None):
            return {"type": "string"}
        case inspect.AnyType():
            return {"not": {"type": "null"}}
        case _:
            return _any_of([_strict(seen), _REFERENCE])


def _strict(kind: inspect.Type) -> Schema:
    """A scalar that text would not fit, so that `${...}` has to be admitted beside it."""
    match kind:
        case inspect.StrType(pattern=pattern):
            return {"type": "string", **_known(pattern=pattern)}
        case inspect.IntType(ge=low, le=high):
            return {"type": "integer", **_known(minimum=low, maximum=high)}
        case inspect.FloatType(ge=low, le=high):
            return {"type": "number", **_known(minimum=low, maximum=high)}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.LiteralType(values=values):
            return {"enum": list(values)}
        case inspect.CustomType(cls=cls) if cls is Duration:
            return {"type": "string", "pattern": DURATION}
        # A bare 0 is a number in YAML.
        case inspect.CustomType(cls=cls) if cls is Interval:
            return {"anyOf": [{"type": "string", "pattern": INTERVAL}, {"const": 0}]}
        case inspect.CustomType(cls=cls) if cls is Share:
            return {"anyOf": [{"type": "string", "pattern": SHARE}, {"type": "number", "minimum": 0, "maximum": 1}]}
        case inspect.CustomType(cls=cls) if cls is Size:
            return {"anyOf": [{"type": "string", "pattern": SIZE}, {"const": 0}]}
    raise AssertionError(kind)


def _pattern(kind: inspect.Type) -> str | None:
    seen = bare(kind)
    return seen.pattern if isinstance(seen, inspect.StrType) else None


def _known(**keywords: object) -> Schema:
    return {name: value for name, value in keywords.items() if value is not None}


def _any_of(schemas: list[Schema]) -> Schema:
    """One flat `anyOf` without repetitions."""
    flat: list[object] = []
    for schema in schemas:
        inner = schema["anyOf"] if list(schema) == ["anyOf"] else [schema]
        assert isinstance(inner, list)
        flat += [each for each in inner if each not in flat]
    only = flat[0]
    return only if len(flat) == 1 and isinstance(only, dict) else {"anyOf": flat}
