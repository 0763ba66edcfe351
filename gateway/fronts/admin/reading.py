"""What an operator sent -> values, or an error that names the field. Strict: a misspelt parameter must not mean "all"."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from litestar import Request

from gateway.errors import ClientError, InvalidOrder

T = TypeVar("T")

_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_FLAGS = {"true": True, "1": True, "": True, "false": False, "0": False}


async def read_order(request: Request[Any, Any, Any], wanted: type[T]) -> T:
    """The JSON body. Raises ClientError where it is not JSON, InvalidOrder where it is not of this shape."""
    try:
        return msgspec.json.decode(await request.body(), type=wanted)
    except msgspec.ValidationError as error:
        raise InvalidOrder(f"the body is not what is wanted here: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = error if isinstance(error, msgspec.DecodeError) else "not UTF-8, or nested too deeply"
        raise ClientError(f"the body is not JSON: {said}") from None


def read_parameters(request: Request[Any, Any, Any], *names: str) -> dict[str, str]:
    """Query parameters of these names. Raises InvalidOrder for others, and where one is there twice."""
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in names:
            near = get_close_matches(name, names, 1)
            known = f"did you mean `{near[0]}`?" if near else f"there is {_listed(names)}"
            raise InvalidOrder(f"no query parameter of this path is named {name[:60]!r}; {known}")
        if name in found:
            raise InvalidOrder(f"the query parameter `{name}` is there twice")
        found[name] = value
    return found


def read_count(parameters: dict[str, str], name: str, *, default: int, most: int) -> int:
    """A whole number from 1; more than `most` counts as that. Raises InvalidOrder."""
    text = parameters.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) >= 1):
        raise InvalidOrder(f"the query parameter `{name}` is a whole number from 1 to {most}")
    return min(int(text), most)


def read_flag(parameters: dict[str, str], name: str) -> bool:
    """Absent is no; there without a value is yes. Raises InvalidOrder."""
    if name not in parameters:
        return False
    flag = _FLAGS.get(parameters[name].lower())
    if flag is None:
        raise InvalidOrder(f"the query parameter `{name}` is true or false")
    return flag


def is_entry_id(text: str) -> bool:
    """Could it be one? What could not is nothing to ask PostgreSQL for, which has no place for a NUL."""
    return _ID.fullmatch(text) is not None


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join(f"`{name}`" for name in names) or "none"
