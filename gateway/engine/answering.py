"""One answer that a cheap model is making of kept ones: its first words, its form, and what became of it.

Whoever opens one closes it, and what became of it is told then, once. Until it is open nothing of it may be sent: it may be
no answer at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec

from gateway.core.dialects.base import Dialect
from gateway.core.events import Stage, Trouble
from gateway.core.jsonpath import JsonPath
from gateway.core.messages import Form, Headers, Wanted
from gateway.core.ports import Emit, Writing
from gateway.core.synthesis import Draft, Written
from gateway.core.synthesis_forms import CannotTell, StreamedAnswer, Told, content_type, filled_in, single_answer
from gateway.core.synthesis_reading import Beginning, Unusable, declines_after_all
from gateway.engine.guard import Guard
from gateway.errors import CacheTrouble, SynthesisError

SINGLE = Wanted()


class Scribe(msgspec.Struct, frozen=True):
    """What all answers of one route have in common: the API's `dialect`, or where the text stands in an answer without one
    (`place`); the `model` that writes; `guard` bounds the time to its first words, `seconds` that to its last."""

    dialect: Dialect | None
    place: JsonPath | None
    model: str
    guard: Guard
    seconds: float
    emit: Emit


class Answering:
    """`told` names it and its time, `ended` hears what became of it. `headers` are its own; `form` is that of its body. `doubtful`
    once it was sent: a stream at whose end the model took it back, which is not to be kept."""

    def __init__(
        self, scribe: Scribe, draft: Draft, writing: Writing, told: Told, ended: Callable[[Written, Writing], None]
    ) -> None:
        self.draft = draft
        self.form = Form.SINGLE
        self.headers: Headers = ()
        self.doubtful = False
        self._scribe = scribe
        self._writing = writing
        self._told = told
        self._ended: Callable[[Written, Writing], None] | None = ended
        self._result = Written.BROKEN
        self._broke: SynthesisError | None = None
        self._first = ""
        self._body: bytes | None = None
        self._streamed: StreamedAnswer | None = None
        self._deadline = asyncio.get_running_loop().time() + scribe.seconds

    async def open(self) -> bool:
        """May it be sent? Raises nothing of the cache's own; False: the result says why."""
        scribe = self._scribe
        try:
            first = await scribe.guard.begin(Stage.SYNTHESIS, _first_words, self._writing)
        except CacheTrouble:  # told by the guard
            self._result = Written.TROUBLE
            return False
        if first is None:
            scribe.guard.ended(None)
            self._result = Written.NOT_ENOUGH
            return False
        self._first = first
        try:
            enough = await self._take_form()
        except (SynthesisError, CannotTell) as error:
            self._fail(Written.TROUBLE, error)
            return False
        if not enough:
            self._result = Written.NOT_ENOUGH
        return enough

    def forbid(self) -> None:
        """Its material was purged before anything of it was sent."""
        self._result = Written.PURGED

    async def pieces(self) -> AsyncIterator[bytes]:
        """Its body, to be read once. Raises SynthesisError where it breaks off."""
        if self._body is not None:
            self._result = Written.SERVED
            yield self._body
            return
        streamed, writing = self._streamed, self._writing
        assert streamed is not None
        yield streamed.begin() + streamed.piece(self._first)
        said = [self._first]
        try:
            async for text in self._rest():
                said.append(text)
                yield streamed.piece(text)
            cost = writing.cost
            end = streamed.end(prompt=cost.prompt, completion=cost.completion, cut=writing.cut)
        except (SynthesisError, CannotTell) as error:
            self._fail(Written.BROKEN, error)
            raise SynthesisError(str(error)) from error
        self._result = Written.SERVED
        self.doubtful = declines_after_all("".join(said))
        yield end

    def close(self) -> None:
        """May be called twice."""
        ended, self._ended = self._ended, None
        self._writing.close()
        if ended is not None:
            ended(self._result, self._writing)

    async def _take_form(self) -> bool:
        """False: it is a single answer that declines after all. Raises SynthesisError, CannotTell."""
        dialect = self._scribe.dialect
        wanted = self.draft.subject.wanted or SINGLE
        if dialect is not None and wanted.stream:
            self.form = dialect.form
            self._streamed = StreamedAnswer(dialect, wanted, self._told)
        else:
            text = self._first + "".join([text async for text in self._rest()])
            if self._writing.cut:
                raise SynthesisError(f"{self._scribe.guard.part}: its answer was cut off at its longest")
            if declines_after_all(text):
                return False
            self._body = self._whole(text)
        self.headers = self.draft.nearest.entry.headers if dialect is None else content_type(dialect, self.form)
        return True

    def _whole(self, text: str) -> bytes:
        dialect, place = self._scribe.dialect, self._scribe.place
        if dialect is not None:
            cost = self._writing.cost
            told = msgspec.structs.replace(self._told, prompt=cost.prompt, completion=cost.completion)
            return single_answer(dialect, text, told)
        body = None if place is None else filled_in(self.draft.nearest.entry, place, text)
        if body is None:
            raise SynthesisError(f"{self._scribe.guard.part}: there is no place for a text in the kept answer")
        return body

    async def _rest(self) -> AsyncIterator[str]:
        """What follows the first words, as it comes. Raises SynthesisError."""
        while True:
            try:
                async with asyncio.timeout_at(self._deadline):
                    text = await self._writing.more()
            except TimeoutError:
                part, seconds = self._scribe.guard.part, self._scribe.seconds
                self._broke = SynthesisError(f"{part}: not finished within its timeout of {seconds:g} s")
                raise self._broke from None
            except SynthesisError as error:
                self._broke = error
                raise
            if not text:
                self._scribe.guard.ended(None)
                return
            yield text

    def _fail(self, result: Written, error: Exception) -> None:
        self._result = result
        if self._broke is None:
            self._scribe.emit(Trouble(self._scribe.guard.part, str(error)))
        else:  # so that one which never comes to its end is skipped as well
            self._scribe.guard.ended(self._broke)


async def _first_words(writing: Writing) -> str | None:
    """What is said first, once it is clear that it is an answer; None where the model declines. Raises SynthesisError."""
    beginning = Beginning()
    while True:
        text = await writing.more()
        try:
            said = beginning.hear(text, last=not text)
        except Unusable as error:
            raise SynthesisError(str(error)) from None
        if beginning.declined:
            return None
        if beginning.clear:
            return said
        if not text:
            raise SynthesisError("it said nothing")
