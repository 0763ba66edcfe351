"""What a cheap model says, read as it comes: the text in a stream of chat completion chunks, and whether that is "not enough".

Pure. A `Reading` takes bytes and gives text; a `Beginning` holds the first words back until they can no longer be the words
by which a model declines.
"""

from __future__ import annotations

import unicodedata

import msgspec

from gateway.core.messages import Form
from gateway.core.policy import MOST_TOKENS
from gateway.core.streams import split

LONGEST_EVENT = 1 << 20
"""Bytes of one event, and of an answer that is no stream."""
LONGEST_ANSWER = 1 << 20
"""Characters of the text."""
LONGEST_BEGINNING = 1 << 16
"""Characters before the answer begins: thoughts, blanks."""
DECLINES = "notenough"
MARK = "NOT_ENOUGH"
LOOKED_AT = 256
"""Characters of an answer among which the words stand, if it declines."""
_AROUND = frozenset(" \t\r\n_-*`\"'#>.:()[]{}")
_THINKS, _THOUGHT = "<think>", "</think>"
_DONE = b"[DONE]"


class Unusable(ValueError):
    """What came is no chat completion, or says something else than a text. Says so of itself, without its words."""


class _Said(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class _Choice(msgspec.Struct):
    delta: _Said | None = None
    message: _Said | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: object = None
    error: object = None


_read = msgspec.json.Decoder(_Chunk).decode


class Reading:
    """One answer. `ended` once it is whole, `cut` where it was cut off at its longest, `tokens` (prompt, completion) as the
    server counts them, None where it does not."""

    def __init__(self, *, stream: bool) -> None:
        self.ended = False
        self.cut = False
        self.tokens: tuple[int, int] | None = None
        self._stream = stream
        self._rest = b""
        self._finished = False
        self._length = 0

    def feed(self, piece: bytes) -> str:
        """The text in what has come since. Raises Unusable."""
        self._rest += piece
        text = ""
        if self._stream:
            end = max(
                self._rest.rfind(mark) + len(mark) if mark in self._rest else 0 for mark in (b"\n\n", b"\r\n\r\n")
            )
            whole, self._rest = self._rest[:end], self._rest[end:]
            text = self._events(whole) if whole else ""
        if len(self._rest) > LONGEST_EVENT:
            raise Unusable("what it says is longer than anything that is asked for")
        return text

    def finish(self) -> str:
        """The body ended: the text that was still missing. Raises Unusable where it is not whole."""
        rest, self._rest = self._rest, b""
        text = (self._events(rest) if self._stream else self._chunk(rest)) if rest.strip() else ""
        self.ended = self.ended or self._finished  # not all servers say [DONE]
        if not self.ended:
            raise Unusable("its answer ended before its end")
        return text

    def _events(self, raw: bytes) -> str:
        said = []
        for event in split(raw, Form.SSE):
            if event.name == b"error":
                raise Unusable("it told an error")
            if not event.data:
                continue
            if event.data.strip() == _DONE:
                self.ended = True
            else:
                said.append(self._chunk(event.data))
        return "".join(said)

    def _chunk(self, data: bytes) -> str:
        try:
            chunk = _read(data)
        except (ValueError, RecursionError):  # msgspec's own are ValueErrors, and so is broken UTF-8
            raise Unusable("it did not answer as a chat API does") from None
        if chunk.error is not None:
            raise Unusable("it told an error")
        if chunk.usage is not None:
            self.tokens = _count(chunk.usage) or self.tokens
        return "".join([self._choice(choice) for choice in chunk.choices[:1]])

    def _choice(self, choice: _Choice) -> str:
        said = choice.delta or choice.message or _Said()
        if said.refusal or said.tool_calls or choice.finish_reason not in (None, "", "stop", "length"):
            raise Unusable("it declined, or called a tool")
        if choice.finish_reason:
            self._finished = True
            self.cut = choice.finish_reason == "length"
        text = said.content or ""
        self._length += len(text)
        if self._length > LONGEST_ANSWER:
            raise Unusable("its answer has no end")
        return text


class Beginning:
    """`declined`: the model says that the material is not enough. `clear`: it certainly does not, and what is heard may be
    passed on."""

    def __init__(self) -> None:
        self.declined = False
        self.clear = False
        self._held = ""

    def hear(self, text: str, *, last: bool = False) -> str:
        """What may be passed on now; `last`: no more will come. Raises Unusable where the beginning has no end."""
        if self.clear:
            return text
        self._held += text
        answer = _after_thoughts(self._held, last=last)
        if answer is None:
            self._bound()
            return ""
        letters = _letters(answer)
        if letters == DECLINES:
            self.declined = True
        elif (
            (letters and not DECLINES.startswith(letters))
            or len(answer) >= LOOKED_AT
            or (last and (letters or _is_said(answer)))
        ):
            self.clear, self._held = True, ""
            return answer
        self._bound()
        return ""

    def _bound(self) -> None:
        if len(self._held) > LONGEST_BEGINNING:
            raise Unusable("it thinks without end")


def declines_after_all(text: str) -> bool:
    """Does the word stand somewhere in it? Then the model took back what it said, or said it around the word."""
    return MARK in text.replace("\\", "")


def _count(usage: object) -> tuple[int, int] | None:
    """None where it counts nothing, or what no answer can have cost."""
    try:
        told = msgspec.convert(usage, _Usage)
    except ValueError:
        return None
    tokens = max(0, told.prompt_tokens), max(0, told.completion_tokens)
    return None if max(tokens) > MOST_TOKENS else tokens


def _letters(answer: str) -> str:
    """As many as the words have, of the beginning, however it is marked and whatever shape of letter it is written in."""
    plain = unicodedata.normalize("NFKC", answer[:LOOKED_AT])
    return "".join([letter for letter in plain if letter.isalnum()])[: len(DECLINES)].lower()


def _is_said(answer: str) -> bool:
    """Is there more than marks around nothing?"""
    return any(sign.isprintable() and sign not in _AROUND for sign in answer)


def _after_thoughts(text: str, *, last: bool) -> str | None:
    """The answer as far as it is here, without what a model thought aloud before it; None while it thinks."""
    begun = text.lstrip()
    if not begun.startswith(_THINKS):
        return None if not last and _THINKS.startswith(begun) else begun
    _, end, answer = begun.partition(_THOUGHT)
    return answer.lstrip() if end else None
