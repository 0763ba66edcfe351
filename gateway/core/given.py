"""A text that a program's own callable gave -> where it stands in the request, so that it can be taken out of what must be equal.

A callable says what the text is, not where. It is found by value: strings of the body that are the text, or else strings
of three or more words that it is put together from. What the text has besides them, and in which order they stand in it,
must be equal like the rest of the body: so two requests in one partition differ in the text, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from gateway.core.keys import frame

if TYPE_CHECKING:
    from gateway.core.jsonpath import Place

FEWEST_WORDS = 3
"""A shorter string stands in a text by chance."""
MOST_PARTS = 64
"""Strings that a text may be put together from; more are left in the body, where they must be equal."""


class Found(msgspec.Struct, gc=False):
    """The `places` of the text in the body, the strings there, and the bytes that tell how the text is made of them."""

    places: list[Place]
    strings: list[str]
    template: bytes


def plain(text: str) -> str:
    """The text without its case and its white space: words with one space between them."""
    return " ".join(text.casefold().split())


def find_given(text: str, holder: list[object]) -> Found:
    """Where this text stands; no places where it does not."""
    wanted = plain(text)
    written = [(place, string, plain(string)) for place, string in _strings(holder)]
    whole = [each for each in written if each[2] == wanted] if wanted else []
    if whole:
        return Found([place for place, _, _ in whole], [string for _, string, _ in whole], b"whole")
    parts = [each for each in written if each[2].count(" ") + 1 >= FEWEST_WORDS and len(each[2]) < len(wanted)]
    spans = _spans(wanted, [part for _, _, part in parts[:MOST_PARTS]])
    taken = [(*parts[index], span) for index, span in sorted(spans.items())]
    ordered = sorted((span, index) for index, (_, _, _, span) in enumerate(taken))
    pieces, end = [], 0
    for (begin, until), index in ordered:
        pieces += [wanted[end:begin].encode("utf-8", "surrogateescape"), b"%d" % index]
        end = until
    pieces.append(wanted[end:].encode("utf-8", "surrogateescape"))
    template = frame(*pieces) if taken else b"elsewhere"
    return Found([place for place, _, _, _ in taken], [string for _, string, _, _ in taken], template)


def _spans(text: str, parts: list[str]) -> dict[int, tuple[int, int]]:
    """Where each part stands in the text, the longest first and none over another, by the index of the part."""
    spans: dict[int, tuple[int, int]] = {}
    for index in sorted(range(len(parts)), key=lambda index: (-len(parts[index]), index)):
        span = _free_span(f" {text} ", f" {parts[index]} ", list(spans.values()))
        if span is not None:
            spans[index] = span
    return spans


def _free_span(text: str, part: str, taken: list[tuple[int, int]]) -> tuple[int, int] | None:
    """The first place of the part that no other has. Both have a space at either end, so that only whole words are found."""
    begin = text.find(part)
    while begin >= 0:
        span = (begin, begin + len(part) - 2)
        over = [end for start, end in taken if start < span[1] and span[0] < end]
        if not over:
            return span
        begin = text.find(part, max(over))
    return None


def _strings(holder: list[object]) -> Iterator[tuple[Place, str]]:
    """Every string of a document and its place, in the document's order; names of members are none."""
    waiting: list[Place] = [(holder, 0)]
    while waiting:
        container, key = place = waiting.pop()
        match container[key]:  # type: ignore[index]
            case str(string):
                yield place, string
            case dict(members):
                waiting += [(members, name) for name in reversed(members)]
            case list(items):
                waiting += [(items, index) for index in reversed(range(len(items)))]
            case _:
                pass
