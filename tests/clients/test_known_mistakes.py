"""What other caches in front of these APIs get wrong, by name: each of these has been somebody's bug.

Everything here is read as bytes and headers, by a client that helps with nothing. The answers are the imitated APIs',
sent by an upstream that each test tells what to spoil.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_common import Call, Json, Single, Stream, sse
from apis import answer_to, wire
from running import Exchange, Gateway, RawUpstream, serve, until
from speaking import Question

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: mistakes}}
upstreams: {{llm: {{url: "{url}", breaker: {{failures: 0}}}}}}  # it breaks off more often here than is tolerated
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: messages, path: /v1/messages, upstream: llm, preset: anthropic-messages, scope: public}}
  - {{name: ollama, path: /api/chat, upstream: llm, preset: ollama-chat, scope: public}}
"""
CHAT, MESSAGES, OLLAMA = "/v1/chat/completions", "/v1/messages", "/api/chat"
SSE, NDJSON, JSON = "text/event-stream; charset=utf-8", "application/x-ndjson", "application/json"
both_forms = pytest.mark.parametrize("stream", [False, True], ids=["single", "stream"])


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("mistakes"), CONFIG.format(data=data_dir, url=upstream.url)) as running:
        yield running


class Scene:
    """One question of the test's own; its answer is sent in the pieces that the test wants, whenever it is asked."""

    def __init__(self, gateway: Gateway, upstream: RawUpstream, name: str) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.model = f"model of {name}"  # of another model is another question, however near
        self.already = len(upstream.seen)
        self.pieces: list[bytes] = []
        self.cut = False
        upstream.behaviour = self.behave

    async def behave(self, exchange: Exchange) -> None:
        for piece in self.pieces:
            await exchange.send(piece)
        if self.cut:
            exchange.close()

    @property
    def calls(self) -> int:
        return len(self.upstream.seen) - self.already

    def body(self, path: str = CHAT, *, stream: bool) -> Json:
        body = Question(stream=stream, usage=path == CHAT, model=self.model).as_chat()
        return {**body, "stream": stream, **({"max_tokens": 9} if path == MESSAGES else {})}

    def answer(self, path: str = CHAT, *, stream: bool) -> Any:
        """The imitated API's to this question."""
        return answer_to(Call(path.encode(), "key", self.body(path, stream=stream), 7))

    def ask(self, path: str = CHAT, *, stream: bool, **headers: str) -> httpx.Response:
        given = {"Authorization": "Bearer key", "Accept-Encoding": "identity"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gateway.ask(path, self.body(path, stream=stream), given)

    def ask_and_keep(self, path: str = CHAT, *, stream: bool, **headers: str) -> httpx.Response:
        before = self.gateway.metric("semgate_kept_total")
        answer = self.ask(path, stream=stream, **headers)
        until(lambda: self.gateway.metric("semgate_kept_total") > before, "not kept")
        return answer


@pytest.fixture
def scene(gateway: Gateway, upstream: RawUpstream, request: pytest.FixtureRequest) -> Scene:
    return Scene(gateway, upstream, request.node.name)


def chunked(kind: str, body: bytes, size: int, *headers: str, end: bytes = b"0\r\n\r\n") -> list[bytes]:
    """An answer in pieces of so many bytes, which end in the middle of events and of characters."""
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", "Transfer-Encoding: chunked", *headers, "\r\n"]
    parts = [body[begin : begin + size] for begin in range(0, len(body), size)]
    return ["\r\n".join(lines).encode(), *(b"%x\r\n%s\r\n" % (len(part), part) for part in parts), end]


def data_of(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize(("path", "kind"), [(CHAT, SSE), (MESSAGES, SSE), (OLLAMA, NDJSON)])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_is_stored_and_stored_to_its_last_byte(scene: Scene, path: str, kind: str, size: int) -> None:
    body = b"".join(scene.answer(path, stream=True).events)
    if kind == SSE:
        body = b": a comment\n\n" + body.replace(b"\n\n", b"\r\n\r\n", 2)
    scene.pieces = chunked(kind, body, size)
    miss = scene.ask_and_keep(path, stream=True)
    hit = scene.ask(path, stream=True)
    assert (miss.headers["x-cache"], hit.headers["x-cache"], scene.calls) == ("MISS", "HIT", 1)
    assert miss.content == body
    assert hit.content == body
    assert hit.headers["content-type"] == kind


@pytest.mark.parametrize(("path", "kind"), [(CHAT, SSE), (MESSAGES, SSE), (OLLAMA, NDJSON)])
@pytest.mark.parametrize("cut", [False, True], ids=["that ends cleanly", "that is cut off"])
def test_a_truncated_stream_is_never_stored(scene: Scene, path: str, kind: str, cut: bool) -> None:
    events = scene.answer(path, stream=True).events
    for broken in (b"".join(events[:-1]), b"".join(events)[:-9], b"".join(events[: len(events) // 2])):
        scene.already, scene.cut = len(scene.upstream.seen), cut
        scene.pieces = chunked(kind, broken, 100, end=b"" if cut else b"0\r\n\r\n")
        for _ in range(2):
            if cut:
                with pytest.raises(httpx.RemoteProtocolError):
                    scene.ask(path, stream=True)
            else:
                answer = scene.ask(path, stream=True)
                assert (answer.headers["x-cache"], answer.content) == ("MISS", broken)
        assert scene.calls == 2


@pytest.mark.parametrize(("path", "kind"), [(CHAT, SSE), (MESSAGES, SSE), (OLLAMA, NDJSON)])
def test_a_streaming_client_is_never_served_json(scene: Scene, path: str, kind: str) -> None:
    scene.pieces = wire(scene.answer(path, stream=False))
    scene.ask_and_keep(path, stream=False)
    hit = scene.ask(path, stream=True)
    assert (hit.headers["x-cache"], scene.calls) == ("HIT", 1)
    assert hit.headers["content-type"] == kind
    endings = {CHAT: "data: [DONE]\n\n", MESSAGES: 'data: {"type":"message_stop"}\n\n'}
    if path == OLLAMA:
        *lines, last = [json.loads(line) for line in hit.text.splitlines()]
        assert last["done"] is True
        assert not any(line["done"] for line in lines)
    else:
        assert hit.text.endswith(endings[path])
        assert len(data_of(hit)) > 2


@pytest.mark.parametrize(("path", "kind"), [(CHAT, SSE), (MESSAGES, SSE), (OLLAMA, NDJSON)])
def test_a_client_of_json_is_never_served_a_stream(scene: Scene, path: str, kind: str) -> None:
    scene.pieces = wire(scene.answer(path, stream=True))
    scene.ask_and_keep(path, stream=True)
    hit = scene.ask(path, stream=False)
    assert (hit.headers["x-cache"], scene.calls) == ("HIT", 1)
    assert hit.headers["content-type"].startswith("application/json")
    assert isinstance(hit.json(), dict)


@both_forms
def test_an_upstream_that_answers_in_the_wrong_form_is_not_imitated(scene: Scene, stream: bool) -> None:
    scene.pieces = wire(scene.answer(stream=not stream))
    miss = scene.ask_and_keep(stream=stream)
    hit = scene.ask(stream=stream)
    assert (hit.headers["x-cache"], scene.calls) == ("HIT", 1)
    kinds = [answer.headers["content-type"].partition(";")[0] for answer in (miss, hit)]
    assert kinds == ([JSON, "text/event-stream"] if stream else ["text/event-stream", JSON])


def test_unknown_delta_fields_are_not_dropped(scene: Scene) -> None:
    events: Stream = scene.answer(stream=True)
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events.events[:-1]]
    chunks[0]["choices"][0]["delta"] |= {"x_vendor": {"trace": [1, 2]}, "reasoning_content": "First"}
    chunks[0]["x_provider"] = "somebody"
    chunks[1]["choices"][0]["delta"]["reasoning_content"] = ", then."
    body = b"".join([*map(sse, chunks), sse("[DONE]")])
    scene.pieces = chunked(SSE, body, 50)
    scene.ask_and_keep(stream=True)
    assert scene.ask(stream=True).content == body
    single = scene.ask(stream=False).json()
    message = single["choices"][0]["message"]
    assert message["x_vendor"] == {"trace": [1, 2]}
    assert message["reasoning_content"] == "First, then."
    assert single["x_provider"] == "somebody"
    assert scene.calls == 1


def test_unknown_fields_of_a_single_answer_are_in_the_stream(scene: Scene) -> None:
    whole: Single = scene.answer(stream=False)
    whole.document["x_provider"] = "somebody"
    whole.document["choices"][0]["message"] |= {"x_vendor": {"trace": [1, 2]}, "reasoning_content": "First, then."}
    scene.pieces = wire(whole)
    scene.ask_and_keep(stream=False)
    chunks = data_of(scene.ask(stream=True))
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "First, then."
    assert [delta["x_vendor"] for delta in deltas if "x_vendor" in delta] == [{"trace": [1, 2]}]
    assert [chunk["x_provider"] for chunk in chunks if "x_provider" in chunk][:1] == ["somebody"]


@both_forms
def test_a_decoded_body_never_says_that_it_is_gzip(scene: Scene, stream: bool) -> None:
    answer = scene.answer(stream=stream)
    plain = b"".join(answer.events) if stream else json.dumps(answer.document).encode()
    scene.pieces = chunked(SSE if stream else JSON, gzip.compress(plain), 40, "Content-Encoding: gzip")
    scene.ask_and_keep(stream=stream, Accept_Encoding="gzip")
    for coding in ("identity", "gzip"):
        with scene.gateway.http.stream(
            "POST",
            CHAT,
            json=scene.body(stream=stream),
            headers={"Accept-Encoding": coding, "Authorization": "Bearer k"},
        ) as hit:
            raw = b"".join(hit.iter_raw())
        assert hit.headers["x-cache"] == "HIT"
        assert hit.headers.get("content-encoding", "identity") in {coding, "identity"}
        assert (gzip.decompress(raw) if hit.headers.get("content-encoding") == "gzip" else raw) == plain
        assert hit.headers.get("content-length", str(len(raw))) == str(len(raw))


@both_forms
@pytest.mark.parametrize("hit_streams", [False, True], ids=["to a single", "to a stream"])
def test_request_ids_counters_and_cookies_are_never_replayed_to_strangers(
    scene: Scene, stream: bool, hit_streams: bool
) -> None:
    answer = scene.answer(stream=stream)
    scene.pieces = wire(answer)
    first = scene.ask_and_keep(stream=stream)
    stranger = scene.ask(stream=hit_streams, Authorization="Bearer somebody-else")
    assert stranger.headers["x-cache"] == "HIT"
    private = {name.lower() for name in answer.headers} - {"date", "server"}
    assert len(private) > 8
    assert private <= set(first.headers)
    assert not private & set(stranger.headers)
    assert stranger.headers.get("date") != answer.headers["Date"]


ERRORS: dict[str, tuple[str, bytes]] = {
    "a chunk of a chat": (CHAT, sse({"error": {"message": "The server had an error", "code": 500}})),
    "a chunk that says when it ended": (
        CHAT,
        sse({"error": {"code": 502}, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]}),
    ),
    "an event of a chat": (CHAT, sse({"message": "overloaded"}, "error")),
    "an event of messages": (MESSAGES, sse({"type": "error", "error": {"type": "overloaded_error"}}, "error")),
    "an event of messages without a name": (MESSAGES, sse({"type": "error", "error": {"type": "api_error"}})),
    "a line of ollama": (OLLAMA, b'{"error":"an unknown runner error"}\n'),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("place", ["last", "in the middle", "before the end of what is whole"])
def test_an_error_in_a_stream_of_200_is_never_stored(scene: Scene, name: str, place: str) -> None:
    """Last and in the middle something else is missing as well; before the end the error alone speaks against it."""
    path, error = ERRORS[name]
    answer: Stream = scene.answer(path, stream=True)
    before, end = answer.events[:-1], answer.events[-1:]
    half = before[: len(before) // 2]
    events = {"last": [*half, error], "in the middle": [*half, error, *end]}.get(place, [*before, error, *end])
    scene.pieces = wire(Stream(answer.kind, events, answer.headers))
    answers = [scene.ask(path, stream=True) for _ in range(2)]
    assert [each.headers["x-cache"] for each in answers] == ["MISS", "MISS"]
    assert [each.content for each in answers] == [b"".join(events)] * 2
    assert scene.calls == 2


@pytest.mark.parametrize(
    ("path", "document"),
    [
        (CHAT, {"error": {"message": "The server had an error", "code": 500}}),
        (CHAT, {"id": "gen-1", "choices": [], "error": {"code": 502}}),
        (MESSAGES, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        (OLLAMA, {"error": "model runner has stopped"}),
    ],
)
def test_an_error_in_a_single_answer_of_200_is_never_stored(scene: Scene, path: str, document: Json) -> None:
    scene.pieces = wire(Single(document, {}))
    for form in (False, True):
        answers = [scene.ask(path, stream=form) for _ in range(2)]
        assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS"]
        assert [answer.json() for answer in answers] == [document] * 2
