"""Every way in which one saying can be changed into a question that asks for something else.

A change is drawn from the template (another meaning of a variable, two of them swapped), from the sentence around it
(when for how), from what narrows it down, from the words of any sentence (changes.py), or is another template's question
with the same values. Only what is asked is changed, never the polite words around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from quality.edits.changes import changes, normalised
from quality.edits.frame import SLOT, Frame, Variable
from quality.edits.saying import Saying, another, reworded, said
from quality.edits.values import Value
from quality.edits.words import fillers, narrowings, turns


@dataclass(frozen=True)
class NearMiss:
    """Two questions that ask for different things. `before` is the saying's own text or another sentence around it.

    `among`: the rewrite that the change hides among, if any: another wording, or a slip of the tongue put right.
    """

    kind: str
    before: str
    after: str
    among: str = ""


def near_misses(saying: Saying, pool: Sequence[Frame], chance: Random) -> list[NearMiss]:
    """One near miss of each sort that fits, in a fixed order."""
    text = saying.text()
    found = _of_saying(saying, text, "", chance)
    _, other = reworded(saying, chance)
    if other.core() != saying.core():
        found += _of_saying(other, text, "reworded", chance)
    found += _slips(saying, chance)
    found += _turned(saying, chance)
    found += _narrowed(saying, chance)
    found.append(NearMiss("topic", text, _other_topic(saying, pool, chance)))
    return found


def _of_saying(saying: Saying, before: str, among: str, chance: Random) -> list[NearMiss]:
    """Another value, or a word changed. In another wording only values: what a word does there is not known to differ."""
    core = normalised(saying.core())
    found = [
        NearMiss(kind, before, other.text(), among)
        for kind, other in _other_values(saying, chance)
        if normalised(other.core()) != core  # a value that is not told here changes nothing
    ]
    if not among:
        edits = changes(saying.core(), chance, saying.frame.language)
        found += [NearMiss(kind, before, saying.around_core(core)) for kind, core in edits]
    return found


def _slips(saying: Saying, chance: Random) -> list[NearMiss]:
    """Put right into something else: `to Paris` against `to Paris, sorry, Rome`."""
    variable = _slippery(saying, chance)
    if variable is None:
        return []
    value = saying.values[variable.name]
    kind, other = another(variable, value, chance, saying.frame.language)
    told = _put_right(saying.with_value(variable.name, other), variable, value, chance)
    return [NearMiss(kind, saying.text(), told, "correction")] if told else []


def _other_values(saying: Saying, chance: Random) -> list[tuple[str, Saying]]:
    found = []
    for variable in saying.frame.variables:
        kind, value = another(variable, saying.values[variable.name], chance, saying.frame.language)
        taken = [saying.values[other.name] for other in saying.frame.variables if other.slot == variable.slot]
        if value not in taken or not variable.slot:
            found.append((kind, saying.with_value(variable.name, value)))
    for first, second, kind in saying.frame.swaps:
        swapped = saying.with_value(first, saying.values[second]).with_value(second, saying.values[first])
        found.append((kind, swapped))
    return found


def _turned(saying: Saying, chance: Random) -> list[NearMiss]:
    found = []
    for turn in turns(saying.frame.language):
        if turn.form == saying.wording.form:
            before, after = chance.sample(turn.sentences, 2)
            texts = (replace(saying, around=sentence).text() for sentence in (before, after))
            found.append(NearMiss(turn.kind, *texts))
    return found


def _narrowed(saying: Saying, chance: Random) -> list[NearMiss]:
    fitting = narrowings(saying.frame.language).get(saying.wording.form)
    if not fitting:
        return []
    core = saying.core()
    kind, words = chance.choice(fitting)
    others = [other for same_kind, other in fitting if same_kind == kind and other != words]
    before = saying.text()
    if others and chance.random() < 0.25:
        before = saying.around_core(f"{core} {chance.choice(others)}")
    return [NearMiss(kind, before, saying.around_core(f"{core} {words}"))]


def _other_topic(saying: Saying, pool: Sequence[Frame], chance: Random) -> str:
    """Another template's question: with the same values where it takes such, and the same sentence around it."""
    others = [frame for frame in pool if frame is not saying.frame and frame.language == saying.frame.language]
    near = [frame for frame in others if frame.domain == saying.frame.domain]
    other = said(chance.choice(near if near and chance.random() < 0.7 else others), chance)
    slots = {variable.slot: saying.values[variable.name] for variable in saying.frame.variables if variable.slot}
    for variable in other.frame.variables:
        if variable.slot in slots:
            other = other.with_value(variable.name, slots[variable.slot])
    alike = [wording for wording in other.frame.wordings if wording.form == saying.wording.form]
    if alike and saying.wording.form not in ("say", "key"):
        other = replace(other, wording=chance.choice(alike), around=saying.around)
    return other.text()


def corrected(saying: Saying, chance: Random) -> str | None:
    """The saying with a slip of the tongue that is put right at once: `to Rome, sorry, Paris`; None where none fits."""
    variable = _slippery(saying, chance)
    if variable is None:
        return None
    _, slip = another(variable, saying.values[variable.name], chance, saying.frame.language)
    return _put_right(saying, variable, slip, chance)


def _slippery(saying: Saying, chance: Random) -> Variable | None:
    """A variable that is told in one place only."""
    led = {leader for leader, _ in saying.frame.followers.values()}
    told = set(SLOT.findall(saying.wording.text)) - led
    fitting = [variable for variable in saying.frame.variables if variable.name in told]
    return chance.choice(fitting) if fitting else None


def _put_right(saying: Saying, variable: Variable, slip: Value, chance: Random) -> str | None:
    corrections = [filler.words for filler in fillers(saying.frame.language) if filler.place == "correction"]
    value = saying.values[variable.name]
    if not corrections or not all((*value.words, *slip.words)):
        return None
    between = chance.choice((" {} ", ", {}, ", " - {} - ", " {}, ")).format(chance.choice(corrections))
    word = value.words[saying.words[variable.name] % len(value.words)]
    both = Value(value.meaning, (f"{slip.words[0]}{between}{word}",))
    return saying.with_value(variable.name, both).text()


def broken_off(saying: Saying, pool: Sequence[Frame], chance: Random) -> str | None:
    """Another question begun and given up for this one, as people speak."""
    corrections = [filler.words for filler in fillers(saying.frame.language) if filler.place == "correction"]
    if not corrections:
        return None
    begun = (
        said(chance.choice([frame for frame in pool if frame.language == saying.frame.language]), chance).text().split()
    )
    text = saying.text()
    return f"{' '.join(begun[: chance.randint(2, 5)])} {chance.choice(corrections)} {text[:1].lower() + text[1:]}"
