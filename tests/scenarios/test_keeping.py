"""What is kept, and in which form it is served; what is not, passes and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
import zstandard
from raw_upstream import always
from running import Exchange, Gateway, RawUpstream, chat, completion, http_answer, serve, until

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: keeping}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 5s, idle: 5s}}}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, keep: {{max_body: 100KiB}}}}
  - {{name: lang, path: /lang, upstream: llm, preset: json-query, scope: public, vary: {{headers: [Accept-Language]}}}}
  - {{name: gone, path: /gone, upstream: llm, preset: json-query, scope: public, keep: {{status: [404, 410]}}}}
  - {{name: brief, path: /brief, upstream: llm, preset: json-query, scope: public, ttl: 1s}}
"""

numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("keeping"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


def twice(gateway: Gateway, upstream: RawUpstream, answer: bytes, path: str = "/ask") -> tuple[str, str]:
    """X-Cache of a new question asked twice, where the upstream gives this answer."""
    upstream.behaviour = always(answer)
    question = {"query": f"question number {next(numbers)} of its kind"}
    if path.startswith("/v1"):
        question = chat(question["query"])
    answers = [gateway.ask(path, question) for _ in range(2)]
    assert answers[0].content == answers[1].content
    return answers[0].headers["x-cache"], answers[1].headers["x-cache"]


@pytest.mark.parametrize(
    "answer",
    [
        http_answer({"a": 1}),
        http_answer({"a": 1}, status="201 Created"),
        http_answer({"a": 1}, "Vary: Accept-Encoding"),
        http_answer({"a": 1}, "Cache-Control: max-age=60"),
        http_answer({"a": 1, "error": None}),
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{"a":1}\r\n0\r\n\r\n',
    ],
)
def test_a_good_answer_is_kept(gateway: Gateway, upstream: RawUpstream, answer: bytes):
    assert twice(gateway, upstream, answer) == ("MISS", "HIT")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http_answer({"a": 1}, status="500 Oops"), "status"),
        (http_answer({"a": 1}, status="404 Not Found"), "status"),
        (http_answer({"a": 1}, status="206 Partial Content"), "status"),
        (http_answer({"a": 1}, "Set-Cookie: session=1"), "set-cookie"),
        (http_answer({"a": 1}, "Cache-Control: no-store"), "cache-control"),
        (http_answer({"a": 1}, "Cache-Control: private, max-age=60"), "cache-control"),
        (http_answer({"a": 1}, "Vary: Origin"), "vary"),
        (http_answer({"a": 1}, "Vary: *"), "vary"),
        (http_answer({"a": 1}, "Content-Encoding: whatever"), "encoding"),
        (http_answer(b"not json"), "not-json"),
        (http_answer(b'{"a": '), "not-json"),
        (http_answer(b""), "not-json"),
        (http_answer({"error": {"message": "overloaded"}}), "rejected"),
        (http_answer({"a": "x" * 200_000}), "too-large"),
    ],
)
def test_a_doubtful_answer_passes_and_is_not_kept(gateway: Gateway, upstream: RawUpstream, answer: bytes, reason: str):
    before = gateway.metric("semgate_not_kept_total", route="ask", reason=reason)
    assert twice(gateway, upstream, answer) == ("MISS", "MISS")
    assert gateway.metric("semgate_not_kept_total", route="ask", reason=reason) == before + 2


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
def test_a_completion_that_was_cut_off_is_not_kept(gateway: Gateway, upstream: RawUpstream, finish_reason: str):
    answer = completion("half an ans")
    answer["choices"][0]["finish_reason"] = finish_reason
    assert twice(gateway, upstream, http_answer(answer), "/v1/chat/completions") == ("MISS", "MISS")


def test_an_error_in_a_200_is_not_kept(gateway: Gateway, upstream: RawUpstream):
    answer = http_answer({**completion("x"), "error": {"message": "overloaded"}})
    assert twice(gateway, upstream, answer, "/v1/chat/completions") == ("MISS", "MISS")


