"""Streams: every byte as it came, kept only when whole, replayed as recorded; and who leaves midway."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from raw_upstream import always
from running import NDJSON, Exchange, Gateway, RawUpstream, chat, events, http_answer, serve, stream, until
from streamed import PLAIN, ask, question, verdict

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: streams}}
upstreams:
  llm: {{url: "{url}", timeout: {{first_byte: 5s, idle: 5s}}, breaker: {{failures: 0}}}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public}}
  - {{name: open, path: /open, upstream: llm, query: $.query, scope: public, keep: {{terminal: ["event:end"]}}}}
  - {{name: paced, path: /paced, upstream: llm, preset: json-query, scope: public, response: {{pace: recorded}}}}
  - {{name: held, path: /held, upstream: llm, preset: json-query, scope: public, response: {{miss: buffer}}}}
  - {{name: abort, path: /abort, upstream: llm, preset: json-query, scope: public, on_disconnect: abort}}
"""


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("streams"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


@pytest.mark.parametrize(
    "pieces",
    [
        PLAIN,
        [b"".join(PLAIN)],
        [piece.replace(b"\n", b"\r\n") for piece in PLAIN],
        [piece.replace(b"\n", b"\r") for piece in PLAIN],
        [b": hello\n\n", *PLAIN, b": bye\n\n"],
        [b"event: x\nid: 7\nretry: 10\ndata: {\ndata: }\n\n", *PLAIN],
        [*PLAIN[:2], b"data: [DONE]"],
        [b"data: \xc3", b'\xa9\xf0\x9f\n\ndata: {"', b'a": 1}\n', b"\ndata: [DONE]\n", b"\n"],
        [*(b'data: {"n": %d}\n\n' % n for n in range(10_000)), b"data: [DONE]\n\n"],
    ],
    ids=["plain", "at once", "CRLF", "CR", "comments", "multi-line", "no last newline", "split", "10,000 pieces"],
)
def test_a_stream_passes_byte_for_byte_and_is_replayed_unchanged(
    gateway: Gateway, upstream: RawUpstream, pieces: list[bytes]
):
    upstream.behaviour = stream(pieces)
    text = question()
    first, second = gateway.ask("/ask", ask(text)), gateway.ask("/ask", ask(text))
    assert (verdict(first), verdict(second)) == ("MISS", "HIT")
    assert first.content == second.content == b"".join(pieces)
    assert second.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        (PLAIN[:2], "incomplete"),
        ([b'data: {"error": {"message": "overloaded"}}\n\n', PLAIN[2]], "rejected"),
        ([b'event: error\ndata: {"a": 1}\n\n', PLAIN[2]], "rejected"),
        ([], "incomplete"),
    ],
)
def test_a_stream_that_is_not_a_whole_good_answer_is_not_kept(
    gateway: Gateway, upstream: RawUpstream, pieces: list[bytes], reason: str
):
    upstream.behaviour = stream(pieces)
    before = gateway.metric("semgate_not_kept_total", route="ask", reason=reason)
    text = question()
    answers = [gateway.ask("/ask", ask(text)) for _ in range(2)]
    assert [verdict(answer) for answer in answers] == ["MISS", "MISS"]
    assert answers[0].content == b"".join(pieces)
    until(
        lambda: gateway.metric("semgate_not_kept_total", route="ask", reason=reason) == before + 2, "told as not kept"
    )


def test_a_stream_of_fifty_megabytes_passes_and_is_not_kept(gateway: Gateway, upstream: RawUpstream):
    piece = b"data: " + b"x" * (1 << 20) + b"\n\n"
    upstream.behaviour = stream([*[piece] * 50, PLAIN[2]])
    text = question()
    for _ in range(2):
        answer = gateway.ask("/ask", ask(text))
        assert verdict(answer) == "MISS"
        assert answer.content == piece * 50 + PLAIN[2]


def test_lines_of_json_are_kept_as_well(gateway: Gateway, upstream: RawUpstream):
    lines = [b'{"a": 1}\n', b'{"done": true}\n']
    upstream.behaviour = stream(lines, content_type=NDJSON)
    text = question()
    first, second = gateway.ask("/ask", ask(text)), gateway.ask("/ask", ask(text))
    assert (verdict(first), verdict(second)) == ("MISS", "HIT")
    assert second.content == b"".join(lines)
    assert second.headers["content-type"] == NDJSON


def test_a_compressed_stream_is_kept_and_can_be_read_by_all(gateway: Gateway, upstream: RawUpstream):
    packed = gzip.compress(b"".join(PLAIN))
    upstream.behaviour = stream([packed[:9], packed[9:]], "Content-Encoding: gzip")
    text = question()
    assert gateway.ask("/ask", ask(text)).content == b"".join(PLAIN)
    plain = gateway.ask("/ask", ask(text), headers={"accept-encoding": "identity"})
    assert (verdict(plain), plain.content) == ("HIT", b"".join(PLAIN))
    assert "content-encoding" not in plain.headers
    packed_again = gateway.ask("/ask", ask(text), headers={"accept-encoding": "gzip"})
    assert (verdict(packed_again), packed_again.content) == ("HIT", b"".join(PLAIN))


