"""What a program puts into the cache by hand: a question and its attributes -> the keys that it is kept and found under.

A question has one place for each set of attributes, so the same put again replaces, and with other attributes it is
another entry. Attributes are exact pairs of texts: stored sealed with the answer, and compared as keyed digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.core.keys import Keyer
from gateway.core.messages import Shelfmark, Subject

MOST_ATTRIBUTES = 32
LONGEST_ATTRIBUTE = 1024
"""Characters of a name, and of a value."""


class Place(NamedTuple):
    """Where something is put and looked for: who may share it (a digest), a part of that scope which is searched and emptied
    by itself (b"": none; to remove things from there is to remove them from all of the scope), and whatever else must be
    equal."""

    scope: bytes
    within: bytes = b""
    context: bytes = b""


class Placed(NamedTuple):
    """The question as a look-up sees it, the key of the entry with just these attributes, and what it is found by."""

    subject: Subject
    exact: bytes
    mark: Shelfmark


def place(keyer: Keyer, question: str, at: Place, attributes: Mapping[str, str], tags: tuple[str, ...] = ()) -> Placed:
    """Question and attributes must be fit to be stored (see below)."""
    partition, text = keyer.shelf(*at), question.encode()
    words = keyer.exact(partition, [text])
    pairs = tuple(sorted(attributes.items()))
    encoded = [(name.encode(), value.encode()) for name, value in pairs]
    exact = keyer.exact(partition, [text, *(each for pair in encoded for each in pair)])
    mark = Shelfmark(words, pairs, labels(keyer, at, attributes))
    subject = Subject(at.scope, partition, words, question, exact_only=False, model=None, tags=tags)
    return Placed(subject, exact, mark)


def labels(keyer: Keyer, at: Place, attributes: Mapping[str, str]) -> tuple[bytes, ...]:
    """What is found here, whatever its context, has a label for each attribute, and one for the part of the scope."""
    listed = [(name.encode(), value.encode()) for name, value in sorted(attributes.items())]
    if at.within:
        listed.append((b"", at.within))  # no attribute has such a name
    return tuple(keyer.label(at.scope, name, value) for name, value in listed)


def is_text(question: str) -> bool:
    """Is there anything in it, and can it be written?"""
    return bool(question.strip()) and _is_encodable(question)


def unfit(attributes: Mapping[str, str]) -> str:
    """What is wrong with them, in words for whoever gave them; "" where nothing is."""
    if len(attributes) > MOST_ATTRIBUTES:
        return f"at most {MOST_ATTRIBUTES} attributes"
    for name, value in attributes.items():
        if not name:
            return "an attribute has a name"
        if max(len(name), len(value)) > LONGEST_ATTRIBUTE:
            return f"an attribute's name and value have at most {LONGEST_ATTRIBUTE} characters"
        if not (_is_encodable(name) and _is_encodable(value)):
            return "an attribute's name and value are valid Unicode"
    return ""


def _is_encodable(text: str) -> bool:
    """Lone surrogates are not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
