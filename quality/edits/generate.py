"""Pairs of questions with a label: near misses (0, one edit changes what is asked) and rewrites (1, the same is asked).

A pair begins with a saying of a template. Its other side is changed, rewritten, or both: a change may hide among
rewrites, and a rewrite may touch more words than a change does, so that the amount of difference tells nothing. The same
seed gives the same pairs. The kind of a combined pair names its parts, as in `number+typo`; the first one is the edit
that counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from quality.edits.changes import normalised
from quality.edits.frame import Frame, frames
from quality.edits.nearmisses import broken_off, corrected, near_misses
from quality.edits.rewrites import REWRITES, rewrite
from quality.edits.saying import Saying, reworded, said
from quality.edits.slots import SLOTS

DEFAULT_COUNT = 30_000
SHARE_IN_ENGLISH = 0.8


@dataclass(frozen=True)
class Pair:
    text_a: str
    text_b: str
    label: int
    """1: the same answer is right for both; 0: it is not."""
    kind: str
    domain: str
    language: str


class _Pool:
    """Templates of one language or some, and for each kind those with a variable whose change is of that kind."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.frames = frames
        self.by_kind: dict[str, list[Frame]] = {}
        for frame in frames:
            for kind in sorted({variable.kind for variable in frame.variables}):
                self.by_kind.setdefault(kind, []).append(frame)
        self.kinds = sorted(self.by_kind)


def domains() -> list[str]:
    """The domains of the templates, sorted: to leave some out."""
    return sorted({frame.domain for frame in frames()})


def generate(seed: int = 0, count: int | None = None, *, only: Collection[str] | None = None) -> list[Pair]:
    """Pairs of all kinds, half of each label, the same for the same arguments.

    Args:
        seed: other pairs for another seed.
        count: how many; None: 30,000.
        only: domains to take templates from; None: all.
    """
    chance = Random(f"semgate near misses {seed}")
    chosen = [frame for frame in frames() if only is None or frame.domain in only]
    english = _Pool([frame for frame in chosen if frame.language == "en"])
    others = _Pool([frame for frame in chosen if frame.language != "en"])
    tally: Counter[str] = Counter()
    pairs: list[Pair] = []
    seen: set[tuple[str, str]] = set()
    wanted = DEFAULT_COUNT if count is None else count
    while len(pairs) < wanted:
        share = SHARE_IN_ENGLISH if english.frames and others.frames else float(bool(english.frames))
        pool = english if chance.random() < share else others
        label = len(pairs) % 2
        frame = chance.choice(pool.frames)
        if label == 0 and chance.random() < 0.5:
            frame = chance.choice(pool.by_kind[_rarest(pool.kinds, tally, chance)])
        saying = said(frame, chance)
        pair = _same(saying, pool.frames, tally, chance) if label else _changed(saying, pool.frames, tally, chance)
        if pair is not None and (pair.text_a, pair.text_b) not in seen:
            seen.add((pair.text_a, pair.text_b))
            tally[pair.kind.partition("+")[0]] += 1
            pairs.append(pair)
    return pairs


def _same(saying: Saying, pool: Sequence[Frame], tally: Counter[str], chance: Random) -> Pair | None:
    """Label 1: the wording, a word or the text rewritten, up to three times."""
    frame, text_a = saying.frame, saying.text()
    way = chance.random()
    kinds: list[str] = []
    text_b = text_a
    if way < 0.45:
        kind, saying = reworded(saying, chance)
        kinds, text_b = [kind], saying.text()
    elif way < 0.60:
        name = chance.choice(sorted(saying.words))
        saying = saying.with_word(name, saying.words[name] + 1)
        slot = name in saying.values and saying.frame.variable(name).slot in SLOTS
        kinds, text_b = ["numberform" if slot else "synonym"], saying.text()
    elif way < 0.67:
        slip = corrected(saying, chance) if chance.random() < 0.6 else broken_off(saying, pool, chance)
        kinds, text_b = (["correction"], slip) if slip else ([], text_a)
    if text_b == text_a:
        kinds = []
    more = chance.choice((0, 0, 1, 2)) if kinds else chance.choice((1, 1, 1, 2, 3))
    text_b = _rewritten(text_b, kinds, more, tally, chance, frame.language)
    return _pair(text_a, text_b, 1, kinds, saying, chance) if kinds else None


def _changed(saying: Saying, pool: Sequence[Frame], tally: Counter[str], chance: Random) -> Pair | None:
    """Label 0: one change, alone or among rewrites."""
    found = [miss for miss in near_misses(saying, pool, chance) if normalised(miss.before) != normalised(miss.after)]
    if not found:
        return None
    kind = _rarest([miss.kind for miss in found], tally, chance)
    miss = chance.choice([miss for miss in found if miss.kind == kind])
    kinds = [kind, miss.among] if miss.among else [kind]
    text_b = miss.after
    if chance.random() < 0.45:
        text_b = _rewritten(text_b, kinds, chance.choice((1, 1, 2)), tally, chance, saying.frame.language)
    return _pair(miss.before, text_b, 0, kinds, saying, chance)


def _rewritten(text: str, kinds: list[str], times: int, tally: Counter[str], chance: Random, language: str) -> str:
    """The text after that many rewrites, each noted in `kinds`."""
    left = [kind for kind in REWRITES if kind not in kinds]
    while left and times:
        kind = _rarest(left, tally, chance)
        left.remove(kind)
        if new := rewrite(text, kind, chance, language):
            text, times = new, times - 1
            kinds.append(kind)
    return text


def _rarest(kinds: list[str], tally: Counter[str], chance: Random) -> str:
    """One of the kinds by chance, the rarer ones more often: so that each comes about as often as it can."""
    different = sorted(set(kinds))
    return chance.choices(different, [1 / (20 + tally[kind]) ** 1.5 for kind in different])[0]


def _pair(text_a: str, text_b: str, label: int, kinds: list[str], saying: Saying, chance: Random) -> Pair | None:
    """Either side may come first, and both may be typed in haste."""
    if chance.random() < 0.12 and "case" not in kinds:
        text_a, text_b = text_a.lower(), text_b.lower()
    if chance.random() < 0.08 and "punctuation" not in kinds:
        text_a, text_b = text_a.rstrip("?!. "), text_b.rstrip("?!. ")
    if text_a == text_b or (label == 0 and normalised(text_a) == normalised(text_b)):
        return None
    if chance.random() < 0.5:
        text_a, text_b = text_b, text_a
    return Pair(text_a, text_b, label, "+".join(kinds), saying.frame.domain, saying.frame.language)
