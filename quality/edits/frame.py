"""What a template file holds, and how it is read: frames, each one question in several wordings with variables.

A frame is a block of lines in frames/*.txt. `how: {x} {f} on my phone` is a wording, wrapped in the ways of its form
(forms.py); `x antonym = turn on/enable | turn off/disable` is a variable: `|` parts meanings, `/` parts words for one
meaning. So two sayings of a frame mean the same exactly if each variable has the same meaning. No chance in here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "frames"
_WORDING = re.compile(r"(?P<form>[a-z]+)(?:\((?P<kind>[a-z]+)\))?: (?P<text>.+)")
_VARIABLE = re.compile(r"(?P<name>[a-z]\d?) (?P<kind>[a-z]+) = (?P<values>.+)")
_FOLLOWER = re.compile(r"(?P<name>[a-z]\d?) ~ (?P<leader>[a-z]\d?) = (?P<values>.+)")
_SWAP = re.compile(r"swap (?P<first>[a-z]\d?) (?P<second>[a-z]\d?) (?P<kind>[a-z]+)")
SLOT = re.compile(r"\{([a-z]\d?)\}")


@dataclass(frozen=True)
class Wording:
    """One way to say it. `kind` names the rewrite that leads here, such as fronting or voice."""

    form: str
    text: str
    kind: str = "reworded"


@dataclass(frozen=True)
class Variable:
    """What may differ between two sayings: meanings with their words, or a generated `slot` (slots.py) by its name."""

    name: str
    kind: str
    meanings: tuple[tuple[str, ...], ...] = ()
    slot: str = ""


@dataclass(frozen=True)
class Frame:
    domain: str
    language: str
    wordings: tuple[Wording, ...]
    variables: tuple[Variable, ...]
    followers: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = field(default_factory=dict)
    swaps: tuple[tuple[str, str, str], ...] = ()

    def variable(self, name: str) -> Variable:
        return next(variable for variable in self.variables if variable.name == name)


class FrameError(ValueError):
    """A template file says something that cannot be read; the message names file and block."""


@cache
def frames() -> tuple[Frame, ...]:
    """All frames, in the order of file names and of blocks. Raises FrameError."""
    found: list[Frame] = []
    for path in sorted(FOLDER.glob("*.txt")):
        language, _, domain = path.stem.partition("-")
        for number, block in enumerate(re.split(r"\n\s*\n", path.read_text(encoding="utf-8")), start=1):
            lines = [line.strip() for line in block.splitlines() if line.strip() and not line.startswith("#")]
            if lines:
                found.append(_read(lines, domain, language, f"{path.name}, block {number}"))
    return tuple(found)


def _read(lines: list[str], domain: str, language: str, place: str) -> Frame:
    wordings: list[Wording] = []
    variables: list[Variable] = []
    followers: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {}
    swaps: list[tuple[str, str, str]] = []
    for line in lines:
        if found := _WORDING.fullmatch(line):
            wordings.append(Wording(found["form"], found["text"], found["kind"] or "reworded"))
        elif found := _FOLLOWER.fullmatch(line):
            followers[found["name"]] = (found["leader"], _meanings(found["values"]))
        elif found := _SWAP.fullmatch(line):
            swaps.append((found["first"], found["second"], found["kind"]))
        elif found := _VARIABLE.fullmatch(line):
            values = found["values"]
            slot = values[1:] if values.startswith("@") else ""
            variables.append(Variable(found["name"], found["kind"], () if slot else _meanings(values), slot))
        else:
            raise FrameError(f"{place}: {line!r} is neither a wording nor a variable")
    frame = Frame(domain, language, tuple(wordings), tuple(variables), followers, tuple(swaps))
    _check(frame, place)
    return frame


def _meanings(values: str) -> tuple[tuple[str, ...], ...]:
    """`a/b | c`: two meanings, the first with two words for it. `_` is the empty word, for a constraint left out."""
    return tuple(
        tuple("" if word.strip() == "_" else word.strip() for word in meaning.split("/"))
        for meaning in values.split(" | ")
    )


def _check(frame: Frame, place: str) -> None:
    inner = {variable.name: _gaps(variable.meanings) for variable in frame.variables}
    inner |= {name: {leader} | _gaps(meanings) for name, (leader, meanings) in frame.followers.items()}
    for name, (leader, meanings) in frame.followers.items():
        if len(meanings) != len(frame.variable(leader).meanings):
            raise FrameError(f"{place}: {{{name}}} must have as many meanings as {{{leader}}}")
    for wording in frame.wordings:
        told = set(SLOT.findall(wording.text))
        for _ in range(3):
            told |= {gap for name in told for gap in inner.get(name, ())}
        if unknown := told - set(inner):
            raise FrameError(f"{place}: {wording.text!r} has variables that nothing explains: {sorted(unknown)}")
        if missing := {variable.name for variable in frame.variables} - told:
            raise FrameError(f"{place}: {wording.text!r} leaves out {sorted(missing)}")


def _gaps(meanings: tuple[tuple[str, ...], ...]) -> set[str]:
    """Variables inside the words of another one."""
    return {gap for meaning in meanings for word in meaning for gap in SLOT.findall(word)}
