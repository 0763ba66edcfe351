"""QueryFront: the small form `POST {query}` around the cache of an ordinary route. It translates, and decides nothing.

The question goes inside as what the route's own rule reads (the client's body, scope and headers are still there), the
upstream's request takes the body's place on the way out, and what comes back, stored or fresh, is worded as
`{query, response, cache_hit, cached_data, ...}`. What is kept is the upstream's own answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Protocol

import msgspec

from gateway.core.asgi import BODY, CALLER, HIT, UPSTREAM, HeaderList, Message, Receive, Scope, Send
from gateway.core.asking import Ask
from gateway.core.body import Document, Unreadable, parse
from gateway.core.events import Outcome, Served
from gateway.core.messages import Hit, Reason, Request
from gateway.core.ports import Emit
from gateway.engine.keep import EXAMINED_IN_PLACE
from gateway.engine.tiers import Decode
from gateway.errors import RequestTooLarge, Undecodable, UpstreamError
from gateway.fronts.problem import send_problem
from gateway.fronts.query_forms import Answer, Question, Refusal, cached_data, read_question

JSON = b"application/json"
PROBLEM = b"application/problem+json"
# Of the client's body, or for its own answer: of no meaning to what the upstream is asked, and what it says.
_OF_THE_FORM = frozenset(
    (
        *(b"content-type", b"content-length", b"content-encoding", b"transfer-encoding", b"expect"),
        *(b"accept", b"accept-encoding", b"range", b"if-range"),
        *(b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"),
    )
)


class Inside(Protocol):
    """The route as it is without the form: `CacheMiddleware`."""

    async def serve(self, request: Request, document: Document, scope: Scope, receive: Receive, send: Send) -> None: ...


class Form(msgspec.Struct, frozen=True):
    """What one route translates by: `ask` makes the upstream's request and reads its answer, of which `most` bytes are taken;
    `upstream` is its name, `added` the names (lower-case) of headers that the route adds to every answer. `dimension` is that
    of the route's vectors, None where there are none or it is not known yet."""

    ask: Ask
    upstream: str
    most: int
    added: frozenset[bytes]
    dimension: Callable[[], int | None]
    decode: Decode

    async def read(self, status: int, headers: HeaderList, body: bytes | None, upstream: str) -> object:
        """The answer in what the upstream said (None: more than `most`). Raises UpstreamError where there is none."""
        if not 200 <= status < 300:
            raise UpstreamError(f"upstream {upstream!r} answered {status}", upstream)
        if body is None:
            text = f"the answer of upstream {upstream!r} is larger than the route's keep.max_body"
            raise UpstreamError(text, upstream)
        coding = b",".join(value for name, value in headers if name == b"content-encoding")
        try:
            if len(body) > EXAMINED_IN_PLACE:
                answer = await asyncio.to_thread(self._read, coding, body)
            else:
                answer = self._read(coding, body)
        except (Unreadable, Undecodable):
            raise UpstreamError(f"what upstream {upstream!r} answered is no JSON", upstream) from None
        if answer is None:
            text = f"what upstream {upstream!r} answered has nothing at {self.ask.answer.text} (`ask.answer`)"
            raise UpstreamError(text, upstream)
        return answer

    def _read(self, coding: bytes, body: bytes) -> object | None:
        return self.ask.read(parse(self.decode(coding, body, self.most) if coding else body))

    def word(self, asked: Question, response: object, hit: Hit | None, started: float) -> bytes:
        """The answer in the small form."""
        stored = None if hit is None else cached_data(hit, asked.text, response)
        seconds = round(time.perf_counter() - started, 6)
        return msgspec.json.encode(Answer(asked.text, response, stored is not None, stored, self.dimension(), seconds))

    def own(self, headers: HeaderList, *, stored: bool) -> HeaderList:
        """What semgate says of an answer, and the route's own additions; all else is of the upstream's answer."""
        names = self.added | {b"cache-status", *((b"age",) if stored else ())}
        return [pair for pair in headers if pair[0] in names or pair[0].startswith(b"x-cache")]