def test_a_cdn_cookie_does_not_keep_a_presets_answer_out_and_is_never_replayed(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = always(http_answer(completion("x"), "Set-Cookie: __cf_bm=abc; path=/"))
    first, second = (gateway.ask("/v1/chat/completions", chat("cookies?")) for _ in range(2))
    assert first.headers["set-cookie"].startswith("__cf_bm")
    assert second.headers["x-cache"] == "HIT"
    assert "set-cookie" not in second.headers


def test_other_statuses_are_kept_where_the_route_says_so(gateway: Gateway, upstream: RawUpstream):
    assert twice(gateway, upstream, http_answer({"gone": True}, status="410 Gone"), "/gone") == ("MISS", "HIT")
    assert twice(gateway, upstream, http_answer({"here": True}), "/gone") == ("MISS", "MISS")


def test_what_varies_within_the_partition_is_kept(gateway: Gateway, upstream: RawUpstream):
    assert twice(gateway, upstream, http_answer({"a": 1}, "Vary: Accept-Language"), "/lang") == ("MISS", "HIT")


def test_an_answer_that_breaks_off_cuts_the_client_and_is_not_kept(gateway: Gateway, upstream: RawUpstream):
    async def break_off(exchange: Exchange) -> None:
        await exchange.send(http_answer({"a": "x" * 1000})[:-100])
        exchange.reset()

    upstream.behaviour = break_off
    with pytest.raises(Exception, match=r"peer closed|incomplete|disconnected"):
        gateway.ask("/ask", {"query": "will you break off?"})
    upstream.behaviour = always(http_answer({"a": 2}))
    assert gateway.ask("/ask", {"query": "will you break off?"}).headers["x-cache"] == "MISS"


def test_an_entry_expires(gateway: Gateway, upstream: RawUpstream):
    assert twice(gateway, upstream, http_answer({"a": 1}), "/brief") == ("MISS", "HIT")
    question = {"query": "an entry that expires"}
    gateway.ask("/brief", question)
    time.sleep(1.1)
    assert gateway.ask("/brief", question).headers["x-cache"] == "MISS"


@pytest.mark.parametrize(
    ("coding", "encoded"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_a_compressed_answer_is_kept_decoded(gateway: Gateway, upstream: RawUpstream, coding: str, encoded):
    plain = b'{"text": "' + b"compressible " * 100 + b'"}'
    upstream.behaviour = always(http_answer(encoded(plain), f"Content-Encoding: {coding}"))
    question = {"query": f"what comes as {coding}?"}
    with gateway.http.stream("POST", "/ask", json=question, headers={"accept-encoding": coding}) as first:
        assert first.headers["content-encoding"] == coding
        assert b"".join(first.iter_raw()) == encoded(plain)
    with gateway.http.stream("POST", "/ask", json=question, headers={"accept-encoding": "identity"}) as hit:
        assert hit.headers["x-cache"] == "HIT"
        assert "content-encoding" not in hit.headers
        assert b"".join(hit.iter_raw()) == plain
    refusing = {"accept-encoding": "gzip, identity;q=0"}
    with gateway.http.stream("POST", "/ask", json=question, headers=refusing) as hit:
        assert hit.headers["x-cache"] == "HIT"
        assert hit.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join(hit.iter_raw())) == plain


def test_a_bomb_passes_and_is_not_kept(gateway: Gateway, upstream: RawUpstream):
    bomb = gzip.compress(b'{"a":"' + b"x" * (20 << 20) + b'"}')
    before = gateway.metric("semgate_not_kept_total", route="ask", reason="too-large")
    upstream.behaviour = always(http_answer(bomb, "Content-Encoding: gzip"))
    for _ in range(2):
        with gateway.http.stream("POST", "/ask", json={"query": "a bomb?"}) as answer:
            assert b"".join(answer.iter_raw()) == bomb
            assert answer.headers["x-cache"] == "MISS"
    assert gateway.metric("semgate_not_kept_total", route="ask", reason="too-large") == before + 2


def test_a_stream_passes_event_by_event_while_it_is_recorded(gateway: Gateway, upstream: RawUpstream):
    go_on = asyncio.Event()
    events = [b'data: {"n": %d}\n\n' % number for number in range(3)] + [b"data: [DONE]\n\n"]

    async def stream(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for event in events:
            await exchange.send(b"%x\r\n%b\r\n" % (len(event), event))
            await go_on.wait()  # nothing more is sent until the client has read this one
            go_on.clear()
        await exchange.send(b"0\r\n\r\n")

    upstream.behaviour = stream
    question = {"query": "stream?", "stream": True}
    with gateway.http.stream("POST", "/ask", json=question) as answer:
        assert answer.headers["cache-status"] == "semgate; fwd=miss"
        seen = []
        for piece in answer.iter_raw():
            seen.append(piece)
            upstream.call(go_on.set)
        assert seen == events
    assert gateway.ask("/ask", question).headers["x-cache"] == "HIT"


def test_a_stream_nobody_asked_for_is_not_kept(gateway: Gateway, upstream: RawUpstream):
    events = b'data: {"n": 1}\n\ndata: [DONE]\n\n'
    answer = http_answer(events, "Content-Type: text/event-stream")
    before = gateway.metric("semgate_not_kept_total", route="ask", reason="form")
    assert twice(gateway, upstream, answer) == ("MISS", "MISS")
    assert gateway.metric("semgate_not_kept_total", route="ask", reason="form") == before + 2


def test_the_answer_is_kept_even_if_the_client_leaves_before_it_came(gateway: Gateway, upstream: RawUpstream):
    async def slowly(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)
        await exchange.send(http_answer({"late": True}))

    upstream.behaviour = slowly
    question = {"query": "will you wait for me?"}
    with pytest.raises(Exception, match="timed out"):
        gateway.ask("/ask", question, timeout=0.2)
    kept = until(
        lambda: (
            gateway.http.post("/ask", json=question, headers={"cache-control": "only-if-cached"}).status_code == 200
        ),
        "the answer is not kept",
    )
    assert kept
