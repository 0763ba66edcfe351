"""A cache in one loop and its caller in another thread: what is asked of whom, in which order, and how errors travel.

The caches here are a few lines each; the real one is in the tests of the doors.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator

import pytest
from passing import HEAD, SCOPE, Oops, passing, pieces, stored

from gateway.core.asgi import Message, Receive, Scope, Send
from gateway.doors.engine import engine
from gateway.errors import UpstreamError
from gateway.fronts.conversation import Unreachable, ask_caller
from gateway.fronts.inner_call import Answer
from gateway.fronts.talk import Broken, Talk


def test_the_inner_call_runs_in_the_thread_and_context_of_the_caller() -> None:
    variable = contextvars.ContextVar("variable", default="engine's")
    variable.set("caller's")
    seen: list[object] = []

    def ask(unseen: bool) -> Answer:
        seen.append((threading.current_thread(), variable.get(), unseen))

        def chunks() -> Iterator[bytes]:
            seen.append((threading.current_thread(), variable.get()))
            yield b"x"

        return Answer(200, HEAD, chunks())

    talk = Talk(engine(), passing, SCOPE, ask)
    assert talk.head()["status"] == 200
    assert list(talk.chunks()) == [b"x"]
    talk.close()
    me = threading.current_thread()
    assert seen == [(me, "caller's", False), (me, "caller's")]


def test_each_piece_is_with_the_client_before_the_next_is_asked_for() -> None:
    story: list[str] = []

    def chunks() -> Iterator[bytes]:
        for name in "abc":
            story.append(f"made {name}")
            yield name.encode()

    talk = Talk(engine(), passing, SCOPE, lambda _unseen: Answer(200, HEAD, chunks()))
    talk.head()
    story.append("head")
    for piece in talk.chunks():
        story.append(f"got {piece.decode()}")
    talk.close()
    assert story == ["head", "made a", "got a", "made b", "got b", "made c", "got c"]


def test_a_whole_answer_and_members_of_its_head_pass() -> None:
    talk = Talk(
        engine(), passing, SCOPE, lambda _: Answer(200, HEAD, iter([b"a", b"b"]), whole=True, extra={"mine": 1})
    )
    assert talk.head()["mine"] == 1
    assert list(talk.chunks()) == [b"ab"]
    talk.close()


def test_a_stored_answer_is_given_without_the_inner_call() -> None:
    def ask(_unseen: bool) -> Answer:
        raise AssertionError

    talk = Talk(engine(), stored, SCOPE, ask)
    assert talk.head()["status"] == 203
    assert list(talk.chunks()) == [b"a", b"b", b"c"]
    talk.close()


def test_empty_pieces_are_passed_over() -> None:
    talk = Talk(engine(), passing, SCOPE, pieces(b"", b"a", b"", b"b", b""))
    talk.head()
    assert list(talk.chunks()) == [b"a", b"b"]
    talk.close()


@pytest.mark.parametrize(
    "make", [Oops, StopIteration, lambda: UpstreamError("the app's own", "x"), TimeoutError], ids=range(4)
)
def test_an_error_of_the_inner_call_is_raised_as_it_is(make: Callable[[], Exception]) -> None:
    error = make()

    def ask(_unseen: bool) -> Answer:
        raise error

    talk = Talk(engine(), passing, SCOPE, ask)
    with pytest.raises(type(error)) as raised:
        talk.head()
    talk.close()
    assert raised.value is error
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    assert raised.traceback[-1].name == "ask"


def test_an_error_in_the_middle_of_the_answer_is_raised_as_it_is() -> None:
    error = Oops()
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise error

    talk = Talk(engine(), passing, SCOPE, lambda _: Answer(200, HEAD, chunks(), lambda: closed.append(True)))
    talk.head()
    got = talk.chunks()
    assert next(got) == b"a"
    with pytest.raises(Oops) as raised:
        next(got)
    assert raised.value is error
    talk.close()
    assert closed == [True]


def test_an_error_may_be_stood_in_for_where_nobody_answered() -> None:
    async def forgiving(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await ask_caller(scope, receive, send)
        except UpstreamError:
            await stored(scope, receive, send)

    def ask(_unseen: bool) -> Answer:
        raise Unreachable(Oops())

    talk = Talk(engine(), forgiving, SCOPE, ask)
    assert talk.head()["status"] == 203
    talk.close()
    error = Oops()

    def ask_again(_unseen: bool) -> Answer:
        raise Unreachable(error)

    with pytest.raises(Oops) as raised:
        Talk(engine(), passing, SCOPE, ask_again).head()
    assert raised.value is error


def test_what_ends_a_thread_goes_out_at_once() -> None:
    ended = threading.Event()

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await ask_caller(scope, receive, send)
        finally:
            ended.set()

    def ask(_unseen: bool) -> Answer:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        Talk(engine(), watching, SCOPE, ask).head()
    assert ended.wait(5)


def test_errors_of_the_cache_itself_are_raised_and_leave_the_engine_running() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        Talk(engine(), broken, SCOPE, pieces()).head()
    assert engine().is_alive()


def test_an_answer_that_breaks_off_says_so() -> None:
    async def half(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})

    talk = Talk(engine(), half, SCOPE, pieces())
    talk.head()
    with pytest.raises(Broken):
        list(talk.chunks())
    talk.close()

    async def nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    with pytest.raises(Broken):
        Talk(engine(), nothing, SCOPE, pieces()).head()


def test_the_body_is_read_as_far_as_the_cache_wants_it() -> None:
    body = iter([(b"a", True), (b"b", True), (b"c", False)])

    async def first_two(scope: Scope, receive: Receive, send: Send) -> None:
        read = (await receive())["body"] + (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": read})

    talk = Talk(engine(), first_two, SCOPE, pieces(), read=lambda: next(body))
    talk.head()
    assert list(talk.chunks()) == [b"ab"]
    assert next(body) == (b"c", False)
    talk.close()


def test_a_body_that_is_known_is_whole_and_then_the_cache_waits_for_the_client_to_leave() -> None:
    heard: queue.SimpleQueue[Message] = queue.SimpleQueue()

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        heard.put(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        heard.put(await receive())

    talk = Talk(engine(), listening, SCOPE, pieces(), body=b"whole")
    talk.head()
    assert heard.get(timeout=5) == {"type": "http.request", "body": b"whole", "more_body": False}
    assert heard.empty()
    talk.close()
    assert heard.get(timeout=5) == {"type": "http.disconnect"}
