"""What a search of a Shelf found, as it is handed out: entries with their questions and attributes, and why there are none."""

from __future__ import annotations

import msgspec

from gateway.core.messages import Denial, Hit, HitKind, Reason
from gateway.engine.search import Query

TEXT = "text/plain; charset=utf-8"


class Shelved(msgspec.Struct, frozen=True):
    """An entry that was found. `question` is in the words that it was put under, None where they cannot be read;
    `similarity` 1 where they are the same. Times are Unix seconds."""

    id: str
    question: str | None
    answer: bytes
    content_type: str
    similarity: float
    kind: HitKind
    score: float | None
    attributes: dict[str, str]
    tags: tuple[str, ...]
    created_at: float
    expires_at: float


class Looked(msgspec.Struct, frozen=True):
    """What a search found, best first; `reason` why nothing, `similarity` the best seen, near enough or not. `denial` is
    what whoever asks a refused question is to be told."""

    found: tuple[Shelved, ...]
    reason: Reason | None = None
    similarity: float | None = None
    denial: Denial | None = None


def looked(hits: list[Hit], query: Query) -> Looked:
    """These hits, the best first; or why there are none."""
    if not hits:
        return Looked((), query.reason, query.similarity)
    return Looked(tuple(map(_shelved, hits)), None, 1.0 if hits[0].similarity is None else hits[0].similarity)


def _shelved(hit: Hit) -> Shelved:
    entry = hit.entry
    assert entry.mark is not None
    types = [value.decode("latin-1") for name, value in entry.headers if name == b"content-type"]
    return Shelved(
        id=entry.id,
        question=hit.question,
        answer=entry.body,
        content_type=types[0] if types else TEXT,
        similarity=1.0 if hit.similarity is None else hit.similarity,
        kind=hit.kind,
        score=hit.score,
        attributes=dict(entry.mark.attributes),
        tags=entry.tags,
        created_at=entry.created_at,
        expires_at=entry.expires_at,
    )
