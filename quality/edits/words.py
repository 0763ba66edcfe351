"""The word lists of words/*.txt as values: names by sort, words that exclude each other, words that say the same.

Lists are found by language (`en.txt`, `en-same.txt`, `en-fillers.txt`); a language without a list has an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "words"
FORMS = Path(__file__).parent / "forms"


def lines(path: Path) -> Iterator[str]:
    """The lines of a list that say something. Blanks at the end count: a prefix may end with one."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                yield line


@cache
def names() -> dict[str, tuple[tuple[str, ...], ...]]:
    """Names by sort, each with all its words."""
    found = {}
    for line in lines(FOLDER / "names.txt"):
        sort, _, rest = line.partition(" = ")
        found[sort] = tuple(tuple(word.strip() for word in meaning.split("/")) for meaning in rest.split(" | "))
    # Folders begin with the sign that parts words elsewhere.
    found["folder"] = tuple(("".join(word),) for word in _folders())
    return found


def _folders() -> list[str]:
    line = next(line for line in lines(FOLDER / "names.txt") if line.startswith("folder = "))
    return line.partition(" = ")[2].split(" | ")


@dataclass(frozen=True)
class Exclusion:
    """Words of one kind that exclude each other."""

    kind: str
    words: tuple[str, ...]


@cache
def exclusions(language: str) -> tuple[Exclusion, ...]:
    found = []
    for line in lines(FOLDER / f"{language}.txt"):
        kind, _, rest = line.partition(": ")
        found.append(Exclusion(kind, tuple(word.strip() for word in rest.split(" | "))))
    return tuple(found)


@dataclass(frozen=True)
class Sameness:
    """`old` may be replaced by `new` in any sentence."""

    kind: str
    old: str
    new: str


@cache
def samenesses(language: str) -> tuple[Sameness, ...]:
    found = []
    for line in lines(FOLDER / f"{language}-same.txt"):
        kind, _, rest = line.partition(": ")
        matched = re.fullmatch(r"(.+) ([=>]) (.+)", rest)
        assert matched, f"{language}-same.txt: {line!r} has neither = nor >"
        old, sign, new = matched.groups()
        found.append(Sameness(kind, old, new))
        if sign == "=":
            found.append(Sameness(kind, new, old))
    return tuple(found)


@dataclass(frozen=True)
class Filler:
    """Words around a sentence (`place` prefix or suffix), inside it, or the words of a self-correction."""

    place: str
    kind: str
    words: str


@cache
def fillers(language: str) -> tuple[Filler, ...]:
    found = []
    for line in lines(FOLDER / f"{language}-fillers.txt"):
        head, _, words = line.partition(": ")
        place, _, kind = head.rstrip(")").partition("(")
        found.append(Filler(place, kind or place, words))
    return tuple(found)


@dataclass(frozen=True)
class Turn:
    """Sentences around the same gap that all ask for something else."""

    kind: str
    form: str
    sentences: tuple[str, ...]


@cache
def forms(language: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """By form, the ways to say it: kind of rewrite, sentence with a gap `{}`."""
    found: dict[str, list[tuple[str, str]]] = {"say": [("reworded", "{}")], "key": [("terse", "{}")]}
    for line in lines(FORMS / f"{language}.txt"):
        if not line.startswith(("turn ", "narrow ")):
            head, _, sentence = line.partition(": ")
            form, _, kind = head.rstrip(")").partition("(")
            found.setdefault(form, []).append((kind or "reworded", sentence))
    return {form: tuple(ways) for form, ways in found.items()}


@cache
def turns(language: str) -> tuple[Turn, ...]:
    found = []
    for line in lines(FORMS / f"{language}.txt"):
        if line.startswith("turn "):
            head, _, rest = line.partition(" = ")
            _, kind, form = head.split()
            found.append(Turn(kind, form, tuple(rest.split(" | "))))
    return tuple(found)


@cache
def narrowings(language: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """By form, what put at the end of a question asks for less or in another shape: its kind and words."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for line in lines(FORMS / f"{language}.txt"):
        if line.startswith("narrow "):
            head, _, words = line.partition(": ")
            _, kind, form = head.split()
            found[form] = (*found.get(form, ()), (kind, words))
    return found
