"""One thread, one job at a time: order, cancellation, errors and the end."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from gateway.errors import EmbedError
from gateway.inference.worker import Worker


def test_jobs_run_one_at_a_time_in_order() -> None:
    async def scenario() -> tuple[list[int], set[int]]:
        worker, seen, threads = Worker("test", EmbedError), [], set()

        def job(number: int) -> int:
            seen.append(number)
            threads.add(threading.get_ident())
            return number

        answers = await asyncio.gather(*(worker.run(job, number) for number in range(50)))
        await worker.close()
        assert answers == list(range(50))
        return seen, threads

    seen, threads = asyncio.run(scenario())
    assert seen == list(range(50))
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_the_event_loop_runs_while_a_job_does() -> None:
    async def scenario() -> bool:
        worker, released = Worker("test", EmbedError), threading.Event()
        running = asyncio.create_task(worker.run(lambda wait: released.wait(wait), 30.0))
        await asyncio.sleep(0)
        released.set()  # only a loop that is not blocked gets here
        answer = await running
        await worker.close()
        return answer

    assert asyncio.run(scenario())


def test_a_job_cancelled_before_its_turn_never_runs() -> None:
    async def scenario() -> list[str]:
        worker, released, ran = Worker("test", EmbedError), threading.Event(), []

        def job(name: str) -> None:
            ran.append(name)
            assert released.wait(30)

        first = asyncio.create_task(worker.run(job, "first"))
        second = asyncio.create_task(worker.run(job, "second"))
        third = asyncio.create_task(worker.run(job, "third"))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        released.set()
        await asyncio.gather(first, third)
        await worker.close()
        return ran

    assert asyncio.run(scenario()) == ["first", "third"]


def test_a_job_cancelled_while_running_leaves_the_next_one_its_turn() -> None:
    async def scenario() -> int:
        worker, begun, released = Worker("test", EmbedError), threading.Event(), threading.Event()

        def job(number: int) -> int:
            begun.set()
            assert released.wait(30)
            return number

        first = asyncio.create_task(worker.run(job, 1))
        await asyncio.to_thread(begun.wait, 30)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        released.set()
        answer = await worker.run(job, 2)
        await worker.close()
        return answer

    assert asyncio.run(scenario()) == 2


@pytest.mark.parametrize("raised", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_job_raises_reaches_its_waiter_and_the_thread_lives_on(raised: BaseException) -> None:
    def job(error: BaseException | None) -> str:
        if error is not None:
            raise error
        return "alive"

    async def scenario() -> str:
        worker = Worker("test", EmbedError)
        try:
            await worker.run(job, raised)
        except BaseException as caught:
            assert caught is raised
        answer = await worker.run(job, None)
        await worker.close()
        return answer

    assert asyncio.run(scenario()) == "alive"


def test_closing_fails_those_who_wait_and_those_who_come_later() -> None:
    async def scenario() -> None:
        worker, begun, released = Worker("test", EmbedError), threading.Event(), threading.Event()

        def job(_: int) -> bool:
            begun.set()
            return released.wait(30)

        running = asyncio.create_task(worker.run(job, 1))
        await asyncio.to_thread(begun.wait, 30)
        waiting = asyncio.create_task(worker.run(job, 2))
        await asyncio.sleep(0)
        closing = asyncio.create_task(worker.close())
        with pytest.raises(EmbedError, match="closed"):
            await waiting
        released.set()
        assert await running
        await closing
        with pytest.raises(EmbedError, match="closed"):
            await worker.run(job, 3)

    asyncio.run(scenario())


def test_closing_a_worker_that_never_worked_is_fine() -> None:
    asyncio.run(Worker("test", EmbedError).close())


def test_a_text_is_let_go_once_its_job_is_done() -> None:
    class Text(str):
        pass

    async def scenario() -> bool:
        worker, text = Worker("test", EmbedError), Text("a question")
        kept = weakref.ref(text)
        await worker.run(len, text)
        del text
        await worker.run(len, "")
        gc.collect()
        await worker.close()
        return kept() is None

    assert asyncio.run(scenario())


def test_a_loop_that_ends_during_a_job_does_not_break_the_thread() -> None:
    worker, begun, released = Worker("test", EmbedError), threading.Event(), threading.Event()

    def job(_: int) -> None:
        begun.set()
        assert released.wait(30)

    async def leave() -> None:
        running = asyncio.create_task(worker.run(job, 1))
        await asyncio.to_thread(begun.wait, 30)
        assert not running.done()

    asyncio.run(leave())
    released.set()

    async def come_back() -> int:
        answer = await worker.run(len, "back")
        await worker.close()
        return answer

    assert asyncio.run(come_back()) == 4
