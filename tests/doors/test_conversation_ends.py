"""How a conversation ends: with its answer, with a caller that leaves, with the engine; what is done after it, and what is left."""

from __future__ import annotations

import gc
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator

import pytest
from passing import HEAD, SCOPE, UNSEEN_GOT, Oops, Watched, passing, pieces, stale

from gateway.core.asgi import Receive, Scope, Send
from gateway.doors.engine import Engine, engine
from gateway.errors import UpstreamError
from gateway.fronts.conversation import HELD, EngineClosed
from gateway.fronts.inner_call import Answer
from gateway.fronts.talk import Broken, Talk


@pytest.mark.parametrize("finishes", [False, True])
def test_a_caller_that_leaves_ends_the_exchange(finishes: bool) -> None:
    made: list[int] = []
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        for number in range(1000):
            made.append(number)
            yield b"x"

    cache = Watched(finish=False)
    talk = Talk(
        engine(), cache, SCOPE, lambda _: Answer(200, HEAD, chunks(), lambda: closed.append(True)), finishes=finishes
    )
    talk.head()
    assert next(talk.chunks()) == b"x"
    talk.close()
    talk.close()
    assert closed == [True]
    assert cache.over.wait(5)
    assert not cache.ended
    assert made == [0]


def test_an_answer_is_read_to_its_end_where_that_is_wanted() -> None:
    cache = Watched(finish=True)
    story: list[str] = []

    def chunks() -> Iterator[bytes]:
        yield from (b"a", b"b", b"c")
        story.append("made")

    talk = Talk(
        engine(), cache, SCOPE, lambda _: Answer(200, HEAD, chunks(), lambda: story.append("closed")), finishes=True
    )
    talk.head()
    assert next(talk.chunks()) == b"a"
    talk.close()
    assert cache.ended
    assert b"".join(cache.got) == b"abc"
    assert story == ["made", "closed"]


def test_another_thread_may_close_while_one_waits_for_the_next_piece() -> None:
    cache = Watched()
    waits, goes_on, told = threading.Event(), threading.Event(), queue.SimpleQueue[BaseException]()

    def chunks() -> Iterator[bytes]:
        waits.set()
        goes_on.wait(5)
        yield b"late"

    talk = Talk(engine(), cache, SCOPE, lambda _: Answer(200, HEAD, chunks(), goes_on.set))
    talk.head()

    def read() -> None:
        try:
            list(talk.chunks())
        except Broken as broken:
            told.put(broken)

    reader = threading.Thread(target=read)
    reader.start()
    assert waits.wait(5)
    talk.close()
    assert isinstance(told.get(timeout=5), Broken)
    reader.join(5)
    assert cache.over.wait(5)
    assert not cache.ended


def test_a_caller_that_forgets_to_close_holds_nothing_up() -> None:
    cache = Watched()
    talk = Talk(engine(), cache, SCOPE, pieces(b"a", b"b"))
    talk.head()
    del talk
    gc.collect()
    assert cache.over.wait(5)


def test_of_a_stored_answer_that_nobody_reads_only_so_much_is_under_way() -> None:
    piece, sent = b"x" * (HELD // 4), []

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            sent.append(1)
        await send({"type": "http.response.body", "body": b""})

    talk = Talk(engine(), large, SCOPE, pieces())
    talk.head()
    got = talk.chunks()
    next(got)
    time.sleep(0.05)
    assert len(sent) <= 10
    assert sum(map(len, got)) == 99 * len(piece)
    talk.close()


def test_what_the_client_does_not_see_is_done_when_it_has_its_answer() -> None:
    story: list[str] = []

    def ask(unseen: bool) -> Answer:
        story.append(f"unseen {unseen}")
        return Answer(200, HEAD, iter([b"n", b"ew"]), lambda: story.append("closed"))

    talk = Talk(engine(), stale, SCOPE, ask)
    talk.head()
    assert b"".join(talk.chunks()) == b"abc"
    assert story == []
    talk.close()
    assert story == ["unseen True", "closed"]
    assert [UNSEEN_GOT.get(timeout=5) for _ in range(4)] == [b"", b"n", b"ew", b""]


def test_what_the_client_does_not_see_may_be_done_beside() -> None:
    threads: list[threading.Thread] = []

    def beside(job: Callable[[], None]) -> bool:
        threads.append(threading.Thread(target=job))
        threads[-1].start()
        return True

    talk = Talk(engine(), stale, SCOPE, pieces(b"n", b"ew"), beside=beside)
    talk.head()
    assert b"".join(talk.chunks()) == b"abc"
    talk.close()
    assert [UNSEEN_GOT.get(timeout=5) for _ in range(4)] == [b"", b"n", b"ew", b""]
    threads[0].join(5)


@pytest.mark.parametrize("beside", [lambda _job: False, None])
def test_an_unseen_call_that_nobody_carries_out_comes_to_nothing(beside: Callable[..., bool] | None) -> None:
    talk = Talk(engine(), stale, SCOPE, pieces(b"new"), beside=beside)
    talk.head()
    if beside is None:
        del talk  # without a word
    else:
        list(talk.chunks())
        talk.close()
    assert isinstance(UNSEEN_GOT.get(timeout=5), UpstreamError)


def test_an_error_of_an_unseen_call_is_logged_and_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    def ask(_unseen: bool) -> Answer:
        raise Oops("in vain")

    talk = Talk(engine(), stale, SCOPE, ask)
    talk.head()
    assert b"".join(talk.chunks()) == b"abc"
    talk.close()
    assert isinstance(UNSEEN_GOT.get(timeout=5), UpstreamError)
    assert "in vain" in caplog.text


def test_nothing_is_left_behind() -> None:
    cache = Watched()
    talk = Talk(engine(), cache, SCOPE, pieces(b"a"))
    talk.head()
    assert list(talk.chunks()) == [b"a"]
    talk.close()
    assert cache.over.wait(5)
    weak = weakref.ref(talk)
    del talk
    gc.collect()
    assert weak() is None


def test_an_engine_that_closes_ends_its_exchanges() -> None:
    own = Engine()
    began = threading.Event()

    async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
        began.set()
        await receive()
        await receive()

    told: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    def wait() -> None:
        try:
            Talk(own, waiting, SCOPE, pieces()).head()
        except EngineClosed as error:
            told.put(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert began.wait(5)
    own.close(finishing=0.05)
    assert isinstance(told.get(timeout=5), EngineClosed)
    thread.join(5)
    with pytest.raises(EngineClosed):
        Talk(own, passing, SCOPE, pieces()).head()


def test_the_caches_own_thread_is_told_that_it_would_wait_for_itself() -> None:
    async def inside() -> None:
        Talk(engine(), passing, SCOPE, pieces(b"a")).head()

    with pytest.raises(RuntimeError, match="own thread"):
        engine().submit(inside).result(5)
