"""What is said around a question and is no part of it: courtesies in front, behind, and at each new start.

Pure. Known forms are phrases of `lexicon_phrases`; a long courtesy of no known form is a sentence whose words tell nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.lexicon import ASKING, CONTENT, FILLER, NUMBER, SYMBOL, WHEN
from gateway.core.lexicon_phrases import COURTEOUS, EMPTY, HEADS, REPAIRS, TAILS
from gateway.core.pairs_words import END, canonical_words

if TYPE_CHECKING:
    from collections.abc import Container

PREAMBLE, LONG = 14, 5
"""From so many words on, what stands before an asking phrase, or last, may be a courtesy of no known form, of so many."""
_TURNING = frozenset(("but", "so", "namely", "hence", "therefore", "thus"))
_SUPPOSING = frozenset(("if", "unless", "whether"))
_WEIGHTY = frozenset((CONTENT, NUMBER, SYMBOL, WHEN))
_WEIGHTLESS = frozenset((*COURTEOUS, *EMPTY, "1"))
"""Words that tell nothing though they are of a kind that mostly does."""


def _table(phrases: tuple[str, ...], at: int, beside: int) -> dict[tuple[str, str], list[list[str]]]:
    """Phrases in canonical words, by their first or last word and the one beside it ("": there is none), longest first."""
    table: dict[tuple[str, str], list[list[str]]] = {}
    for phrase in phrases:
        words = canonical_words(phrase)
        table.setdefault((words[at], words[beside] if len(words) > 1 else ""), []).append(words)
    for same in table.values():
        same.sort(key=len, reverse=True)
    return table


_HEADS, _TAILS, PLAIN_REPAIRS = _table(HEADS, 0, 1), _table(TAILS, -1, -2), _table(REPAIRS, 0, 1)
_ENDING = frozenset(last for last, _ in _TAILS)
_BEGINNING, REPAIRING = frozenset(first for first, _ in _HEADS), frozenset(first for first, _ in PLAIN_REPAIRS)
ALSO_REPAIRING = frozenset(second for _, second in PLAIN_REPAIRS)
NO_PHRASES: list[list[str]] = []


def question(
    words: list[str], kinds: list[str], pauses: list[int], closed: Container[str], *, quoting: bool
) -> tuple[list[str], list[str], list[int]]:
    """The question itself, without what is said around it. All of it when nothing would be left.

    Args:
    quoting: whether words are spoken about. Then a polite one may be what is asked for: only phrases in front are left out.
    """
    start, end = 0, len(words)
    if not quoting or kinds[0] is not FILLER:
        start = _behind_heads(words, kinds, 0)
        if end > PREAMBLE:
            start = _behind_preamble(words, kinds, start, closed)
            end = _before_closing(words, kinds, start, closed)
    if start == end:
        return words, kinds, []
    if quoting:
        return words[start:end], kinds[start:end], [pause - start for pause in pauses if start < pause < end]
    found = True
    while found and start < end:
        found = False
        last = words[end - 1]
        if last in _ENDING:
            for phrase in (
                *(_TAILS.get((last, words[end - 2]), NO_PHRASES) if end > 1 else NO_PHRASES),
                *_TAILS.get((last, ""), NO_PHRASES),
            ):
                if words[end - len(phrase) : end] == phrase and end - len(phrase) > start:
                    end -= len(phrase)
                    found = True
                    break
        if not found and kinds[end - 1] is FILLER:
            end -= 1
            found = True
    if FILLER in kinds and FILLER in kinds[start:end]:
        kept = [at for at in range(start, end) if kinds[at] is not FILLER or words[at] is END]
        pauses = [start + sum(at < pause for at in kept) for pause in pauses]
        return (
            [words[at] for at in kept],
            [kinds[at] for at in kept],
            [pause - start for pause in pauses if pause > start],
        )
    if end - start == len(words):
        return words, kinds, [pause for pause in pauses if 0 < pause < end] if pauses else pauses
    return words[start:end], kinds[start:end], [pause - start for pause in pauses if start < pause < end]


def without_inner_heads(words: list[str], kinds: list[str], pauses: list[int], repairing: bool) -> None:
    """Drop the courtesies at the beginning of each sentence but the first, and of each new start: "no wait, can you ..."."""
    for at in [at for at, word in enumerate(words) if word is END or (repairing and word in REPAIRING)][::-1]:
        word = words[at]
        begin = at + 1 if word is END else 0
        if repairing and 0 < at < len(words) - 1:
            for said in PLAIN_REPAIRS.get((word, words[at + 1]), NO_PHRASES):
                if words[at : at + len(said)] == said:
                    begin = at + len(said)
                    break
        if begin and begin < len(words):
            start = _behind_heads(words, kinds, begin)
            # Behind words of repair a single word is what is meant: "left, I mean, right".
            if begin + (word is not END) < start < len(words) and words[start] is not END:
                pauses[:] = [pause - max(0, min(pause, start) - begin) for pause in pauses]
                del words[begin:start], kinds[begin:start]


def _behind_preamble(words: list[str], kinds: list[str], start: int, closed: Container[str]) -> int:
    """Where the question begins behind a long courtesy that tells nothing, up to its end or to a phrase that asks."""
    begin = at = start
    core = 0
    asking = False
    while at < len(words) - 2:
        word, kind = words[at], kinds[at]
        if at - start >= LONG and core:
            if word in _BEGINNING:
                stop = _behind_heads(words, kinds, at)
                if stop > at + 1:
                    begin = at = stop
                    continue
            if word is END and core > 1 and not asking:
                return _behind_heads(words, kinds, at + 1)
        if kind is ASKING:
            if at - start >= LONG and core > 1 and words[at - 1] in _TURNING:
                return at
            asking = True
        if word in _SUPPOSING or (kind in _WEIGHTY and word not in _WEIGHTLESS and word not in closed):
            break
        core += word in COURTEOUS
        at += 1
    return begin


def _before_closing(words: list[str], kinds: list[str], start: int, closed: Container[str]) -> int:
    """Where the question ends before a last sentence that tells nothing: "I would be glad about a quick reply"."""
    end = len(words)
    core = 0
    for at in range(end - 1, start, -1):
        word = words[at]
        if word is END:
            return at if end - at > LONG and core > 1 else end
        kind = kinds[at]
        if (
            kind is ASKING
            or word in _SUPPOSING
            or (kind in _WEIGHTY and word not in _WEIGHTLESS and word not in closed)
        ):
            break
        core += word in COURTEOUS
    return end


def _behind_heads(words: list[str], kinds: list[str], start: int) -> int:
    """Where the words begin that stand behind the courtesies from `start` on."""
    end = len(words)
    found = True
    while found and start < end:
        found = kinds[start] is FILLER and words[start] is not END
        if found:
            start += 1
            continue
        if words[start] in _BEGINNING and start + 1 < end:
            for phrase in (
                *_HEADS.get((words[start], words[start + 1]), NO_PHRASES),
                *_HEADS.get((words[start], ""), NO_PHRASES),
            ):
                if words[start : start + len(phrase)] == phrase and start + len(phrase) < end:
                    start += len(phrase)
                    found = True
                    break
    return start
