"""Rewrites that leave any question the same question: case, punctuation, politeness, typos, contractions, synonyms.

Works on text alone, like changes.py. Each function returns a new text, or None where it does not fit. Typos keep away
from words that carry the meaning by themselves: numbers, names, negations, short words, words of the change lists.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from random import Random

from quality.edits.changes import cased
from quality.edits.values import in_words
from quality.edits.words import exclusions, fillers, samenesses

NEIGHBOURS = {
    "q": "wa", "w": "qe", "e": "wr", "r": "et", "t": "ry", "y": "tu", "u": "yi", "i": "uo", "o": "ip", "p": "o",
    "a": "sq", "s": "ad", "d": "sf", "f": "dg", "g": "fh", "h": "gj", "j": "hk", "k": "jl", "l": "k",
    "z": "x", "x": "zc", "c": "xv", "v": "cb", "b": "vn", "n": "bm", "m": "n",
}  # fmt: skip
GERMAN = (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue"), ("ß", "ss"))
_WORD = re.compile(r"[^\W\d_]{5,}")
_SMALL = re.compile(r"(?<![\w.,:#/$€£-])(?<!CHF )(\d{1,2})(?![\w.,:%/-]|\s?(?:[ap]\.?m|%|percent))")
_PERCENT = re.compile(r"(\d)\s?%")
_PERCENT_WORD = re.compile(r"(\d) per ?cent\b")
_THOUSANDS = re.compile(r"(?<![\w.,#-])(\d{1,3}),(\d{3})(?![\d,])")
_HOUR = re.compile(r"(?<![\w:])(\d{1,2}) ?([ap])m\b", re.IGNORECASE)

Rewrite = Callable[[str, Random, str], str | None]


def case(text: str, chance: Random, language: str) -> str | None:
    ways = [text.lower(), text.lower(), text.upper(), text[:1].swapcase() + text[1:]]
    if language == "en":
        ways.append(text.title())
    return _other(chance.choice(ways), text)


def punctuation(text: str, chance: Random, language: str) -> str | None:
    ways = [text.rstrip("?.! "), text.rstrip("?.! ") + chance.choice(("??", "?!", "!", "...", ".", " ?"))]
    if "," in text:
        ways.append(text.replace(",", ""))
    if "'" in text and language == "en":
        ways.append(re.sub(r"(?<=\w)'(?=\w)", "", text) if not re.search(r"n't", text) else text.replace("'", "’"))
    if not re.search(r"[?.!]$", text):
        ways.append(text + "?")
    return _other(chance.choice(ways), text)


def politeness(text: str, chance: Random, language: str) -> str | None:
    return _around(text, chance, language, "politeness")


def filler(text: str, chance: Random, language: str) -> str | None:
    inside = [filler.words for filler in fillers(language) if filler.place == "inside"]
    if inside and chance.random() < 0.4:
        spaces = [found.start() for found in re.finditer(" ", text)]
        if len(spaces) > 2:
            place = chance.choice(spaces)
            return f"{text[:place]} {chance.choice(inside)}{text[place:]}"
    return _around(text, chance, language, "filler")


def long(text: str, chance: Random, language: str) -> str | None:
    return _around(text, chance, language, "long")


def _around(text: str, chance: Random, language: str, kind: str) -> str | None:
    fitting = [filler for filler in fillers(language) if filler.kind == kind and filler.place in ("prefix", "suffix")]
    if not fitting:
        return None
    chosen = chance.choice(fitting)
    if chosen.place == "prefix":
        lowered = (
            text
            if chance.random() < 0.5 or re.match(r"I\b|[A-Z]{2}|[A-Z]\w* [A-Z]", text)
            else text[:1].lower() + text[1:]
        )
        return chosen.words + lowered
    if chosen.words.startswith((",", "...", " please", " lol", " if", " I wonder")):
        end = re.search(r"[?.!]*$", text)
        assert end
        return text[: end.start()] + chosen.words + (end.group() if chance.random() < 0.7 else "")
    return text + chosen.words if re.search(r"[?.!]$", text) else f"{text}.{chosen.words}"


def typo(text: str, chance: Random, language: str) -> str | None:
    found = [match for match in _WORD.finditer(text) if _may_be_mistyped(match.group(), match.start(), language)]
    if not found:
        return None
    for match in sorted(
        chance.sample(found, min(len(found), 1 if chance.random() < 0.75 else 2)), key=lambda match: -match.start()
    ):
        text = text[: match.start()] + _mistyped(match.group(), chance) + text[match.end() :]
    return text


def _may_be_mistyped(word: str, place: int, language: str) -> bool:
    return (place == 0 or word.islower()) and word.lower() not in _telling(language)


@cache
def _telling(language: str) -> frozenset[str]:
    return frozenset(
        part.lower() for exclusion in exclusions(language) for word in exclusion.words for part in word.split()
    )


def _mistyped(word: str, chance: Random) -> str:
    place = chance.randrange(1, len(word) - 1)
    match chance.randrange(4):
        case 0:
            letter = chance.choice(NEIGHBOURS.get(word[place], "e"))
            return word[:place] + letter + word[place + 1 :]
        case 1 if word[place] != word[place + 1]:
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        case 2:
            return word[:place] + word[place] + word[place:]
        case _:
            return word[:place] + word[place + 1 :]


def whitespace(text: str, chance: Random, language: str) -> str | None:
    spaces = [found.start() for found in re.finditer(" ", text)]
    if not spaces:
        return None
    place = chance.choice(spaces)
    ways = [
        text[:place] + " " + text[place:],
        text[:place] + "\n" + text[place + 1 :],
        f"  {text}",
        f"{text}  ",
        f"{text}\n",
    ]
    ways.append(text.replace(" ", "  "))
    ways.append(text[:place] + "\u00a0" + text[place + 1 :])
    return chance.choice(ways)


def diacritics(text: str, chance: Random, language: str) -> str | None:
    if language == "de":
        for old, new in GERMAN:
            text = text.replace(old, new)
        return text
    bare = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    return _other(bare, text)


def numberform(text: str, chance: Random, language: str) -> str | None:
    if language != "en":
        return None
    ways = [_PERCENT.sub(r"\1 percent", text), _PERCENT_WORD.sub(r"\1%", text), _THOUSANDS.sub(r"\1\2", text)]
    ways.append(_SMALL.sub(lambda found: in_words(int(found[1])) or found[1], text, count=1))
    ways.append(_HOUR.sub(lambda found: f"{int(found[1]) % 12 + (12 if found[2].lower() == 'p' else 0)}:00", text))
    fitting = [way for way in ways if way != text]
    return chance.choice(fitting) if fitting else None


def _replaced(kind: str) -> Rewrite:
    def rewrite(text: str, chance: Random, language: str) -> str | None:
        pattern, table = _same_words(kind, language)
        found = [match for match in pattern.finditer(text) if match.group().lower() in table] if table else []
        if not found:
            return None
        match = chance.choice(found)
        return (
            text[: match.start()]
            + cased(chance.choice(table[match.group().lower()]), match.group())
            + text[match.end() :]
        )

    return rewrite


@cache
def _same_words(kind: str, language: str) -> tuple[re.Pattern[str], dict[str, tuple[str, ...]]]:
    table: dict[str, tuple[str, ...]] = {}
    for same in samenesses(language):
        if same.kind == kind:
            table[same.old] = (*table.get(same.old, ()), same.new)
    words = "|".join(re.escape(word) for word in sorted(table, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<![\w'/-])(?:{words})(?![\w'-])", re.IGNORECASE), table


def _other(new: str, old: str) -> str | None:
    return new if new and new != old else None


REWRITES: dict[str, Rewrite] = {
    "case": case,
    "punctuation": punctuation,
    "politeness": politeness,
    "filler": filler,
    "long": long,
    "typo": typo,
    "whitespace": whitespace,
    "diacritics": diacritics,
    "numberform": numberform,
    "contraction": _replaced("contraction"),
    "synonym": _replaced("synonym"),
    "spelling": _replaced("spelling"),
    "abbreviation": _replaced("abbreviation"),
    "plural": _replaced("plural"),
    "reworded": _replaced("phrase"),
}


def rewrite(text: str, kind: str, chance: Random, language: str = "en") -> str | None:
    """The text after one rewrite of this kind, or None where none fits."""
    new = REWRITES[kind](text, chance, language)
    return None if new is None or new == text else new
