"""The breaker: failures in a row open it, one request tries at a time, and nobody waits for an upstream that is down."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_client import MakeProxy, until
from raw_upstream import Behaviour, Exchange, RawUpstream, always, answer_json, in_turn

from gateway.proxy.breaker import Breaker

POST = {"method": b"POST", "body": b"body"}
LENGTH = b"Content-Length: 4"


def status(code: int, *lines: bytes) -> Behaviour:
    extra = b"".join(line + b"\r\n" for line in lines)
    return always(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n%b\r\nno" % (code, extra))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock, *, failures: int = 3, at_least: float = 0.0) -> Breaker:
    breaker = Breaker(failures, pause=1.0, longest=5.0, clock=clock)
    for _ in range(failures):
        breaker.failed(entered(breaker), at_least)
    return breaker


def entered(breaker: Breaker) -> int:
    era = breaker.enter()
    assert era is not None
    return era


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(3, clock=Clock())
    for _ in range(2):
        breaker.failed(entered(breaker))
    breaker.succeeded(entered(breaker))
    for _ in range(2):
        breaker.failed(entered(breaker))
        assert not breaker.open
    breaker.failed(entered(breaker))
    assert breaker.open
    assert breaker.enter() is None
    assert breaker.rests() == 1.0


def test_without_a_number_of_failures_it_never_opens() -> None:
    breaker = Breaker(0, clock=Clock())
    for _ in range(1000):
        breaker.failed(entered(breaker), 60)
    assert not breaker.open


def test_after_the_pause_one_request_tries_and_its_success_closes_it() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 0.99
    assert breaker.enter() is None
    clock.now += 0.01
    trial = entered(breaker)
    assert breaker.enter() is None, "a second request tries beside the first"
    breaker.succeeded(trial)
    assert not breaker.open
    assert entered(breaker) == entered(breaker)


def test_each_trial_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    clock = Clock()
    breaker = opened(clock)
    pauses = []
    for _ in range(5):
        pauses.append(breaker.rests())
        clock.now += breaker.rests()
        breaker.failed(entered(breaker))
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]
    clock.now += 5.0
    breaker.succeeded(entered(breaker))
    assert opened(clock).rests() == 1.0


def test_a_trial_without_an_outcome_leaves_it_to_the_next_request() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now += 1.0
    breaker.left(entered(breaker))
    assert breaker.open
    breaker.succeeded(entered(breaker))
    assert not breaker.open


def test_it_rests_as_long_as_the_upstream_asks_but_no_longer_than_the_longest() -> None:
    assert opened(Clock(), at_least=3.0).rests() == 3.0
    assert opened(Clock(), at_least=0.1).rests() == 1.0
    assert opened(Clock(), at_least=3600.0).rests() == 5.0
    breaker = Breaker(3, clock=Clock())
    breaker.failed(entered(breaker), 10.0)
    assert not breaker.open, "one request to wait is not a reason to leave it alone"


def test_requests_from_before_it_opened_neither_close_it_nor_lengthen_its_pause() -> None:
    clock = Clock()
    breaker = Breaker(3, pause=1.0, longest=5.0, clock=clock)
    eras = [entered(breaker) for _ in range(100)]
    for era in eras[:50]:
        breaker.failed(era)
    assert breaker.rests() == 1.0
    breaker.succeeded(eras[60])
    assert breaker.open
    clock.now += 1.0
    trial = entered(breaker)
    breaker.failed(eras[70])
    breaker.left(eras[80])
    assert breaker.enter() is None, "the one that tries is forgotten"
    breaker.succeeded(trial)
    assert not breaker.open


def test_an_answer_that_breaks_off_was_no_success() -> None:
    breaker = Breaker(3, clock=Clock())
    for nth in range(3):
        assert breaker.open is False, nth
        era = entered(breaker)
        set_back = breaker.succeeded(era)
        breaker.failed(era, set_back=set_back)
    assert breaker.open


@given(st.lists(st.tuples(st.sampled_from(["enter", "good", "bad", "left"]), st.floats(0, 3)), max_size=60))
def test_while_it_is_open_at_most_one_request_is_on_its_way_to_try(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    breaker = Breaker(2, pause=1.0, longest=4.0, clock=clock)
    under_way: list[tuple[int, bool]] = []
    for step, seconds in steps:
        clock.now += seconds
        assert breaker.rests() <= 4.0
        if step == "enter":
            trial = breaker.open
            era = breaker.enter()
            if era is not None:
                under_way.append((era, trial))
        elif under_way:
            era, _ = under_way.pop(0)
            {"good": breaker.succeeded, "bad": breaker.failed, "left": breaker.left}[step](era)
        if breaker.open:
            eras = [era for era, trial in under_way if trial]
            assert sum(era == max(eras) for era in eras) <= 1
    assert all(early <= late for (early, _), (late, _) in pairwise(under_way))


@pytest.mark.parametrize("failure", [429, 500, 502, 503, 504])
def test_an_upstream_that_fails_again_and_again_is_left_alone_and_says_until_when(
    failure: int, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = status(failure)
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 3, "breaker_pause": 2.5})
    assert [proxy.raw(b"/").status for _ in range(3)] == [failure] * 3
    answer = proxy.raw(b"/")
    assert answer.status == 503
    assert answer.values(b"retry-after") == [b"3"]
    assert answer.values(b"content-type") == [b"application/problem+json"]
    assert b"upstream 'primary': left alone after repeated failures (breaker); try again in 3 s" in answer.body
    assert len(upstream.seen) == 3
    upstream.behaviour = answer_json
    proxy.let_pass(2.5)
    assert [proxy.raw(b"/").status for _ in range(3)] == [200] * 3
    assert proxy.events("BreakerMoved") == [
        {"type": "BreakerMoved", "part": "upstreams.primary", "open": True},
        {"type": "BreakerMoved", "part": "upstreams.primary", "open": False},
    ]


@pytest.mark.parametrize("code", [200, 400, 401, 404, 501])
def test_an_answer_that_shows_it_at_work_sets_the_count_back(
    code: int, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = in_turn(status(500), status(code), status(500), status(code), status(500), answer_json)
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 2})
    assert [proxy.raw(b"/").status for _ in range(6)] == [500, code, 500, code, 500, 200]


def test_a_fallback_is_asked_at_once_while_the_first_is_left_alone(
    make_proxy: MakeProxy, upstream: RawUpstream, other_upstream: RawUpstream
) -> None:
    upstream.behaviour = status(503)
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 2}, {"url": other_upstream.url, "name": "second"})
    for _ in range(5):
        assert proxy.raw(b"/", LENGTH, **POST).status == 200
    assert (len(upstream.seen), len(other_upstream.seen)) == (2, 5)


def test_each_try_within_a_request_counts_and_none_is_made_after_it_opened(
    make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = status(503)
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 3, "attempts": 10})
    assert proxy.raw(b"/").status == 503
    assert len(upstream.seen) == 3
    assert b"left alone" in proxy.raw(b"/").body


def test_nobody_waits_for_a_try_that_will_not_be_made(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = status(503, b"Retry-After: 30")
    rest = {"breaker_failures": 1, "breaker_pause": 600, "breaker_longest": 600}
    proxy = make_proxy({"url": upstream.url, "attempts": 2, "max_wait": 60} | rest)
    assert proxy.raw(b"/").status == 503  # a client of these tests gives up after 20 s


def test_no_connection_and_no_head_in_time_count(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def say_nothing(exchange: Exchange) -> None:
        await exchange.peer_closed()

    upstream.behaviour = say_nothing
    silent = make_proxy({"url": upstream.url, "breaker_failures": 2, "first_byte_timeout": 0.2, "idle_timeout": 9})
    dead = make_proxy({"url": "http://no-such-host.invalid", "breaker_failures": 2})
    assert [silent.raw(b"/").status for _ in range(3)] == [504, 504, 503]
    assert [dead.raw(b"/").status for _ in range(3)] == [502, 502, 503]


def test_an_answer_that_breaks_off_counts(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all")
        exchange.close()

    upstream.behaviour = break_off
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 2})
    assert [proxy.raw(b"/").status for _ in range(3)] == [200, 200, 503]


def test_it_asks_for_time_in_a_429_and_gets_it_once_it_is_left_alone(
    make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    upstream.behaviour = status(429, b"Retry-After: 7")
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 2})
    assert [proxy.raw(b"/").status for _ in range(2)] == [429, 429]
    assert proxy.raw(b"/").values(b"retry-after") == [b"7"]
    proxy.let_pass(6.5)
    assert proxy.raw(b"/").values(b"retry-after") == [b"1"]
    proxy.let_pass(0.5)
    assert proxy.raw(b"/").status == 429


def test_while_one_request_tries_the_others_are_not_let_through(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    release = asyncio.Event()

    async def answer_late(exchange: Exchange) -> None:
        await release.wait()
        await answer_json(exchange)

    upstream.behaviour = in_turn(status(503), answer_late)
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 1})
    assert proxy.raw(b"/").status == 503
    proxy.let_pass(1)
    first = proxy.client()
    first.send(proxy.head(b"/"))
    until(lambda: len(upstream.seen) == 2, "nobody tries")
    assert [b"left alone" in proxy.raw(b"/").body for _ in range(3)] == [True] * 3
    assert proxy.raw(b"/").values(b"retry-after") == [b"1"]
    upstream.call(release.set)
    assert first.until_closed().status == 200
    assert proxy.raw(b"/").status == 200


def test_a_client_that_leaves_while_its_request_tries_does_not_block_the_way(
    make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    async def say_nothing(exchange: Exchange) -> None:
        await exchange.peer_closed()

    upstream.behaviour = in_turn(status(503), say_nothing, answer_json)
    proxy = make_proxy({"url": upstream.url, "breaker_failures": 1})
    assert proxy.raw(b"/").status == 503
    proxy.let_pass(1)
    leaving = proxy.client()
    leaving.send(proxy.head(b"/"))
    until(lambda: len(upstream.seen) == 2, "nobody tries")
    leaving.close()
    until(lambda: proxy.log()[-1]["returned"], "the call does not end")
    assert proxy.raw(b"/").status == 200
