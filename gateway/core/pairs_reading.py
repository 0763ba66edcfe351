"""A question as `pairs` compares it: its words in one canonical form each, with their kinds.

Pure. What is undone here is how a thing is written (case, contractions, spelling, number words, plural, politeness around
the question); nothing that an answer could hang on is dropped.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import compress, count, pairwise

import msgspec

from gateway.core.folding import fold
from gateway.core.lexicon import ASKING, CONTENT, KINDS, NUMBER, PAUSE, PLACING
from gateway.core.lexicon_european import ASIDE, CLOSED, CLOSED_IN_PORTUGUESE, MARKERS, PORTUGUESE_MARKERS
from gateway.core.lexicon_phrases import HESITATIONS, QUOTING, SAID_AS_ONE, SPOKEN
from gateway.core.pairs_courtesy import (
    ALSO_REPAIRING,
    NO_PHRASES,
    PLAIN_REPAIRS,
    PREAMBLE,
    question,
    without_inner_heads,
)
from gateway.core.pairs_frames import FRAMING, asked_first, without_frames
from gateway.core.pairs_tokens import words_and_kinds
from gateway.core.pairs_words import END, canonical_words, tell_am_apart

ENGLISH, EUROPEAN, PORTUGUESE = 0, 1, 2
_CLOSED: tuple[dict[str, tuple[str, str]], ...] = ({}, CLOSED, CLOSED_IN_PORTUGUESE)
REMEMBERED = 256
"""Readings: of the question at hand, and of those that are asked often."""
_NOTABLE = MARKERS | ALSO_REPAIRING | QUOTING | FRAMING | HESITATIONS
"""Words that tell what there is to do. Most texts have few of them: to look for them once is cheaper."""
_ROMANCE = frozenset(("de", "da", "di", "del", "dal", "desde", "dalla", "el", "los", "las", "il", "gli"))
"""Beside one of these, "a" is no article but "to"."""
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")  # scripts that put no space between words


class Reading(msgspec.Struct, frozen=True, gc=False):
    """`words[n]` is the canonical form of the n-th word and `kinds[n]` its class.

    `parts` are the places where a sentence begins, but for the first. `breaks` are places where the speaker may have taken
    back what stands before (start and end of the words that say so, and whether they say it plainly): "the 3rd, no wait,
    the 4th". What is left out as politeness stands nowhere. `language` is ENGLISH, EUROPEAN (one of the others that
    `lexicon_european` knows) or PORTUGUESE. `text` is what was read, with its quotes and capitals.
    """

    words: list[str]
    kinds: list[str]
    breaks: list[tuple[int, int, bool]]
    parts: tuple[int, ...] = ()
    language: int = ENGLISH
    text: str = ""


@lru_cache(maxsize=REMEMBERED)
def read(text: str) -> Reading:
    """The words of a question. Any text is readable; one without any word has none.

    Remembered, because a question is compared with several: nobody may change what is in a reading.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("`", "'")
        if _WIDE.search(text):
            text = _WIDE.sub(r" \g<0> ", text)
    written, text = text, fold(text.lower())
    if "," in text and any(part[part.rfind(" ") + 1 :] in _SPOKEN_LAST for part in text.split(",")):
        text = _SPOKEN.sub(" ", text)
    words, kinds = words_and_kinds(text)
    if "am" in words and "i" in words:
        tell_am_apart(words, kinds)
    # Words are only dropped from here on, or put in by tables without any of these: what is not among them stays away.
    notable = _NOTABLE.intersection(words)
    language = ENGLISH if MARKERS.isdisjoint(notable) else _language(words)
    closed = _CLOSED[language]
    if closed and PAUSE in kinds:  # "um" and "er" are words of other languages
        kinds = [closed[word][1] if word in closed else kind for word, kind in zip(words, kinds, strict=True)]
    pauses: list[int] = []
    if "no" in words and (PAUSE in kinds or "actually" in words):
        _spell_out_repairs(words, kinds)
    if PAUSE in kinds:
        words, kinds, pauses = _without_pauses(words, kinds)
    if "a" in words and not _ROMANCE.isdisjoint(words):
        kinds = [PLACING if word == "a" else kind for word, kind in zip(words, kinds, strict=True)]
    repairing = not (ALSO_REPAIRING.isdisjoint(notable) or PLAIN_REPAIRS.keys().isdisjoint(pairwise(words)))
    if repairing or END in words:
        without_inner_heads(words, kinds, pauses, repairing)
    quoting = not (QUOTING.isdisjoint(notable) or QUOTING.isdisjoint(words))
    # A long courtesy is known by how it ends, which may be a frame: so it is left out first.
    rambling = len(words) > PREAMBLE
    if rambling:
        words, kinds, pauses = question(words, kinds, pauses, closed, quoting=quoting)
    framed = not FRAMING.isdisjoint(notable)
    if framed and (ASKING in kinds or "if" in words):
        words, kinds, pauses = without_frames(words, kinds, pauses, only_first=quoting)
    if not rambling:
        about_words = quoting and not QUOTING.isdisjoint(words)
        words, kinds, pauses = question(words, kinds, pauses, closed, quoting=about_words)
    if words and not quoting:
        words, kinds, pauses = asked_first(words, kinds, pauses, framed=framed)
    _join_phrases(words, kinds, pauses)
    parts: tuple[int, ...] = ()
    if END in words:
        words, kinds, pauses, parts = _without_ends(words, kinds, pauses)
    reading = Reading(
        words, kinds, _breaks(words, pauses, repairing, HESITATIONS.isdisjoint(notable)), parts, text=written
    )
    return _read_in(reading, language) if language else reading


