"""Identical requests for a stream in flight make one upstream call, and each reads at its own pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.client import IncompleteRead
from pathlib import Path

import pytest
from asking import Asking, Held
from running import Exchange, Gateway, RawUpstream, chat, completion, events, serve, stream
from streamed import PLAIN

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: coalesced-streams}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 20s, idle: 20s}}, breaker: {{failures: 0}}}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}
  - {{name: alone, path: /alone, upstream: llm, preset: json-query, scope: public, coalesce: {{followers: 0}}}}
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
"""


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("coalesced"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    yield
    while Asking.opened:
        Asking.opened.pop().close()


def test_followers_of_a_stream_go_along(gateway: Gateway, upstream: RawUpstream):
    go_on = asyncio.Event()

    async def in_two_parts(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        await exchange.send(head + b"%x\r\n%s\r\n" % (len(PLAIN[0]), PLAIN[0]))
        await go_on.wait()
        rest = PLAIN[1] + PLAIN[2]
        await exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(rest), rest))

    held = Held(upstream, in_two_parts)
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    held.go()
    leader, early = asking.answers()
    assert leader.read1() == early.read1() == PLAIN[0]
    joining = Asking(gateway)
    joining.send("/ask", {"query": held.text, "stream": True})
    late = joining.answers()[0]
    assert late.read1() == PLAIN[0], "from its start"
    upstream.call(go_on.set)
    assert leader.read() == early.read() == late.read() == PLAIN[1] + PLAIN[2]
    assert held.calls == 1
    assert early.getheader("cache-status") == late.getheader("cache-status") == "semgate; fwd=miss; collapsed"
    assert early.getheader("x-request-id") is None
    assert early.getheader("content-type") == "text/event-stream"


def test_a_leader_that_does_not_read_holds_nobody_up(gateway: Gateway, upstream: RawUpstream):
    piece = b"data: " + b"x" * (1 << 20) + b"\n\n"
    held = Held(upstream, stream([*[piece] * 9, PLAIN[2]]))
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    follower = Asking(gateway)
    follower.send("/ask", {"query": held.text, "stream": True})
    follower.settle()
    held.go()
    assert follower.answers()[0].read() == piece * 9 + PLAIN[2]
    assert asking.answers()[0].read() == piece * 9 + PLAIN[2], "what it did not read waited for it"
    assert held.calls == 1


def test_followers_share_the_fate_of_a_stream_that_breaks(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(PLAIN[:1], breaks_off=True))
    asking = Asking(gateway)
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    asking.send("/ask", {"query": held.text, "stream": True})
    asking.settle()
    held.go()
    for answer in asking.answers():
        with pytest.raises(IncompleteRead):
            answer.read()


def test_who_wants_the_other_form_gets_it_when_the_stream_is_whole(gateway: Gateway, upstream: RawUpstream):
    held = Held(upstream, stream(events("Hel", "lo", usage=True)))
    asking = Asking(gateway)
    asking.send("/v1/chat/completions", chat(held.text, stream=True, stream_options={"include_usage": True}))
    asking.settle()
    asking.send("/v1/chat/completions", chat(held.text))
    asking.send("/v1/chat/completions", chat(held.text, stream=True))
    asking.settle()
    held.go()
    streamed, single, without = asking.answers()
    assert streamed.read() == b"".join(events("Hel", "lo", usage=True))
    assert json.loads(single.read()) == completion("Hello")
    assert without.read() == b"".join(events("Hel", "lo"))
    assert held.calls == 1
