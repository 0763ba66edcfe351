"""What goes in and out of the REST cache, by the names that LangCache's public API has for it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

LONGEST_PROMPT = 1024
"""Characters of a prompt, and of each earlier turn."""
MOST_TURNS = 100
"""Earlier turns of a conversation."""
MOST_ATTRIBUTES = 5
LONGEST_VALUE = 500
"""Characters of an attribute's value."""
LONGEST_TTL_MS = 31_556_952_000
"""A year."""
MOST_RESULTS = 100


class Strategy(StrEnum):
    EXACT = "exact"
    SEMANTIC = "semantic"


class Put(msgspec.Struct, frozen=True):
    """`ttl` in seconds, None: the route's."""

    prompt: str
    response: str
    attributes: dict[str, str]
    ttl: float | None


class Sought(msgspec.Struct, frozen=True):
    """`threshold` None: the route's own rule; `strategies` in the order of their priority, empty: not said; `context` are
    the earlier turns of a conversation, oldest first."""

    prompt: str
    threshold: float | None
    strategies: tuple[Strategy, ...]
    attributes: dict[str, str]
    limit: int
    context: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """One entry, as it is shown."""

    id: str
    prompt: str
    response: str
    attributes: dict[str, str]
    similarity: float
    search_strategy: Strategy


class SearchAnswer(msgspec.Struct, frozen=True):
    data: list[Found]


class ConversationAnswer(msgspec.Struct, frozen=True, rename="camel"):
    actual_prompt: str
    data: list[Found]


class SetAnswer(msgspec.Struct, frozen=True, rename="camel"):
    entry_id: str


class DeleteAnswer(msgspec.Struct, frozen=True, rename="camel"):
    deleted_entries_count: int
