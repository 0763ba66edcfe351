"""A draft of settings, and what the rules find in it: places become lines, values become words without secrets.

A rule looks at settings that may hold neutral values where the file is broken. So a finding names all places that it
was judged from, and is dropped if one of them is broken: that place has its problem already.
"""

from __future__ import annotations

import msgspec

from gateway.config.model import File
from gateway.config.problem import Place, Problem, json_path
from gateway.config.tree import Mapping, Node, Scalar, find, position
from gateway.config.words import shown, where


class Draft(msgspec.Struct, frozen=True):
    """What could be read of a file called `name`: settings with presets merged, the tree as written (its `${...}`
    filled in, without presets), and the places where neutral values stand. `inside`: they are a program's own, not a
    gateway's; `given` are the places where it has callables."""

    file: File
    written: Mapping
    broken: frozenset[Place]
    name: str
    inside: bool = False
    given: frozenset[Place] = frozenset()


class Findings:
    def __init__(self, draft: Draft) -> None:
        self.problems: list[Problem] = []
        self._draft = draft

    def error(self, place: Place, text: str, hint: str = "", judged_from: tuple[Place, ...] = ()) -> None:
        self._note(Problem(json_path(place), 0, 0, text, hint), place, judged_from)

    def warning(self, place: Place, text: str, hint: str = "", judged_from: tuple[Place, ...] = ()) -> None:
        self._note(Problem(json_path(place), 0, 0, text, hint, "warning"), place, judged_from)

    def _note(self, problem: Problem, place: Place, judged_from: tuple[Place, ...]) -> None:
        if any(self.is_broken(each) for each in (place, *judged_from)):
            return
        spot = position(self._draft.written, place)
        self.problems.append(
            msgspec.structs.replace(problem, line=spot.line, column=spot.column, file=spot.file or self._draft.name)
        )

    def is_broken(self, place: Place) -> bool:
        return any(place[:length] in self._draft.broken for length in range(len(place) + 1))

    def node(self, place: Place) -> Node | None:
        return find(self._draft.written, place)

    @property
    def inside(self) -> bool:
        """Are these the settings of a program, which is its own upstream?"""
        return self._draft.inside

    def is_given(self, place: Place) -> bool:
        """Does a callable stand there?"""
        return place in self._draft.given

    def is_written(self, place: Place) -> bool:
        """Does the file itself say it, rather than a preset or a default?"""
        return self.node(place) is not None

    def is_filled_in(self, place: Place) -> bool:
        """Does the value come from `${...}`, so that another environment may give another one?"""
        node = self.node(place)
        return isinstance(node, Scalar) and bool(node.sources)

    def shown(self, place: Place, value: str) -> str:
        """A value in quotes, in the words of a problem; `value` is used where a preset or a default says it."""
        match self.node(place):
            case Scalar() as scalar:
                return shown(msgspec.structs.replace(scalar, plain=True), place)
            case _:
                return f"`{value}`"

    def where(self, place: Place, seen_from: Place) -> str:
        """`line 7`, and of which file, where that is not the one of `seen_from`."""
        spot = position(self._draft.written, place)
        if not spot.line:
            return f"`{json_path(place)}`"  # Python objects have no lines
        return where(spot, position(self._draft.written, seen_from).file)
