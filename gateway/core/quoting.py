"""Texts of other people, quoted for a model: one line of JSON that cannot end its own quotes.

In JSON written here neither a line break nor `<` exists: no text can close the marks around it, or stand where an
instruction would.
"""

from __future__ import annotations

import msgspec

MARKS = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029", "\x85": "\\u0085"}
)


def quoted_as(mark: str, value: object) -> str:
    """The value as JSON between `<mark>` and `</mark>`. Raises UnicodeEncodeError for text that is not Unicode (lone
    surrogates)."""
    line = msgspec.json.encode(value).decode().translate(MARKS)
    return f"<{mark}>\n{line}\n</{mark}>"
