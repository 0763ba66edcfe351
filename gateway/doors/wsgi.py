"""The cache inside a WSGI app: `SemanticCacheWSGIMiddleware`, around Flask, Django, or any other.

The cache runs in semgate's own thread. The app is called in the thread and context of its server, as ever, and each piece
of its answer is with the server before the next is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from http.client import responses
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway.config.objects import prepare
from gateway.doors.defaults import APP, nobody_follows, project_namespace
from gateway.doors.environ import Body, Environ, has_an_end, scope_of
from gateway.doors.opening import Reached, SharedCache
from gateway.doors.who import who_calls
from gateway.fronts.conversation import ask_caller
from gateway.fronts.inner_call import Answer
from gateway.fronts.talk import Talk
from gateway.runtime.inside import APP as PLACE
from gateway.runtime.inside import Inside

if TYPE_CHECKING:
    from gateway.core.asgi import HeaderList, Message
    from gateway.doors.settings import Config
    from gateway.fronts.request import Request

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
Write: TypeAlias = Callable[[bytes], object]


class SemanticCacheWSGIMiddleware:
    """Answers questions that were asked before, in the same words or in others, before `app` is asked.

    Args:
        app: any WSGI app.
        config: the path of a routes file, or the same settings as Python objects (see Config). Without it: POST to any path,
            with the question in `query`, `prompt`, `input` or the last of `messages`; callers who differ in `REMOTE_USER` or
            in any header that may say who they are share nothing.

    Raises:
        ConfigError: the settings cannot be used; the message lists all that is wrong. What shows only when the cache is
            opened, at the first request, is logged.
    """

    def __init__(self, app: Any, config: Config | Mapping[str, Any] | str | Path | None = None) -> None:
        self._app = app
        prepared = nobody_follows(prepare(config, default=_DEFAULT, namespace=project_namespace()))
        key = (prepared.key, PLACE, "wsgi")
        self._shared = SharedCache(key, lambda: Inside(prepared, ask_caller, place=PLACE))

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        reached = self._shared.reach()
        if reached is None or not has_an_end(environ):
            answer: Iterable[bytes] = self._app(environ, start_response)
            return answer
        scope = scope_of(environ)
        if not reached.inside.takes(scope):
            return self._app(environ, start_response)  # type: ignore[no-any-return]
        return _Exchange(self._app, environ, start_response).answer(reached, scope)


class _Exchange:
    """One request: the server's side and the app's side of start_response, and the body that is read twice."""

    def __init__(self, app: Any, environ: Environ, start_response: Callable[..., Any]) -> None:
        self._app = app
        self._environ = environ
        self._start_response = start_response
        self._body = Body(environ)
        self._write: Write | None = None
        self._talk: Talk

    def answer(self, reached: Reached, scope: Any) -> Iterable[bytes]:
        self._talk = Talk(reached.ground, reached.inside, scope, self._ask, read=self._body.read, finishes=True)
        try:
            head = self._talk.head()
            if self._write is None:
                self._start(head)
        except BaseException:
            self._talk.close()  # no server closes what it never got
            raise
        return _Pieces(self._talk)

    def _start(self, head: Message) -> None:
        """Of the answer that the client gets."""
        status: int = head["status"]
        reason = head.get("reason") or responses.get(status, "Unknown")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head["headers"]]
        self._write = self._start_response(f"{status} {reason}", headers)

    def _ask(self, unseen: bool) -> Answer:
        """Call the app. Its head goes on with its first piece: until then the app may still take another one."""
        environ = dict(self._environ) if unseen else self._environ
        environ["wsgi.input"] = self._body.again()
        said = _Said(self._pass_on)
        chunks: Iterable[bytes] = self._app(environ, said.start_response)
        close = getattr(chunks, "close", None)
        whole = isinstance(chunks, (list, tuple))
        pieces = iter(chunks)
        try:
            first = next((piece for piece in pieces if piece), b"")
            status, reason, headers = said.head()
        except BaseException:
            if close is not None:
                close()
            raise
        said.over = True
        rest = chain((first,), pieces)
        return Answer(status, headers, rest, close, whole, {"reason": reason}, begun=said.begun)

    def _pass_on(self, *messages: Message) -> None:
        """What the app writes, before it has returned."""
        for message in self._talk.hand_on(*messages):
            if message["type"] == "http.response.start":
                self._start(message)
            elif message.get("body") and self._write is not None:
                self._write(message["body"])


class _Said:
    """What one call of the app said of its head. `over`: pieces of its body are under way."""

    def __init__(self, pass_on: Callable[..., None]) -> None:
        self._pass_on = pass_on
        self._status = ""
        self._headers: list[tuple[str, str]] | None = None
        self.begun = False
        self.over = False

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None) -> Write:
        """PEP 3333's, for the app."""
        try:
            if exc_info is not None and exc_info[1] is not None and (self.over or self.begun):
                raise exc_info[1].with_traceback(exc_info[2])
            if exc_info is None and self._headers is not None:
                raise AssertionError("the app called start_response twice, without exc_info")
        finally:
            exc_info = None  # else frames and what they hold stay until the collector comes
        self._status, self._headers = status, list(headers)
        return self._write

    def head(self) -> tuple[int, str, HeaderList]:
        if self._headers is None:
            raise AssertionError("the app did not call start_response before its first piece")
        status, _, reason = self._status.partition(" ")
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self._headers]
        return int(status), reason, headers

    def _write(self, piece: bytes) -> None:
        messages: list[Message] = []
        if not self.begun:
            status, reason, headers = self.head()
            messages.append({"type": "http.response.start", "status": status, "headers": headers, "reason": reason})
        if piece:
            self.begun = True
            self._pass_on(*messages, {"type": "http.response.body", "body": bytes(piece), "more_body": True})


class _Pieces:
    """The answer's body, for the server."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._chunks = talk.chunks()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self._talk.close()


def _who_calls(request: Request) -> str | None:
    """As in ASGI apps, and whom the server itself has found to be calling."""
    caller = who_calls(request)
    if caller is None:
        return None
    found = (f"{name}={value}" for name, value in sorted(request.scope.items()) if _is_servers(name) and value)
    return "\n".join((caller, *found))


def _is_servers(name: str) -> bool:
    return name in ("REMOTE_USER", "AUTH_TYPE") or name.startswith("SSL_CLIENT_")


_DEFAULT = {**APP, "routes": [{**route, "scope": _who_calls} for route in APP["routes"]]}  # type: ignore[attr-defined]
