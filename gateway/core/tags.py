"""Tags: the words that an operator can purge entries by; where they come from and which are fit to be stored.

A route's extractors find them in the request, and the upstream names more in its `Cache-Tag` header. An entry whose
tags could not all be stored would escape a purge by the one that is missing, so such an answer is not kept at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.extract import Extractors, has_value
from gateway.core.keys import canonical

if TYPE_CHECKING:
    from gateway.core.messages import Headers, Request

MOST_TAGS = 64
LONGEST_TAG = 256
"""Bytes of UTF-8."""
HEADER = b"cache-tag"


def read_tags(extractors: Extractors, request: Request, holder: list[object] | None) -> tuple[str, ...]:
    """Every value of every extractor, once; of a list each member is one. One more than MOST_TAGS at most: by then it is
    known that they are too many."""
    found: dict[str, None] = {}
    for extractor in extractors:
        for value in extractor.values(request, holder):
            for each in value if isinstance(value, list) else (value,):
                if has_value(each):
                    found[each if isinstance(each, str) else canonical(each).decode()] = None
                if len(found) > MOST_TAGS:
                    return tuple(found)
    return tuple(found)


def answer_tags(headers: Headers) -> tuple[str, ...]:
    """What the upstream's `Cache-Tag` headers name: separated by commas, without the spaces around them."""
    found: dict[str, None] = {}
    for name, value in headers:
        if name == HEADER:
            for each in value.decode("utf-8", "surrogateescape").split(","):
                if each.strip():
                    found[each.strip()] = None
    return tuple(found)


def all_tags(asked: tuple[str, ...], headers: Headers) -> tuple[str, ...] | None:
    """Those of the request and of the answer together. None: not fit to be stored, as they are too many, or one is too
    long or no text (PostgreSQL has no place for a NUL)."""
    tags = tuple(dict.fromkeys((*asked, *answer_tags(headers))))
    return tags if len(tags) <= MOST_TAGS and all(_is_fit(tag) for tag in tags) else None


def _is_fit(tag: str) -> bool:
    if len(tag) > LONGEST_TAG or "\0" in tag:
        return False
    try:
        return len(tag.encode()) <= LONGEST_TAG
    except UnicodeEncodeError:
        return False