def _spell_out_repairs(words: list[str], kinds: list[str]) -> None:
    """ "Um no" and "actually no" as "no wait": without the sound, a mere "no" would be left of them."""
    for at in range(len(words) - 1, 0, -1):
        if words[at] == "no" and (kinds[at - 1] is PAUSE or words[at - 1] == "actually"):
            words.insert(at + 1, "wait")
            kinds.insert(at + 1, CONTENT)


def _language(words: list[str]) -> int:
    if len(MARKERS.intersection(words)) < 2 and ASIDE.isdisjoint(words):
        return ENGLISH
    return EUROPEAN if PORTUGUESE_MARKERS.isdisjoint(words) else PORTUGUESE


def in_one_language(a: Reading, b: Reading) -> tuple[Reading, Reading]:
    """Both read in the language that perhaps only one of them shows: "La superficie?" shows none."""
    language = max(a.language, b.language)
    return _read_in(a, language), _read_in(b, language)


def _read_in(reading: Reading, language: int) -> Reading:
    if reading.language == language:
        return reading
    closed = _CLOSED[language]
    rows = [closed.get(word, (word, kind)) for word, kind in zip(reading.words, reading.kinds, strict=True)]
    words, kinds = [word for word, _ in rows], [kind for _, kind in rows]
    return Reading(words, kinds, reading.breaks, reading.parts, language, reading.text)


def _without_pauses(words: list[str], kinds: list[str]) -> tuple[list[str], list[str], list[int]]:
    """The words but for "um", and the places where it was said."""
    kept = [at for at, kind in enumerate(kinds) if kind is not PAUSE]
    pauses = [
        at - sum(other < at for other in range(at) if kinds[other] is PAUSE)
        for at, kind in enumerate(kinds)
        if kind is PAUSE
    ]
    return [words[at] for at in kept], [kinds[at] for at in kept], pauses


def _without_ends(
    words: list[str], kinds: list[str], pauses: list[int]
) -> tuple[list[str], list[str], list[int], tuple[int, ...]]:
    """The words but for the marks at the ends of sentences, and the places where these stood."""
    ends = [at for at, word in enumerate(words) if word is END]
    parts = {end - n for n, end in enumerate(ends)} - {0, len(words) - len(ends)}
    if pauses:
        pauses = [pause - sum(end < pause for end in ends) for pause in pauses]
    words, kinds = words[:], kinds[:]
    for end in reversed(ends):
        del words[end], kinds[end]
    return words, kinds, pauses, tuple(sorted(parts))


def _phrase_table() -> dict[tuple[str, str], dict[str, list[tuple[list[str], list[str], list[str]]]]]:
    """Phrases by their first two words, then by the third ("" for none), longest first, each with what it stands for."""
    table: dict[tuple[str, str], dict[str, list[tuple[list[str], list[str], list[str]]]]] = {}
    for said, one in SAID_AS_ONE.items():
        words = canonical_words(said)
        kinds = [NUMBER if word.isdecimal() else KINDS.get(word, CONTENT) for word in one]
        third = words[2] if len(words) > 2 else ""
        table.setdefault((words[0], words[1]), {}).setdefault(third, []).append((words, list(one), kinds))
    for rows in table.values():
        for same in rows.values():
            same.sort(key=lambda row: len(row[0]), reverse=True)
    return table


_PHRASES = _phrase_table()


def _join_phrases(words: list[str], kinds: list[str], pauses: list[int]) -> None:
    """Put one word for what is said in several."""
    done = shift = 0
    for start in [*compress(count(), map(_PHRASES.__contains__, pairwise(words)))]:
        if start < done:
            continue
        at = start + shift
        rows = _PHRASES[words[at], words[at + 1]]
        third = words[at + 2] if at + 2 < len(words) else ""
        if third not in rows and "" not in rows:
            continue
        for said, one, kind in (*rows.get(third, ()), *rows.get("", ())):
            size = len(said)
            if words[at : at + size] == said:
                words[at : at + size] = one
                kinds[at : at + size] = kind
                for n, pause in enumerate(pauses):
                    if pause > at:
                        pauses[n] = max(at, pause - size + len(one))
                done, shift = start + size, shift + len(one) - size
                break


_SPOKEN = re.compile(rf"(?<![\w']),? ?\b(?:{'|'.join(SPOKEN)}),")
_SPOKEN_LAST = frozenset(phrase.split()[-1] for phrase in SPOKEN)


def _breaks(words: list[str], pauses: list[int], repairing: bool, plain: bool) -> list[tuple[int, int, bool]]:
    breaks = [(pause, pause, False) for pause in pauses if pause] if pauses else []
    if not repairing and plain:
        return breaks
    for at in range(1, len(words)):
        word = words[at]
        if word in HESITATIONS:
            breaks.append((at, at + 1, False))
        if at + 1 < len(words):
            for said in PLAIN_REPAIRS.get((word, words[at + 1]), NO_PHRASES):
                if words[at : at + len(said)] == said:
                    breaks.append((at, at + len(said), True))
                    break
    return breaks
