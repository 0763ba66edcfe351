"""One edit that changes what any sentence asks: another number, a negation, an antonym, ends swapped, another name.

Works on text alone, so it serves templates and questions of any other origin. An edit need not give good prose; it must
not be harmless. Each function yields every edit of its kind that fits; whoever calls picks one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from random import Random

from quality.edits.values import NUMBER_WORDS, TENS
from quality.edits.words import exclusions

Edit = tuple[str, str]
"""Kind of the change, and the whole text after it."""

_PUNCTUATION = re.compile(r"(?:[^\w$€£¥%°+<>=]|_)+")
_NUMBER = re.compile(r"(?<![\w.#-])\d+(?:[.,]\d+)*(?![\w-])")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join([*NUMBER_WORDS[2:], *TENS.values()])})\b", re.IGNORECASE)
_SPAN = r"((?:the |my |a )?(?!(?:to|into|from|and|on|in|for|at|by|with)\b)[\w'.-]+(?: (?-i:[A-Z])[\w'-]*)?)"
_FROM_TO = re.compile(rf"\bfrom {_SPAN} (to|into) {_SPAN}", re.IGNORECASE)
_VERSUS = re.compile(
    rf"\b(convert|translate|change|exchange|swap|replace) (?!from\b){_SPAN} (to|into|with|by) {_SPAN}", re.IGNORECASE
)
_NEGATABLE = {
    "en": re.compile(
        r"\b(is|are|was|were|do|does|did|can|could|should|would|will|has|have|must|may)(?! not\b|n't)(?= (?:i|you|we|they|it|he|she|my|the|this|that|be|there|been|your)\b)"
        r"( (?:i|you|we|they|it|he|she|there|this|that)\b)?",
        re.IGNORECASE,
    )
}
_PLAIN_AUXILIARY = re.compile(
    r"\b(is|are|was|were|can|could|should|would|will|has|must|do|does|did)\b(?! not\b)(?!')", re.IGNORECASE
)
_CHOICE = re.compile(
    r"\b(?:which|what came|what is|between|both|differ\w*|compar\w+|either|whether)\b|^who is|: | the two"
)
_REQUEST = re.compile(r"(?:can|could|would|will) you\b", re.IGNORECASE)
"""Politeness: `could you not explain it` still asks for an explanation."""
_INVERTED = re.compile(r" (?:i|you|we|they|it|he|she|the|an?|my|our|one|people|this|these|there)\b", re.IGNORECASE)
_TARGET = re.compile(r" (?:the|my|your|our|an?|his|her|their|this|that|[A-Z]\w+|\d+)\b")
"""What follows the `to` of a direction, unlike that of `to go`."""
_NOT = re.compile(r" not\b|n't\b|\bnever ", re.IGNORECASE)


def normalised(text: str) -> str:
    """What is left of a text when case, punctuation and spaces are not counted; signs of money and arithmetic are."""
    return _PUNCTUATION.sub(" ", text.casefold()).strip()


def changes(text: str, chance: Random, language: str = "en") -> list[Edit]:
    """Every one-edit change that fits this text, in a fixed order. `chance` only chooses among new numbers and words."""
    found: list[Edit] = []
    found += _numbers(text, chance)
    if language == "en":
        found += _number_words(text, chance)
        found += _negations(text)
        found += _directions(text)
    found += _exclusions(text, chance, language)
    return [(kind, changed) for kind, changed in found if normalised(changed) != normalised(text)]


def _numbers(text: str, chance: Random) -> Iterator[Edit]:
    for found in _NUMBER.finditer(text):
        number = found.group()
        place = chance.choice([index for index, sign in enumerate(number) if sign.isdigit()])
        digit = chance.choice([sign for sign in "123456789" if sign != number[place]])
        kind = "year" if re.fullmatch(r"(19|20)\d\d", number) else "number"
        yield kind, text[: found.start()] + number[:place] + digit + number[place + 1 :] + text[found.end() :]
        if number.isdigit() and len(number) < 6:
            other = str(int(number) + chance.choice((1, 2, 5, 10, 100)))
            yield kind, text[: found.start()] + other + text[found.end() :]


def _number_words(text: str, chance: Random) -> Iterator[Edit]:
    for found in _NUMBER_WORD.finditer(text):
        other = chance.choice([word for word in NUMBER_WORDS[2:13] if word != found.group().lower()])
        yield "number", text[: found.start()] + cased(other, found.group()) + text[found.end() :]


def _negations(text: str) -> Iterator[Edit]:
    for found in _NOT.finditer(text):
        rest = text[: found.start()].rstrip() + (" " if found.group().endswith(" ") else "") + text[found.end() :]
        if found.group().lower() == "n't" and text[: found.start()].lower().endswith(("ca", "wo")):
            rest = (
                text[: found.start()]
                + ("n" if text[: found.start()].lower().endswith("ca") else "")
                + text[found.end() :]
            )
            rest = re.sub(r"\bwo\b", "will", rest, count=1, flags=re.IGNORECASE)
        yield "negation", rest.strip()
    for found in _NEGATABLE["en"].finditer(text):
        if _REQUEST.match(text, found.start()):
            continue
        yield "negation", text[: found.end()] + " not" + text[found.end() :]
    if not _NOT.search(text):
        for found in _PLAIN_AUXILIARY.finditer(text):
            if _REQUEST.match(text, found.start()):
                continue
            word = found.group()
            short = {"can": "can't", "will": "won't"}.get(word.lower(), word.lower() + "n't")
            yield "negation", text[: found.start()] + cased(short, word) + text[found.end() :]


def _directions(text: str) -> Iterator[Edit]:
    for found in _FROM_TO.finditer(text):
        first, middle, second = found.groups()
        if first.lower() != second.lower():
            yield (
                "direction",
                text[: found.start()]
                + f"{text[found.start() : found.start() + 4]} {second} {middle} {first}"
                + text[found.end() :],
            )
    for found in _VERSUS.finditer(text):
        verb, first, middle, second = found.groups()
        if first.lower() != second.lower():
            yield "direction", f"{text[: found.start()]}{verb} {second} {middle} {first}{text[found.end() :]}"


@cache
def _pattern(language: str) -> re.Pattern[str]:
    words = {word for exclusion in exclusions(language) for word in exclusion.words}
    return re.compile(
        rf"(?<![\w'-])(?:{'|'.join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))})(?![\w'-])",
        re.IGNORECASE,
    )


@cache
def _others(language: str) -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """For each word of a list: kinds and the words that exclude it."""
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for exclusion in exclusions(language):
        for word in exclusion.words:
            rest = tuple(other for other in exclusion.words if other != word)
            found.setdefault(word.lower(), []).append((exclusion.kind, rest))
    return {word: tuple(kinds) for word, kinds in found.items()}


def _exclusions(text: str, chance: Random, language: str) -> Iterator[Edit]:
    if not exclusions(language):
        return
    for found in _pattern(language).finditer(text):
        if not _tells(text, found):
            continue
        for kind, rest in _others(language)[found.group().lower()]:
            yield kind, text[: found.start()] + cased(chance.choice(rest), found.group()) + text[found.end() :]


def _tells(text: str, found: re.Match[str]) -> bool:
    """Whether the word means here what the list takes it for, and another one would be no harmless variant."""
    before, after = text[: found.start()].lower(), text[found.end() :]
    match found.group().lower():
        case "to":  # not that of `to go`
            return _TARGET.match(after) is not None
        case "am" | "pm":  # not that of `am I`
            return bool(re.search(r"\d ?$", before))
        case "can" | "could" | "must" | "may" | "should":  # `it should be done` asks what `it must be done` asks
            return (
                _INVERTED.match(after) is not None
                and not _REQUEST.match(text, found.start())
                and not re.search(r"\b(?:how|that|if|you|please) $", before)
            )
        case "and" | "or":  # `which is older, A or B`, `between A and B`, `ten or more`
            return not (_CHOICE.search(before) or re.match(r" (?:more|fewer|less|later|earlier)\b", after))
        case _:
            return True


def cased(word: str, like: str) -> str:
    """`word` in the case of `like`."""
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
