"""What kind of thing a name stands for, and other words that add nothing beside the words they stand with.

Tables only; the lists are our own. `pairs_things` passes these words over where one side alone says them.
"""

from __future__ import annotations

from gateway.core.lexicon_same import SAME


def _canonical(text: str) -> frozenset[str]:
    return frozenset(SAME.get(word, word) for word in text.split())


BEFORE_NAMES = _canonical(
    """
    directory folder file document script path command utility program tool function method class module package library
    variable parameter argument option flag string word text term phrase pattern expression regex keyword
    column field table database attribute extension suffix prefix user account host server process branch repository
    city town village movie film book novel song album band singer author writer actor actress artist director composer
    musician professor doctor mr mrs ms miss sir company brand app website game series show novelist poet painter player language
    """
)
"""In front of a name or a literal these only say what it is: "the city of Paris", "user vivek", "the string 'x'"."""

BEHIND_LITERALS = _canonical(
    """
    directory folder file script command utility function variable parameter option flag string word column table database
    """
)
"""Behind a literal likewise; behind a name not, for "the Google database" is not Google."""

BEFORE_NUMBERS = _canonical("year number")

LINKS = frozenset(("of", "called", "named", "titled", "entitled"))
"""Between such a noun and the name."""

UNDERSTOOD = {
    SAME.get(head, head): _canonical(nouns)
    for head, nouns in {
        "pin": "number code",
        "atm": "machine",
        "mobile": "phone",
        "cell": "phone",
        "qr": "code",
        "vat": "tax",
        "sim": "card",
        "gps": "system",
        "isbn": "number",
        **dict.fromkeys(_canonical("pdf csv json xml yaml html txt docx xlsx png jpg jpeg gif svg mp3 mp4"), "file"),
        "zip": "code file",
    }.items()
}
"""Nouns that go without saying behind this word."""

LISTING = _canonical(
    "find list show search display print return get give name locate retrieve fetch enumerate select report view see"
)
"""At the head of a request these mean all there are, with "all" or without."""
LOOKING = _canonical("find list show search display locate retrieve enumerate")
"""At the head of a request for all that fits these ask for the same."""
FINDING = _canonical("find locate search")
"""At the head of a request for something else these only say that it must be found first: "find all X and delete them"."""
HAVING = _canonical("with contain containing have has having include including")
ALL = frozenset(("all", "every", "any"))