class QueryFront:
    """The `form` around one route's `inside`."""

    reads_bodies = True

    def __init__(self, inside: Inside, form: Form, route: str, emit: Emit) -> None:
        self._inside = inside
        self._form = form
        self._route = route
        self._emit = emit

    async def serve(self, request: Request, document: Document, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request whose body has been read."""
        started = time.perf_counter()
        asked = read_question(request.body)
        if isinstance(asked, Refusal):
            await _send_json(send, HTTPStatus.UNPROCESSABLE_ENTITY, msgspec.json.encode(asked), [])
            self._refused(scope, started, HTTPStatus.UNPROCESSABLE_ENTITY)
            return
        asking = [(b"content-type", JSON), (b"accept", JSON), (b"accept-encoding", b"identity")]
        outward = {
            **scope,
            "headers": [*_without_form(scope["headers"]), *asking],
            "query_string": b"",
            BODY: self._form.ask.request(asked.text),
        }
        worded = _Wording(self._form, asked, outward, send, started)
        wishing = msgspec.structs.replace(request, headers=_with_wishes(_without_form(request.headers), asked))
        await self._inside.serve(wishing, document, outward, receive, worded.take)
        await worded.end()

    async def bypass(self, reason: Reason, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """A body that was not read cannot be translated: it is too large."""
        started = time.perf_counter()
        error = RequestTooLarge("the question is larger than the route's max_body")
        await send_problem(send, error)
        self._refused(scope, started, error.status)

    def _refused(self, scope: Scope, started: float, status: int) -> None:
        seconds = time.perf_counter() - started
        self._emit(Served(self._route, Outcome.REFUSED, seconds, status, client=scope.get(CALLER)))


class _Wording:
    """One answer on its way out: taken whole, then worded. So a break in the middle is a 502, and no cut connection."""

    def __init__(self, form: Form, asked: Question, scope: Scope, send: Send, started: float) -> None:
        self._form = form
        self._asked = asked
        self._scope = scope
        self._send = send
        self._started = started
        self._status = 0
        self._headers: HeaderList = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False

    async def take(self, message: Message) -> None:
        """In place of the client's own `send`."""
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
            return
        piece = message.get("body", b"")
        self._size += len(piece)
        if self._size <= self._form.most:
            self._pieces.append(piece)
        if not message.get("more_body", False):
            self._ended = True
            await self._answer()

    async def end(self) -> None:
        """Nothing more will come: an answer that has no end yet has broken off."""
        if self._status and not self._ended:
            upstream = self._name()
            await self._fail(UpstreamError(f"the answer of upstream {upstream!r} broke off", upstream))

    async def _answer(self) -> None:
        hit: Hit | None = self._scope.get(HIT)
        own = self._form.own(self._headers, stored=hit is not None)
        body = b"".join(self._pieces)
        if hit is None and UPSTREAM not in self._scope and (b"content-type", PROBLEM) in self._headers:
            await self._send({"type": "http.response.start", "status": self._status, "headers": self._headers})
            await self._send({"type": "http.response.body", "body": body})
            return
        try:
            whole = body if self._size <= self._form.most else None
            response = await self._form.read(self._status, self._headers, whole, self._name())
        except UpstreamError as error:
            await self._fail(error)
        else:
            worded = self._form.word(self._asked, response, hit, self._started)
            await _send_json(self._send, HTTPStatus.OK, worded, own)

    async def _fail(self, error: UpstreamError) -> None:
        """With the time after which the upstream wants to be asked again, where it told one."""
        wait = [pair for pair in self._headers if pair[0] == b"retry-after"]
        await send_problem(self._send, error, [*self._form.own(self._headers, stored=HIT in self._scope), *wait])

    def _name(self) -> str:
        answered = self._scope.get(UPSTREAM)
        return self._form.upstream if answered is None else str(answered.name)


def _without_form(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    return [pair for pair in headers if pair[0] not in _OF_THE_FORM]


def _with_wishes(headers: HeaderList, asked: Question) -> HeaderList:
    """The same wishes as clients of other routes have in headers; which of them count is the route's to say (`allow`)."""
    wishing = list(headers)
    if not asked.use_cache:
        wishing.append((b"cache-control", b"no-store"))
    if asked.threshold is not None:
        wishing = [pair for pair in wishing if pair[0] != b"x-cache-threshold"]
        wishing.append((b"x-cache-threshold", f"{asked.threshold:.9f}".encode()))
    return wishing


async def _send_json(send: Send, status: int, body: bytes, headers: HeaderList) -> None:
    head = [(b"content-type", JSON), (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
