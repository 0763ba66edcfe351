"""The text of a request: what may be worded otherwise, and where it stands, so that it can be taken out of the rest.

What is not certainly text (pictures, unknown parts) makes a question one for its exact words only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.core.extract import Body, Extractors, Given, Query, first_value, query_parameters
from gateway.core.given import find_given, plain
from gateway.core.messages import Request

if TYPE_CHECKING:
    from gateway.core.jsonpath import Place

# The members `type` of a content part that is text, in the APIs that the presets cover; a part without `type` may be
# one as well (Gemini).
TEXT_PARTS = (None, "text", "input_text", "output_text")


class Text(msgspec.Struct, gc=False):
    """The text found: its pieces, where they stand in the body, and whether something else stood among them. Of one that a
    callable gave, `template` says how it is made of what stands there, `strings`."""

    pieces: list[str]
    places: list[Place]
    parameter: str | None
    pure: bool
    template: bytes | None = None
    strings: tuple[str, ...] = ()


def read_text(query: Extractors, request: Request, holder: list[object] | None) -> Text:
    """Pieces of the first extractor that finds any text or anything that is not text."""
    text = Text([], [], None, True)
    for extractor in query:
        match extractor:
            case Body(path=path):
                if holder is not None:
                    for place in path.places(holder):
                        _read_part(place, text, deep=True)
            case Query(name=name):
                text.pieces = [str(value) for value in extractor.values(request, holder)]
                text.parameter = name
            case Given():
                _read_given(str(first_value((extractor,), request, holder) or ""), text, request, holder)
            case _:
                text.pieces = [str(value) for value in extractor.values(request, holder)]
        if text.pieces or not text.pure:
            break
    return text


def _read_given(given: str, text: Text, request: Request, holder: list[object] | None) -> None:
    """What a callable gave is taken out of the body by value, and the one query parameter that is it as well."""
    text.pieces = [given]
    text.template = b"elsewhere"
    if holder is not None:
        found = find_given(given, holder)
        text.places, text.strings, text.template = found.places, tuple(found.strings), found.template
    values: dict[str, set[str]] = {}
    for name, value in query_parameters(request.query_string):
        values.setdefault(name, set()).add(plain(value))
    same = [name for name, said in values.items() if said == {plain(given)}]
    text.parameter = same[0] if same else None


def _read_part(place: Place, text: Text, *, deep: bool) -> None:
    container, key = place
    match container[key]:  # type: ignore[index]
        case str(piece):
            text.pieces.append(piece)
            text.places.append(place)
        case None:
            pass
        case list(parts) if deep:
            for index in range(len(parts)):
                _read_part((parts, index), text, deep=False)
        case dict(part) if isinstance(part.get("text"), str) and part.get("type") in TEXT_PARTS:
            text.pieces.append(part["text"])
            text.places.append((part, "text"))
        case _:
            text.pure = False
