"""What the transports have no part in passes untouched, and what goes wrong below them goes wrong as it would without them."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from running import Exchange, RawUpstream, completion, http_answer
from transports import both_ways, chat, talk, told

from gateway.doors.httpx import AsyncCacheTransport, CacheTransport

PIECES = [b'{"model": "m", "messages": ', b'[{"role": "user", "content": "How?"}]}']


def one_shot(pieces: list[bytes], *, sync: bool) -> Any:
    """A body that can be read once."""

    def sync_body() -> Iterator[bytes]:
        yield from pieces

    async def async_body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return sync_body() if sync else async_body()


async def answer(exchange: Exchange) -> None:
    await exchange.send(http_answer(completion("Hi")))


@both_ways
def test_what_no_route_knows_is_not_even_read(upstream: RawUpstream, key: str, library: Any, flavour: str) -> None:
    upstream.behaviour = answer
    seen: list[Any] = []
    inner = recording(library, flavour, seen)
    with talk(library, flavour, upstream.url, key, inner=inner) as client:
        requests = [
            client.http.build_request("GET", "/v1/models"),
            client.http.build_request("GET", "/v1/chat/completions"),
            client.http.build_request("POST", "/v1/files", content=one_shot([b"a", b"b"], sync=client.sync)),
        ]
        for request in requests:
            response = client.run(client.http.send(request))
            assert told(response) is None
            assert "cache-status" not in response.headers
    assert seen == requests
    assert upstream.seen[-1].body == b"ab"


def recording(library: Any, flavour: str, seen: list[Any]) -> Any:
    """The library's own transport, which notes what it is asked."""
    if flavour == "sync":

        class Noting(library.HTTPTransport):  # type: ignore[misc]
            def handle_request(self, request: Any) -> Any:
                seen.append(request)
                return super().handle_request(request)

        return Noting()

    class AsyncNoting(library.AsyncHTTPTransport):  # type: ignore[misc]
        async def handle_async_request(self, request: Any) -> Any:
            seen.append(request)
            return await super().handle_async_request(request)

    return AsyncNoting()


