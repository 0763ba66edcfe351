"""A cache in one loop and its caller in a task of another: `test_conversation`, awaited, and what only tasks can do."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from passing import HEAD, SCOPE, UNSEEN_GOT, Watched, passing, run, stale, stored

from gateway.doors.engine import engine
from gateway.errors import UpstreamError
from gateway.fronts.async_talk import AsyncAnswer, AsyncTalk
from gateway.fronts.conversation import Unreachable
from gateway.fronts.talk import Broken


def pieces(*chunks: bytes) -> Callable[[bool], Coroutine[Any, Any, AsyncAnswer]]:
    async def ask(_unseen: bool) -> AsyncAnswer:
        async def made() -> AsyncIterator[bytes]:
            for chunk in chunks:
                await asyncio.sleep(0)
                yield chunk

        return AsyncAnswer(200, HEAD, made())

    return ask


async def whole(talk: AsyncTalk) -> bytes:
    return b"".join([piece async for piece in talk.chunks()])


def test_the_inner_call_runs_in_the_task_and_context_of_the_caller() -> None:
    variable = contextvars.ContextVar("variable", default="engine's")
    seen: list[object] = []

    async def ask(unseen: bool) -> AsyncAnswer:
        seen.append((asyncio.current_task(), variable.get(), unseen))

        async def made() -> AsyncIterator[bytes]:
            seen.append((asyncio.current_task(), variable.get()))
            yield b"x"

        return AsyncAnswer(200, HEAD, made())

    async def story() -> None:
        variable.set("caller's")
        talk = AsyncTalk(engine(), passing, SCOPE, ask)
        assert (await talk.head())["status"] == 200
        assert await whole(talk) == b"x"
        await talk.close()
        me = asyncio.current_task()
        assert seen == [(me, "caller's", False), (me, "caller's")]

    run(story)


def test_each_piece_is_with_the_client_before_the_next_is_asked_for() -> None:
    told: list[str] = []

    async def ask(_unseen: bool) -> AsyncAnswer:
        async def made() -> AsyncIterator[bytes]:
            for name in "ab":
                told.append(f"made {name}")
                yield name.encode()

        return AsyncAnswer(200, HEAD, made(), extra={"mine": 1})

    async def story() -> None:
        talk = AsyncTalk(engine(), passing, SCOPE, ask)
        assert (await talk.head())["mine"] == 1
        async for piece in talk.chunks():
            told.append(f"got {piece.decode()}")
        await talk.close()
        assert told == ["made a", "got a", "made b", "got b"]

    run(story)


def test_a_stored_answer_is_given_without_the_inner_call_and_a_body_is_read() -> None:
    async def ask(_unseen: bool) -> AsyncAnswer:
        raise AssertionError

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == b"a"
        assert await receive() == {"type": "http.disconnect"}
        await stored(scope, receive, send)

    async def story() -> None:
        body = iter([(b"a", True), None])

        async def read() -> tuple[bytes, bool] | None:
            return next(body)

        talk = AsyncTalk(engine(), reading, SCOPE, ask, read=read)
        assert (await talk.head())["status"] == 203
        assert await whole(talk) == b"abc"
        await talk.close()

    run(story)


class Oops(Exception):
    pass


def test_an_error_of_the_inner_call_is_raised_as_it_is() -> None:
    early, late, nobody = Oops(), Oops(), Oops()

    async def raising(_unseen: bool) -> AsyncAnswer:
        raise early

    async def away(_unseen: bool) -> AsyncAnswer:
        raise Unreachable(nobody)

    async def breaking(_unseen: bool) -> AsyncAnswer:
        async def made() -> AsyncIterator[bytes]:
            yield b"a"
            raise late

        return AsyncAnswer(200, HEAD, made())

    async def story() -> None:
        for ask, error in ((raising, early), (away, nobody)):
            talk = AsyncTalk(engine(), passing, SCOPE, ask)
            with pytest.raises(Oops) as raised:
                await talk.head()
            assert raised.value is error
            await talk.close()
        talk = AsyncTalk(engine(), passing, SCOPE, breaking)
        await talk.head()
        with pytest.raises(Oops) as raised:
            await whole(talk)
        assert raised.value is late
        await talk.close()

    run(story)


def test_a_caller_that_leaves_ends_the_exchange_and_closes_the_inner_answer() -> None:
    closed: list[int] = []

    async def story() -> None:
        async def close() -> None:
            closed.append(1)

        async def ask(_unseen: bool) -> AsyncAnswer:
            async def made() -> AsyncIterator[bytes]:
                while True:
                    yield b"x"

            return AsyncAnswer(200, HEAD, made(), close)

        cache = Watched(finish=True)
        talk = AsyncTalk(engine(), cache, SCOPE, ask)
        await talk.head()
        async for _ in talk.chunks():
            break
        await talk.close()
        await talk.close()
        assert closed == [1]
        assert await asyncio.to_thread(cache.over.wait, 5)
        assert not cache.ended

    run(story)


def test_a_caller_that_is_cancelled_in_the_inner_call_ends_the_exchange() -> None:
    async def story() -> None:
        begun = asyncio.Event()

        async def ask(_unseen: bool) -> AsyncAnswer:
            begun.set()
            await asyncio.sleep(60)
            raise AssertionError

        cache = Watched(finish=True)
        talk = AsyncTalk(engine(), cache, SCOPE, ask)
        task = asyncio.create_task(talk.head())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await talk.close()
        assert await asyncio.to_thread(cache.over.wait, 5)

    run(story)


def test_a_caller_that_is_cancelled_while_the_cache_thinks_ends_the_exchange() -> None:
    goes_on, asked = threading.Event(), []
    over = threading.Event()

    async def thinking(scope: Any, receive: Any, send: Any) -> None:
        while not goes_on.is_set():
            await asyncio.sleep(0.005)
        await passing(scope, receive, send)
        over.set()

    async def ask(_unseen: bool) -> AsyncAnswer:
        asked.append(1)
        raise AssertionError

    async def story() -> None:
        talk = AsyncTalk(engine(), thinking, SCOPE, ask)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await talk.head()
        await talk.close()

    run(story)
    goes_on.set()
    assert over.wait(5)
    assert asked == []


def test_another_task_may_close_while_one_waits() -> None:
    async def story() -> None:
        cache = Watched()

        async def silent(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            assert (await receive())["type"] == "http.request"
            assert (await receive())["type"] == "http.disconnect"
            cache.over.set()

        talk = AsyncTalk(engine(), silent, SCOPE, pieces())
        await talk.head()
        reader = asyncio.create_task(whole(talk))
        await asyncio.sleep(0.01)
        await talk.close()
        with pytest.raises(Broken):
            await reader
        assert await asyncio.to_thread(cache.over.wait, 5)

    run(story)


def test_a_loop_that_is_gone_holds_nothing_up() -> None:
    cache = Watched()

    async def begin() -> AsyncTalk:
        talk = AsyncTalk(engine(), cache, SCOPE, pieces(b"a", b"b"))
        await talk.head()
        return talk

    talk = asyncio.run(begin())
    weak = weakref.ref(talk)
    del talk
    gc.collect()
    assert weak() is None
    assert cache.over.wait(5)


def test_what_the_client_does_not_see_is_done_beside() -> None:
    async def story() -> None:
        tasks: list[asyncio.Task[None]] = []

        def beside(work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
            tasks.append(asyncio.create_task(work()))
            return True

        talk = AsyncTalk(engine(), stale, SCOPE, pieces(b"n", b"ew"), beside=beside)
        await talk.head()
        assert await whole(talk) == b"abc"
        await talk.close()
        got = [await asyncio.to_thread(UNSEEN_GOT.get, timeout=5) for _ in range(4)]
        assert got == [b"", b"n", b"ew", b""]
        await asyncio.gather(*tasks)

    run(story)


@pytest.mark.parametrize("beside", [lambda _work: False, None])
def test_an_unseen_call_that_nobody_carries_out_comes_to_nothing(beside: Any) -> None:
    async def story() -> None:
        talk = AsyncTalk(engine(), stale, SCOPE, pieces(b"new"), beside=beside)
        await talk.head()
        await whole(talk)
        await talk.close()
        assert isinstance(await asyncio.to_thread(UNSEEN_GOT.get, timeout=5), UpstreamError)

    run(story)


def test_an_unseen_call_whose_task_is_cancelled_comes_to_nothing() -> None:
    async def story() -> None:
        begun = asyncio.Event()
        tasks: list[asyncio.Task[None]] = []

        async def ask(_unseen: bool) -> AsyncAnswer:
            begun.set()
            await asyncio.sleep(60)
            raise AssertionError

        def beside(work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
            tasks.append(asyncio.create_task(work()))
            return True

        talk = AsyncTalk(engine(), stale, SCOPE, ask, beside=beside)
        await talk.head()
        await whole(talk)
        await talk.close()
        await begun.wait()
        tasks[0].cancel()
        assert isinstance(await asyncio.to_thread(UNSEEN_GOT.get, timeout=5), UpstreamError)
        await asyncio.gather(*tasks, return_exceptions=True)

    run(story)
