"""The words of a text, each in its canonical form, before anything is left out or joined. Pure.

A text is put together from its pieces between spaces: most of them were read before.
"""

from __future__ import annotations

import re

from gateway.core.folding import fold
from gateway.core.lexicon import CONTENT, NUMBER, UNITS
from gateway.core.pairs_words import canonical, count_on

_TOKEN = re.compile(
    r"[^\W\d_](?:\.[^\W\d_])+\b\.?"  # a.m., U.S
    r"|[^\W\d_]+(?:'[^\W\d_]+)*"  # words, with their apostrophes
    r"|(?=[.!?:;])(?:"  # the end of a sentence, one follows
    r"(?:(?<=[^\W_]{3})|(?<=[^\W_]{2} )|(?<=\b(?:it|me|us|up|so|do|is|on|in)))[.!?:;]+(?=\s+\S)|(?<=\d)[?!]+(?=\s+\S)|(?<=%)[.!?]+(?=\s+\S))"
    r"|\d+(?:st|nd|rd|th)\b"
    r"|\d+(?:[.,:]\d+)*"
    r"|(?=[-−])(?:(?<=\s)[-−](?=\d)|(?<=\d)[-−](?=\s?\d)|(?<=\d\s)[-−](?=\s\d))"  # minus; others only join
    r"|\*(?!\.)|[^\w\s*.,?!;:\"'`()\[\]{}\-…“”„«»‘’¿¡–—]"
)
_KEPT = 40
"""Longest word that is looked up and remembered; a longer one (a key, a URL) stands for itself."""
_PIECES_KEPT = 16384
"""Pieces of text that are remembered with their words."""
_ENDS, _NEXT = ".!?:;", "x"
_NEIGHBOURED = re.compile(r"^[.!?:;\-−]|[\-−]$")
"""A piece of text whose reading depends on more of its neighbours than that one follows: "- 5", " ?"."""
_Row = tuple[str, str, str]
"""A canonical word, its kind, and the token that it was read from."""
_OPEN_ENDED: _Row = ("", "", "")
"""Stands for the words of a piece that cannot be read by itself."""


def _rows(text: str) -> list[_Row]:
    return [
        (word, kind, token)
        for token in _TOKEN.findall(text)
        for word, kind in (canonical(token) if len(token) <= _KEPT else ((token, CONTENT),))
    ]


class _Pieces(dict[str, tuple[_Row, ...]]):
    """What stands between two spaces, and its words where another piece follows. Remembers a limited number."""

    def __missing__(self, piece: str) -> tuple[_Row, ...]:
        rows = (_OPEN_ENDED,) if _NEIGHBOURED.search(piece) else tuple(_rows(f"{piece} {_NEXT}")[:-1])
        if len(piece) <= _KEPT:
            if len(self) >= _PIECES_KEPT:
                self.clear()
            self[piece] = rows
        return rows


_pieces = _Pieces()


def _rows_by_piece(text: str) -> list[_Row]:
    pieces = text.split()
    if pieces:
        pieces[-1] = pieces[-1].rstrip(_ENDS)  # behind the last one no sentence begins
    rows = [row for piece in pieces for row in _pieces[piece]]
    return _rows(text) if _OPEN_ENDED in rows else rows


def words_and_kinds(text: str) -> tuple[list[str], list[str]]:
    """Every word of a folded text and its kind, numbers of several words in one."""
    rows = _rows_by_piece(text)
    kinds = [kind for _, kind, _ in rows]
    return _counted(rows) if NUMBER in kinds else ([word for word, _, _ in rows], kinds)


def _counted(rows: list[_Row]) -> tuple[list[str], list[str]]:
    """Words and kinds, with numbers of several words in one: "twenty five", "2 thousand"."""
    words: list[str] = []
    kinds: list[str] = []
    last = CONTENT
    for word, kind, token in rows:
        if last is NUMBER and (kind is NUMBER or word in UNITS):
            count_on(words, kinds, word, kind, token)
        else:
            if kind is NUMBER and words and words[-1] == "v":  # v6.12
                del words[-1], kinds[-1]
            words.append(word)
            kinds.append(kind)
        last = kind
    return words, kinds


def words_in(text: str) -> frozenset[str]:
    """Every word of a text, as it stands in a reading."""
    return frozenset([word for word, _, token in _rows_by_piece(fold(text.lower())) if len(token) <= _KEPT])
