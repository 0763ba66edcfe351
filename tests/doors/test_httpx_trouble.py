"""Trouble of the cache is not the caller's: the call goes through, and a warning says so once. A mistake in the settings is
told where the transport is made."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running import Exchange, RawUpstream, completion, http_answer, until
from transports import FLAVOURS, OTHER_WORDS, both_ways, chat, talk, told

from gateway.doors import opening as doors_opening
from gateway.doors.httpx import AsyncCacheTransport, CacheTransport
from gateway.errors import ConfigError
from gateway.runtime.inside import Inside


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    upstream.behaviour = lambda exchange: exchange.send(http_answer(completion("Hi")))


@pytest.mark.parametrize("kind", [CacheTransport, AsyncCacheTransport])
def test_a_mistake_in_the_settings_is_raised_where_the_transport_is_made(kind: Any) -> None:
    with pytest.raises(ConfigError, match="presett"):
        kind({"routes": [{"name": "chat", "path": "/x", "presett": "openai-chat", "scope": "client"}]})


@both_ways
def test_a_data_folder_that_cannot_be_written_costs_nothing_but_the_cache(
    upstream: RawUpstream, key: str, library: Any, flavour: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    config = {"server": {"data_dir": str(tmp_path / "file" / "data")}}
    with talk(library, flavour, upstream.url, key, config) as client, caplog.at_level(logging.WARNING, "semgate"):
        for _ in range(3):
            response = client.post()
            assert (response.status_code, response.json(), told(response)) == (200, completion("Hi"), None)
        stream = client.open(chat(stream=True))
        assert b"".join(client.pieces(stream))
    assert len([record for record in caplog.records if "without" in record.getMessage()]) == 1


@both_ways
def test_a_postgres_that_is_not_there_costs_nothing_but_hits(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    config = {
        "server": {"digest_key": "k" * 32},
        "stores": {"postgres": {"url": "postgresql://nobody@127.0.0.1:9/none"}, "memory": {"max_bytes": 0}},
    }
    with talk(library, flavour, upstream.url, key, config) as client:
        for _ in range(2):
            response = client.post()
            assert (response.status_code, response.json()) == (200, completion("Hi"))


def chat_route(**more: Any) -> dict[str, Any]:
    route = {"name": "chat", "path": "/chat/completions", "preset": "openai-chat", "scope": "client", **more}
    return {"routes": [route]}


@both_ways
def test_audits_ask_the_upstream_beside_the_answer(upstream: RawUpstream, key: str, library: Any, flavour: str) -> None:
    seen = asked_by(upstream, key)
    with talk(library, flavour, upstream.url, key, chat_route(audit="100%")) as client:
        client.post()
        response = client.post(json=chat(OTHER_WORDS))
        assert told(response).kind == "verified"
        settle(client, lambda: [OTHER_WORDS.encode() in each.body for each in seen()] == [False, True])


@both_ways
def test_a_stale_answer_comes_at_once_and_a_new_one_is_fetched(
    upstream: RawUpstream, key: str, library: Any, flavour: str
) -> None:
    go_on = threading.Event()
    seen = asked_by(upstream, key)
    config = chat_route(ttl="1ms", stale_while_revalidate="1h")
    with talk(library, flavour, upstream.url, key, config) as client:
        client.post()
        time.sleep(0.01)

        async def slowly(exchange: Any) -> None:
            await asyncio.to_thread(go_on.wait, 5)
            await exchange.send(http_answer(completion("Hi again")))

        upstream.behaviour = slowly

        def fetched() -> bool:
            """Not by the first of them, as long as the answer that is stale is itself being stored."""
            stale = client.post()
            assert (told(stale).hit, told(stale).stale) == (True, True)
            assert stale.json() == completion("Hi")
            return len(seen()) > 1

        settle(client, fetched)
        assert len(seen()) == 2
        go_on.set()
        settle(client, lambda: client.post().json() == completion("Hi again"))


def asked_by(upstream: RawUpstream, key: str) -> Callable[[], list[Exchange]]:
    """What came with this key: another test may have left a call beside that is still on its way."""
    return lambda: [each for each in upstream.seen if each.values(b"authorization") == [f"Bearer {key}".encode()]]


def settle(client: Any, holds: Any) -> None:
    """Wait until it holds, while the client's loop runs."""

    def turned() -> Any:
        if not client.sync:
            client.loop.run_until_complete(asyncio.sleep(0.01))
        return holds()

    until(turned, "did not settle", 10)


def test_what_is_asked_beside_the_answers_is_bounded(upstream: RawUpstream, key: str) -> None:
    go_on = threading.Event()
    waiting = 0
    most = 0
    lock = threading.Lock()

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal waiting, most
        if threading.current_thread() is threading.main_thread():
            return httpx2.Response(200, json=completion("Hi"))
        with lock:
            waiting += 1
            most = max(most, waiting)
        go_on.wait(5)
        with lock:
            waiting -= 1
        return httpx2.Response(200, json=completion("Hi"))

    transport = CacheTransport(chat_route(audit="100%"), transport=httpx2.MockTransport(handler))
    with httpx2.Client(transport=transport, headers={"api-key": key}) as client:
        client.post("http://up.test/v1/chat/completions", json=chat())
        for _ in range(20):
            client.post("http://up.test/v1/chat/completions", json=chat(OTHER_WORDS))
        until(lambda: waiting > 0, "nothing was audited")
        assert most <= 4
        go_on.set()
        until(lambda: waiting == 0, "audits do not end")


@both_ways
def test_a_cache_that_opens_slowly_is_not_waited_for(
    upstream: RawUpstream, key: str, library: Any, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    opening = Inside.open

    async def slowly(inside: Inside) -> None:
        await asyncio.to_thread(go_on.wait, 10)
        await opening(inside)

    monkeypatch.setattr(Inside, "open", slowly)
    monkeypatch.setattr(doors_opening, "OPENING", 0.05)
    config = chat_route(ttl=f"{1000 + FLAVOURS.index((library, flavour))}s")  # a cache of its own
    with talk(library, flavour, upstream.url, key, config) as client:
        assert [told(client.post()) for _ in range(3)] == [None] * 3
        go_on.set()
        settle(client, lambda: told(client.post()) is not None)


def test_a_settings_own_function_may_ask_through_the_same_transport(upstream: RawUpstream, key: str) -> None:
    def who(_request: Any) -> str:
        inner = client.post(f"{upstream.url}/v1/chat/completions", json=chat("Who asks?"))
        return f"{inner.status_code} {key}"

    client = httpx2.Client(transport=CacheTransport(chat_route(scope=who)), timeout=5)
    with client:
        asked = [client.post(f"{upstream.url}/v1/chat/completions", json=chat()) for _ in range(2)]
    assert [told(response).hit for response in asked] == [False, True]
