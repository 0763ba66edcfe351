"""The small form of a question and its answer, as a route of `kind: query` has it: read, refused, worded. Nothing is awaited.

It is the form of the small FastAPI services that people begin with, their errors included: what is wrong with a body is
told as FastAPI does it (`{"detail": [{"loc", "msg", "type"}]}`), and values are read as leniently as there.
"""

from __future__ import annotations

import json
import math
from typing import TypeAlias

import msgspec

from gateway.core.body import Document
from gateway.core.messages import Hit, HitKind

Place: TypeAlias = tuple[str | int, ...]

_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
_BODY = "body"


class Question(msgspec.Struct, frozen=True):
    """`threshold` is a cosine similarity, None where the client leaves it to the route."""

    text: str
    use_cache: bool = True
    threshold: float | None = None


class Wrong(msgspec.Struct, frozen=True):
    """One thing that is wrong with a body; `type` as FastAPI (Pydantic) names it."""

    loc: Place
    msg: str
    type: str


class Refusal(msgspec.Struct, frozen=True):
    """The body of a 422."""

    detail: list[Wrong]


class CachedData(msgspec.Struct, frozen=True):
    """`cache_timestamp` is Unix seconds; `cached_query` is None where it cannot be read any more."""

    cached_response: object
    similarity_score: float
    cached_query: str | None
    cache_timestamp: float


class Answer(msgspec.Struct, frozen=True):
    """`cached_data` is None on a miss; `embedding_dimension` where there is no embedder, or it is not known yet;
    `processing_time` in seconds."""

    query: str
    response: object
    cache_hit: bool
    cached_data: CachedData | None
    embedding_dimension: int | None
    processing_time: float


def read_question(body: bytes) -> Question | Refusal:
    """The question, or everything that is wrong with the body."""
    if not body:
        return Refusal([_missing((_BODY,))])
    document = Document(body)
    if document.holder is None:
        return Refusal([_not_json(body)])
    members = document.holder[0]
    if not isinstance(members, dict):
        text = "Input should be a valid dictionary or object to extract fields from"
        return Refusal([Wrong((_BODY,), text, "model_attributes_type")])
    wrong: list[Wrong] = []
    text = _text(members, wrong)
    use_cache = _use_cache(members.get("use_cache", True), wrong)
    threshold = _threshold(members.get("similarity_threshold"), wrong)
    return Refusal(wrong) if wrong else Question(text, use_cache, threshold)


def cached_data(hit: Hit, asked: str, response: object) -> CachedData:
    """What is told of a stored answer. The same words are as near as can be."""
    same = hit.kind is HitKind.EXACT
    return CachedData(
        cached_response=response,
        similarity_score=1.0 if same or hit.similarity is None else hit.similarity,
        cached_query=asked if same else hit.question,
        cache_timestamp=hit.entry.created_at,
    )


def _text(members: dict[str, object], wrong: list[Wrong]) -> str:
    at = (_BODY, "query")
    match members.get("query", ...):
        case str(text) if text.strip():
            return text
        case str():
            wrong.append(Wrong(at, "String should have at least 1 character", "string_too_short"))
        case value if value is ...:
            wrong.append(_missing(at))
        case _:
            wrong.append(Wrong(at, "Input should be a valid string", "string_type"))
    return ""


def _use_cache(value: object, wrong: list[Wrong]) -> bool:
    said = _BOOLEANS.get(value.lower()) if isinstance(value, str) else value
    if isinstance(said, bool | int | float) and said in (0, 1):
        return bool(said)
    at = (_BODY, "use_cache")
    if isinstance(value, str | int | float):
        text = "Input should be a valid boolean, unable to interpret input"
        wrong.append(Wrong(at, text, "bool_parsing"))
    else:
        wrong.append(Wrong(at, "Input should be a valid boolean", "bool_type"))
    return True


def _threshold(value: object, wrong: list[Wrong]) -> float | None:
    at = (_BODY, "similarity_threshold")
    if value is None:
        return None
    if not isinstance(value, str | int | float):
        wrong.append(Wrong(at, "Input should be a valid number", "float_type"))
        return None
    try:
        threshold = float(value)
    except (ValueError, OverflowError):
        text = "Input should be a valid number, unable to parse string as a number"
        wrong.append(Wrong(at, text, "float_parsing"))
        return None
    if not math.isfinite(threshold):
        wrong.append(Wrong(at, "Input should be a finite number", "finite_number"))
    elif threshold < 0:
        wrong.append(Wrong(at, "Input should be greater than or equal to 0", "greater_than_equal"))
    elif threshold > 1:
        wrong.append(Wrong(at, "Input should be less than or equal to 1", "less_than_equal"))
    return threshold


def _missing(at: Place) -> Wrong:
    return Wrong(at, "Field required", "missing")


def _not_json(body: bytes) -> Wrong:
    """Where it stops being JSON; a body that readers would take for different things is none either."""
    position, problem = 0, "members given twice, text that is not Unicode, or too many levels"
    try:
        json.loads(body)
    except json.JSONDecodeError as error:
        position, problem = error.pos, error.msg
    except (UnicodeDecodeError, RecursionError):
        pass
    return Wrong((_BODY, position), f"JSON decode error: {problem}", "json_invalid")
