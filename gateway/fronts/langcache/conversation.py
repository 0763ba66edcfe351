"""A prompt in a conversation -> the prompt to search for: what came before must be equal, only the last words may differ.

A prompt after earlier turns may mean something else in every conversation ("and how much is it?", but also "what does the
Premium plan cost?"), so those turns always become part of it: it is written `Earlier: ...`, line by line, and `Now: ...`.
That is what the client is told (`actualPrompt`), and what it puts its answer under; read back, the earlier turns are
compared as a whole, and the last one as any other prompt. Nothing is asked of a model, so nothing is guessed by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.core.keys import frame

EARLIER = "Earlier: "
NOW = "Now: "


class Turn(msgspec.Struct, frozen=True):
    """A prompt as it is searched for: `text` may be worded otherwise, `earlier` must be equal."""

    text: str
    earlier: tuple[str, ...] = ()

    @property
    def context(self) -> bytes:
        """What must be equal; empty where nothing came before."""
        return frame(*(turn.encode() for turn in self.earlier)) if self.earlier else b""

    def written(self) -> str:
        """The prompt in one text, as clients see it."""
        if not self.earlier:
            return self.text
        return "\n".join([*(EARLIER + turn for turn in self.earlier), NOW + self.text])


def turn_in(prompt: str, context: Sequence[str]) -> Turn:
    """The prompt after these earlier ones, oldest first. One that is itself written as a turn brings its own as well, and
    leaves none out: whoever types it must not get out of the conversation."""
    turn = read_turn(prompt)
    return Turn(turn.text, (*(_one_line(each) for each in context if each.strip()), *turn.earlier))


def read_turn(prompt: str) -> Turn:
    """A prompt as a client puts it: one that was written here comes apart again."""
    lines = prompt.split("\n")
    ends = next((number for number, line in enumerate(lines) if not line.startswith(EARLIER)), 0)
    if not ends or not lines[ends].startswith(NOW):
        return Turn(prompt)
    text = "\n".join([lines[ends].removeprefix(NOW), *lines[ends + 1 :]])
    earlier = tuple(_one_line(line.removeprefix(EARLIER)) for line in lines[:ends])
    return Turn(text, earlier) if text.strip() and all(earlier) else Turn(prompt)


def _one_line(text: str) -> str:
    return " ".join(text.split())