def test_without_a_dialect_a_stream_never_answers_a_single_request_nor_the_reverse(
    gateway: Gateway, upstream: RawUpstream
):
    text = question()
    upstream.behaviour = stream(PLAIN)
    assert verdict(gateway.ask("/ask", ask(text))) == "MISS"
    upstream.behaviour = always(http_answer({"a": 1}))
    single = gateway.ask("/ask", ask(text, stream=False))
    assert (verdict(single), single.json()) == ("MISS", {"a": 1})
    assert gateway.ask("/ask", ask(text)).content == b"".join(PLAIN)
    assert gateway.ask("/ask", ask(text, stream=False)).json() == {"a": 1}


def test_an_answer_in_the_form_that_was_not_asked_for_is_not_kept(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = always(http_answer({"a": 1}))
    text = question()
    assert [verdict(gateway.ask("/ask", ask(text))) for _ in range(2)] == ["MISS", "MISS"]


def test_a_route_that_does_not_say_how_streams_are_asked_for_replays_what_came(gateway: Gateway, upstream: RawUpstream):
    pieces = [b'data: {"a": 1}\n\n', b"event: end\ndata: {}\n\n"]
    upstream.behaviour = stream(pieces)
    text = question()
    answers = [gateway.ask("/open", {"query": text}) for _ in range(2)]
    assert [verdict(answer) for answer in answers] == ["MISS", "HIT"]
    assert answers[1].content == b"".join(pieces)


def test_a_stream_cut_short_by_its_length_is_not_kept(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = stream(events("Hel", finish="length"))
    text = question()
    asked = chat(text, stream=True)
    assert [verdict(gateway.ask("/v1/chat/completions", asked)) for _ in range(2)] == ["MISS", "MISS"]


def test_other_words_find_a_stream_too(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = stream(events("Tap Reset."))
    first = chat("How do I reset the password of my account?", stream=True)
    assert verdict(gateway.ask("/v1/chat/completions", first)) == "MISS"
    near = gateway.ask("/v1/chat/completions", chat("How do I reset my account's password?"))
    assert verdict(near) == "HIT", near.headers
    assert near.json()["choices"][0]["message"]["content"] == "Tap Reset."


def test_a_paced_replay_keeps_the_pauses(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = stream(PLAIN, pause=0.2)
    text = question()
    gateway.ask("/paced", ask(text))
    arrivals = []
    with gateway.http.stream("POST", "/paced", json=ask(text)) as answer:
        assert verdict(answer) == "HIT"
        for piece in answer.iter_raw():
            arrivals.append((time.monotonic(), piece))
    assert b"".join(piece for _, piece in arrivals) == b"".join(PLAIN)
    assert len(arrivals) == 3
    assert arrivals[2][0] - arrivals[0][0] >= 0.35


def test_a_stream_is_never_held_back_on_a_buffered_route(gateway: Gateway, upstream: RawUpstream):
    async def waits_for_the_reader(exchange: Exchange) -> None:
        await stream(PLAIN[:1])(_without_end(exchange))
        await asyncio.to_thread(until, seen.exists, "the first event was read")
        await exchange.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(PLAIN[2]), PLAIN[2]))

    seen = Path(str(gateway.log) + ".seen")
    upstream.behaviour = waits_for_the_reader
    text = question()
    with gateway.http.stream("POST", "/held", json=ask(text)) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == PLAIN[0]
        seen.write_text("yes")
        assert b"".join(pieces) == PLAIN[2]
    again = gateway.ask("/held", ask(text))
    assert (verdict(again), again.content) == ("HIT", PLAIN[0] + PLAIN[2])


def _without_end(exchange: Exchange) -> Any:
    class Open:
        async def send(self, data: bytes) -> None:
            if data != b"0\r\n\r\n":
                await exchange.send(data)

    return Open()


def leave_early(gateway: Gateway, path: str, text: str) -> None:
    with gateway.http.stream("POST", path, json=ask(text)) as answer:
        assert next(answer.iter_raw()) == PLAIN[0]


def test_a_client_that_leaves_has_paid_for_the_answer(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = stream(PLAIN, pause=0.3)
    text = question()
    before = gateway.metric("semgate_kept_total", route="ask")
    leave_early(gateway, "/ask", text)
    until(lambda: gateway.metric("semgate_kept_total", route="ask") == before + 1, "kept though nobody waits")
    again = gateway.ask("/ask", ask(text))
    assert (verdict(again), again.content) == ("HIT", b"".join(PLAIN))


def test_on_disconnect_abort_lets_the_upstream_go(gateway: Gateway, upstream: RawUpstream):
    closed: list[bool] = []

    async def endless(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await exchange.send(b"%x\r\n%s\r\n" % (len(PLAIN[0]), PLAIN[0]))
        await exchange.peer_closed()
        closed.append(True)

    upstream.behaviour = endless
    leave_early(gateway, "/abort", question())
    until(lambda: closed, "the upstream's connection is closed")


def test_an_upstream_that_dies_midway_breaks_the_clients_connection(gateway: Gateway, upstream: RawUpstream):
    upstream.behaviour = stream(PLAIN[:2], breaks_off=True)
    text = question()
    with pytest.raises(httpx.RemoteProtocolError):
        gateway.ask("/ask", ask(text))
    upstream.behaviour = stream(PLAIN)
    assert verdict(gateway.ask("/ask", ask(text))) == "MISS"