@both_ways
def test_a_body_that_can_be_read_once_is_read_and_played_on(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    upstream.behaviour = answer
    with talk(library, flavour, upstream.url, key) as client:
        first = client.post(content=one_shot(PIECES, sync=client.sync))
        assert upstream.seen[-1].body == b"".join(PIECES)
        assert upstream.seen[-1].values(b"transfer-encoding") == [b"chunked"]
        before = len(upstream.seen)
        again = client.post(content=one_shot(PIECES, sync=client.sync))
        assert len(upstream.seen) == before
    assert (told(first).hit, told(again).hit) == (False, True)


@both_ways
def test_a_body_over_the_bound_is_played_on_whole(upstream: RawUpstream, key: str, library: Any, flavour: str) -> None:
    upstream.behaviour = answer
    pieces = [b'{"messages": "', *[b"x" * (1 << 19)] * 4, b'"}']
    with talk(library, flavour, upstream.url, key) as client:
        for _ in range(2):
            response = client.post(content=one_shot(pieces, sync=client.sync))
            assert (told(response).forwarded, told(response).detail) == ("bypass", "body-too-large")
            assert upstream.seen[-1].body == b"".join(pieces)
            whole = client.post(content=b"".join(pieces))
            assert told(whole).detail == "body-too-large"


@both_ways
def test_the_inner_transports_errors_are_the_callers(library: Any, flavour: str, key: str) -> None:
    raised: list[BaseException] = []

    def fail(request: Any) -> Any:
        raised.append(library.ConnectError("no way", request=request))
        raise raised[-1]

    with talk(library, flavour, "http://nowhere.test", key, inner=library.MockTransport(fail)) as client:
        for _ in range(2):
            with pytest.raises(library.ConnectError, match="no way") as caught:
                client.post()
            assert caught.value is raised[-1]
    assert len(raised) == 2


@both_ways
def test_timeouts_are_those_of_the_request(upstream: RawUpstream, key: str, library: Any, flavour: str) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.peer_closed()

    upstream.behaviour = silent
    with talk(library, flavour, upstream.url, key) as client, pytest.raises(library.ReadTimeout) as caught:
        client.post(timeout=0.1)
    assert caught.value.request.url.path == "/v1/chat/completions"


@both_ways
def test_what_the_request_carries_reaches_the_inner_transport(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    upstream.behaviour = answer
    seen: list[Any] = []
    with talk(library, flavour, upstream.url, key, inner=recording(library, flavour, seen)) as client:
        client.post(headers=[("X-One", "1"), ("X-One", "2")], extensions={"mine": 7}, timeout=3)
    (request,) = seen
    assert request.extensions["mine"] == 7
    assert request.extensions["timeout"]["read"] == 3
    assert [value for name, value in request.headers.raw if name == b"X-One"] == [b"1", b"2"]
    assert upstream.seen[-1].values(b"x-one") == [b"1", b"2"]


@both_ways
def test_a_wish_to_the_cache_is_heeded_and_not_passed_on(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    upstream.behaviour = answer
    with talk(library, flavour, upstream.url, key) as client:
        client.post()
        forced = client.post(headers={"Cache-Control": "no-cache", "X-Cache-TTL": "1h"})
    assert (told(forced).hit, told(forced).forwarded) == (False, "request")
    assert upstream.seen[-1].values(b"x-cache-ttl") == []
    assert upstream.seen[-1].values(b"cache-control") == [b"no-cache"]


class Retrying(httpx2.BaseTransport):
    """Asks up to three times."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner
        self.tries = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        for _ in range(3):
            self.tries += 1
            response = self.inner.handle_request(request)
            if response.status_code < 500:
                break
            response.close()
        return response


@pytest.mark.parametrize("outside", [True, False], ids=["outside", "inside"])
def test_a_retrying_transport_works_on_either_side(key: str, outside: bool) -> None:
    asked = 0

    def handler(_request: httpx2.Request) -> httpx2.Response:
        nonlocal asked
        asked += 1
        return httpx2.Response(503) if asked < 3 else httpx2.Response(200, json=completion("Hi"))

    mock = httpx2.MockTransport(handler)
    if outside:
        transport: Any = Retrying(CacheTransport(transport=mock))
    else:
        transport = CacheTransport(transport=Retrying(mock))
    with httpx2.Client(transport=transport, headers={"Authorization": key}) as client:
        first, second = (client.post("http://up.test/v1/chat/completions", json=chat()) for _ in range(2))
    assert (first.status_code, told(first).hit) == (200, False)
    assert told(second).hit
    assert second.json() == first.json()
    assert asked == 3


@both_ways
def test_a_transport_inside_may_read_the_answer(upstream: RawUpstream, key: str, library: Any, flavour: str) -> None:
    """To log it, say; httpx passes on what it read."""
    body = gzip.compress(json.dumps(completion("Hi")).encode())
    upstream.behaviour = lambda exchange: exchange.send(http_answer(body, "Content-Encoding: gzip"))
    logged: list[bytes] = []
    if flavour == "sync":

        class Logging(library.HTTPTransport):  # type: ignore[misc]
            def handle_request(self, request: Any) -> Any:
                response = super().handle_request(request)
                logged.append(response.read())
                return response

        inner: Any = Logging()
    else:

        class AsyncLogging(library.AsyncHTTPTransport):  # type: ignore[misc]
            async def handle_async_request(self, request: Any) -> Any:
                response = await super().handle_async_request(request)
                logged.append(await response.aread())
                return response

        inner = AsyncLogging()
    with talk(library, flavour, upstream.url, key, inner=inner) as client:
        first, second = client.post(), client.post()
    assert [json.loads(each) for each in logged] == [completion("Hi")]
    assert first.json() == second.json() == completion("Hi")
    assert (told(first).hit, told(second).hit) == (False, True)


@both_ways
def test_a_mock_that_answers_whole_responses_works(library: Any, flavour: str, key: str) -> None:
    asked: list[Any] = []

    def handler(request: Any) -> Any:
        asked.append(request.content)
        return library.Response(200, json=completion("Hi"))

    with talk(library, flavour, "http://up.test", key, inner=library.MockTransport(handler)) as client:
        first, second = client.post(), client.post()
    assert first.json() == second.json() == completion("Hi")
    assert (told(first).hit, told(second).hit) == (False, True)
    assert len(asked) == 1


def test_it_can_be_mounted_for_some_hosts_only(upstream: RawUpstream, key: str) -> None:
    upstream.behaviour = answer
    with httpx.Client(mounts={"http://127.0.0.1": CacheTransport()}, headers={"Authorization": key}) as client:
        asked = [client.post(f"{upstream.url}/v1/chat/completions", json=chat()) for _ in range(2)]
        other = client.post(f"http://localhost:{upstream.port}/v1/chat/completions", json=chat())
    assert [told(response).hit for response in asked] == [False, True]
    assert told(other) is None


@both_ways
def test_closing_closes_the_inner_transport_and_not_the_cache(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    upstream.behaviour = answer
    closed: list[bool] = []
    base = library.HTTPTransport if flavour == "sync" else library.AsyncHTTPTransport

    class Closing(base):  # type: ignore[misc,valid-type]
        def close(self) -> None:
            closed.append(True)
            super().close()

        async def aclose(self) -> None:
            closed.append(True)
            await super().aclose()

    with talk(library, flavour, upstream.url, key, inner=Closing()) as client:
        client.post()
    assert closed == [True]
    with talk(library, flavour, upstream.url, key) as client:
        assert told(client.post()).hit


def test_sdks_on_httpx2_take_them_for_transports_of_theirs() -> None:
    """Some look at a transport's classes, and refuse those of httpx."""
    assert isinstance(CacheTransport(), httpx2.BaseTransport)
    assert isinstance(AsyncCacheTransport(), httpx2.AsyncBaseTransport)
    anthropic.DefaultHttpxClient(transport=CacheTransport()).close()
    openai.DefaultHttpxClient(transport=CacheTransport()).close()


@both_ways
def test_a_failing_upstreams_stale_answer_stands_in(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    config = {
        "routes": [
            {
                "name": "chat",
                "path": "/chat/completions",
                "preset": "openai-chat",
                "scope": "client",
                "ttl": "1ms",
                "stale_if_error": "1h",
            }
        ]
    }
    up = True

    def handler(_request: Any) -> Any:
        if not up:
            raise library.ConnectError("down")
        return library.Response(200, json=completion("Hi"))

    with talk(library, flavour, "http://up.test", key, config, library.MockTransport(handler)) as client:
        client.post()
        time.sleep(0.01)
        up = False
        stale = client.post()
        assert (stale.status_code, told(stale).hit, told(stale).stale) == (200, True, True)
        with pytest.raises(library.ConnectError):
            client.post(json=chat("Something else"))
