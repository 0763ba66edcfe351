"""One way to say what a frame asks: its variables' meanings, a wording with the sentence around it, and words for each.

`Saying.text()` is the sentence. The other methods give a saying that differs in one respect: other words for the same,
or the same words with one meaning changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from random import Random

from quality.edits.frame import SLOT, Frame, Variable, Wording
from quality.edits.slots import SLOTS
from quality.edits.values import Value
from quality.edits.words import forms, names

_ARTICLE = re.compile(r"\b([Aa]) (?=[aeioAEIO]|u(?!ni|se|rl|sb))")


@dataclass(frozen=True)
class Saying:
    frame: Frame
    values: dict[str, Value]
    """What each variable means here."""
    wording: Wording
    around: str
    """The sentence with a gap for the wording."""
    around_kind: str
    words: dict[str, int]
    """Which of its words each variable and follower takes, modulo how many there are."""

    def text(self) -> str:
        return self.around_core(self.core())

    def core(self) -> str:
        """What is asked, without the sentence around it."""
        text = self.wording.text
        while SLOT.search(text):
            text = SLOT.sub(lambda found: self._word(found[1]), text)
        return text

    def around_core(self, core: str) -> str:
        return finished(self.around.replace("{}", core), self.frame.language, self.wording.form)

    def _word(self, name: str) -> str:
        if name in self.frame.followers:
            leader, meanings = self.frame.followers[name]
            index = self.values[leader].meaning[0]
            assert isinstance(index, int)
            words = meanings[index]
        else:
            words = self.values[name].words
        return words[self.words[name] % len(words)]

    def with_value(self, name: str, value: Value) -> Saying:
        return replace(self, values={**self.values, name: value})

    def with_word(self, name: str, index: int) -> Saying:
        return replace(self, words={**self.words, name: index})


def finished(text: str, language: str, form: str) -> str:
    """One space between words, the right article, a capital at the start unless it is a few words for a search field."""
    text = re.sub(r"\s+", " ", text).strip().lstrip(",:; ")
    text = re.sub(r" ([?.!,])", r"\1", text)
    if language == "en":
        text = _ARTICLE.sub(r"\1n ", text)
    return text if form == "key" else text[:1].upper() + text[1:]


def drawn(variable: Variable, chance: Random, language: str) -> Value:
    """A meaning for the variable."""
    if variable.meanings:
        return _listed(variable.meanings, chance.randrange(len(variable.meanings)))
    if variable.slot in SLOTS:
        return _spoken(SLOTS[variable.slot].make(chance), language)
    sort = names()[variable.slot]
    return _listed(sort, chance.randrange(len(sort)))


def _spoken(value: Value, language: str) -> Value:
    """Numbers are written as words in English only; elsewhere the first form, which has no words, is the one."""
    return value if language == "en" else Value(value.meaning, value.words[:1])


def another(variable: Variable, value: Value, chance: Random, language: str) -> tuple[str, Value]:
    """Another meaning for the variable, and the kind of that change."""
    if not variable.meanings and variable.slot in SLOTS:
        kind, changed = SLOTS[variable.slot].change(value, chance)
        return kind or variable.kind, _spoken(changed, language)
    meanings = variable.meanings or names()[variable.slot]
    index = chance.choice([index for index in range(len(meanings)) if index != value.meaning[0]])
    return variable.kind, _listed(meanings, index)


def _listed(meanings: tuple[tuple[str, ...], ...], index: int) -> Value:
    return Value((index,), meanings[index])


def said(frame: Frame, chance: Random) -> Saying:
    """A saying with meanings, wording and words by chance. Variables of one list get different meanings."""
    values: dict[str, Value] = {}
    for variable in frame.variables:
        value = drawn(variable, chance, frame.language)
        while any(
            value.meaning == values[other.name].meaning
            and (other.slot, other.meanings) == (variable.slot, variable.meanings)
            for other in frame.variables
            if other.name in values
        ):
            value = drawn(variable, chance, frame.language)
        values[variable.name] = value
    wording = chance.choice(frame.wordings)
    kind, around = chance.choice(forms(frame.language)[wording.form])
    words = {name: 0 if chance.random() < 0.6 else chance.randrange(60) for name in [*values, *frame.followers]}
    return Saying(frame, values, wording, around, kind, words)


def reworded(saying: Saying, chance: Random) -> tuple[str, Saying]:
    """The same in another wording, another sentence around it, or both; and the kind of that rewrite."""
    wordings = saying.frame.wordings
    wording = chance.choices(wordings, [1 if wording.kind == "reworded" else 2 for wording in wordings])[0]
    kind, around = chance.choice(forms(saying.frame.language)[wording.form])
    if wording.form == saying.wording.form and chance.random() < 0.25:
        kind, around = saying.around_kind, saying.around
    new = replace(saying, wording=wording, around=around, around_kind=kind)
    if wording.kind != "reworded" and wording != saying.wording:
        return wording.kind, new
    if wording.form == "key" and saying.wording.form != "key":
        return "terse", new
    return "long" if kind == "long" and saying.around_kind != "long" else "reworded", new
