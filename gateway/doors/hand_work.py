"""What a program asks of its cache by hand -> what the Shelf is asked, and back.

Answers are turned into bytes and back in the caller's thread; a stored answer says by its content type what it was.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import UnionType
from typing import Any, TypeAlias, TypeVar

import msgspec

from gateway.config.units import LONGEST, parse_duration
from gateway.core.messages import HitKind, Reason
from gateway.core.shelving import Place, unfit
from gateway.core.tags import all_tags
from gateway.doors.shelves import Reach
from gateway.engine.shelved import TEXT, Looked, Shelved

T = TypeVar("T")
Work: TypeAlias = Callable[[Reach], Awaitable[T]]
Context: TypeAlias = "str | bytes | Mapping[str, Any] | Sequence[Any] | None"
Seconds: TypeAlias = "float | str"
"""Or a duration like `24h`."""

BYTES, JSON = "application/octet-stream", "application/json"
MOST_FOUND = 1000
"""Entries of one search."""
SIMILAR_AT_LEAST = 0.9

# Of these the engine's log has told, or there is nothing that anybody should do.
_TOLD = (Reason.STORE_TROUBLE, Reason.EMBEDDER_TROUBLE, Reason.VERIFIER_TROUBLE, Reason.DENIED, Reason.PURGED)

LOG = logging.getLogger("semgate")


class Found(msgspec.Struct, frozen=True):
    """A kept answer. `similarity` is between the question asked and the one that it was kept under (1 for the same words),
    `question` that one, None where it cannot be read. `kind` says how it was found: by the same words, by similarity, or
    by similarity and a second opinion, whose `score` it is. Times are Unix seconds."""

    id: str
    question: str | None
    answer: Any
    similarity: float
    kind: HitKind
    score: float | None
    attributes: dict[str, str]
    tags: tuple[str, ...]
    created_at: float
    expires_at: float


def put(
    question: str,
    answer: Any,
    scope: str,
    context: Context,
    ttl: Seconds | None,
    tags: Sequence[str],
    attributes: Mapping[str, str] | None,
) -> Work[str | None]:
    """Raises TypeError and ValueError for what cannot be kept by anybody."""
    _check(question, scope, attributes)
    _check_tags(tags)
    if all_tags(tuple(tags), ()) is None:
        raise ValueError("`tags` are too many, or one is too long or no text")
    body, content_type = _written(answer)
    seconds, fixed = None if ttl is None else _seconds(ttl, "ttl"), _context(context)
    if seconds is not None and not 0 < seconds <= LONGEST:
        raise ValueError("`ttl` is above 0 and up to 3650 days")

    async def work(reach: Reach) -> str | None:
        at = Place(reach.scope(scope), context=fixed)
        kept = await reach.shelf.put(
            question, body, at, content_type=content_type, ttl=seconds, tags=tags, attributes=attributes
        )
        if not isinstance(kept, Reason):
            return kept
        if kept not in _TOLD:
            LOG.warning("an answer of %d bytes was not kept: %s", len(body), kept)
        return None

    return work


def find(
    question: str,
    scope: str,
    context: Context,
    threshold: float | None,
    limit: int,
    attributes: Mapping[str, str] | None,
) -> Work[Looked]:
    """Raises TypeError and ValueError for what nobody can ask."""
    _check(question, scope, attributes)
    if threshold is not None:
        _check_type("threshold", threshold, int | float, "a number")
        if not 0 <= threshold <= 1:
            raise ValueError("`threshold` is a similarity from 0 to 1")
    _check_type("limit", limit, int, "a whole number")
    if not 1 <= limit <= MOST_FOUND:
        raise ValueError(f"`limit` is 1 to {MOST_FOUND}")
    fixed = _context(context)

    async def work(reach: Reach) -> Looked:
        at = Place(reach.scope(scope), context=fixed)
        return await reach.shelf.find(question, at, threshold=threshold, limit=limit, attributes=attributes)

    return work


def delete(entry_id: str) -> Work[bool]:
    """Raises TypeError."""
    _check_type("entry_id", entry_id, str, "text")

    async def work(reach: Reach) -> bool:
        return await reach.shelf.remove(entry_id)

    return work


def purge(
    scope: str | None,
    tags: Sequence[str] | None,
    older_than: Seconds | None,
    similar_to: str | tuple[str, float] | None,
    attributes: Mapping[str, str] | None,
) -> Work[int]:
    """Raises TypeError and ValueError for what says nothing."""
    age = 0.0 if older_than is None else _seconds(older_than, "older_than")
    if not 0 <= age < math.inf:
        raise ValueError("`older_than` is not below 0")
    if scope is not None:
        _check_type("scope", scope, str, "text")
    if tags is not None:
        _check_tags(tags)
        if not tags:  # a program that found no tags does not mean everything
            raise ValueError("`tags` is empty: leave it out to mean entries with any tags or none")
    similar = None if similar_to is None else _similar(similar_to)
    _check_attributes(attributes)
    if attributes is not None and (not attributes or scope is None or (tags, older_than, similar) != (None,) * 3):
        raise ValueError("`attributes` are some, and go with `scope` and nothing else: they are those of one scope")

    async def work(reach: Reach) -> int:
        at = None if scope is None else reach.scope(scope)
        if attributes is not None and at is not None:
            return await reach.shelf.remove_where(Place(at), attributes)
        return await reach.shelf.purge(scope=at, tags=tags or (), older_than=age, similar_to=similar)

    return work


async def nothing(_reach: Reach) -> None:
    """All is opened for it."""


def read(looked: Looked) -> list[Found]:
    """What was found, with its answers as they were given."""
    return [_found(each) for each in looked.found]


def _found(shelved: Shelved) -> Found:
    fields = msgspec.structs.asdict(shelved)
    content_type = fields.pop("content_type")
    return Found(**{**fields, "answer": _read(shelved.answer, content_type)})


def _written(answer: Any) -> tuple[bytes, str]:
    """Its bytes, and what they are."""
    match answer:
        case str():
            return answer.encode(), TEXT
        case bytes() | bytearray() | memoryview():
            return bytes(answer), BYTES
        case _:
            return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode(), JSON


def _read(body: bytes, content_type: str) -> Any:
    match content_type:
        case "text/plain; charset=utf-8":
            return body.decode()
        case "application/json":
            return json.loads(body)
        case _:
            return body


def _context(context: Context) -> bytes:
    """Bytes that are equal where it is."""
    if context is None:
        return b""
    body, content_type = _written(context)
    if content_type == JSON:
        body = json.dumps(context, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()
    return content_type.encode() + b"\n" + body


def _check(question: str, scope: str, attributes: Mapping[str, str] | None) -> None:
    _check_type("question", question, str, "text")
    _check_type("scope", scope, str, "text")
    _check_attributes(attributes)


def _check_attributes(attributes: Mapping[str, str] | None) -> None:
    if attributes is None:
        return
    _check_type("attributes", attributes, Mapping, "a mapping of texts to texts")
    if not all(isinstance(each, str) for pair in attributes.items() for each in pair):
        raise TypeError("`attributes` are texts, by names that are texts")
    wrong = unfit(attributes)
    if wrong:
        raise ValueError(f"`attributes`: {wrong}")


def _check_tags(tags: Sequence[str]) -> None:
    if isinstance(tags, str) or not (isinstance(tags, Iterable) and all(isinstance(tag, str) for tag in tags)):
        raise TypeError("`tags` is a list of texts")
    if any("\0" in tag for tag in tags):
        raise ValueError("`tags` are too many, or one is too long or no text")


def _check_type(name: str, value: object, kind: type | UnionType, words: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"`{name}` is {words}, not {type(value).__name__}")


def _similar(similar_to: str | tuple[str, float]) -> tuple[str, float]:
    match (similar_to, SIMILAR_AT_LEAST) if isinstance(similar_to, str) else similar_to:
        case str(text), float() | int() as at_least if text.strip() and 0 < at_least <= 1:
            return text, at_least
        case _:
            raise ValueError("`similar_to` is a text, or a text and a similarity above 0 and up to 1")


def _seconds(given: Seconds, name: str) -> float:
    if not isinstance(given, str):
        _check_type(name, given, int | float, "a number of seconds, or a duration like `24h`")
        return float(given)
    try:
        return float(parse_duration(given))
    except ValueError as error:
        raise ValueError(f"`{name}` is {error}, or a number of seconds") from None
