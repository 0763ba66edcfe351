"""Synthesized answers as streams, in every API's form: read by the official clients, as the model writes."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from ollama import Client as Ollama
from openai import OpenAI
from running import Exchange, Gateway, RawUpstream, completion, http_answer, until
from synthesized import OPEN, SUNDAY, SUNDAY_ANSWER, Cheap, gateway_of, knowing, route

APIS = {
    "chat": ("openai-chat", "/v1/chat/completions"),
    "completions": ("openai-completions", "/v1/completions"),
    "responses": ("openai-responses", "/v1/responses"),
    "messages": ("anthropic-messages", "/v1/messages"),
    "ollama": ("ollama-chat", "/api/chat"),
    "generate": ("ollama-generate", "/api/generate"),
}
numbers = itertools.count()


@pytest.fixture(scope="module")
def gateway(
    upstream: RawUpstream, cheap_server: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("synthesis-streams")
    routes = [
        route(name, preset=preset).replace(f"path: /{name},", f"path: {path},") for name, (preset, path) in APIS.items()
    ]
    kept = route("kept", keep=True)
    with gateway_of(folder, data_dir, upstream, cheap_server, "synthesis-streams", *routes, kept) as running:
        yield running


@pytest.fixture
def tenant() -> dict[str, str]:
    return {"X-Tenant": f"tenant {next(numbers)}"}


KEPT: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": completion("At 9, on Sundays at 11."),
    "/v1/completions": {
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "text": "At 9, on Sundays at 11.", "logprobs": None, "finish_reason": "stop"}],
    },
    "/v1/responses": {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "error": None, "model": "m",
        "output": [{"id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                    "content": [{"type": "output_text", "text": "At 9, on Sundays at 11.", "annotations": []}]}],
    },
    "/v1/messages": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [{"type": "text", "text": "At 9, on Sundays at 11."}],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    },
    "/api/chat": {
        "model": "m", "created_at": "2026-01-01T00:00:00.000000Z", "done": True, "done_reason": "stop",
        "message": {"role": "assistant", "content": "At 9, on Sundays at 11."},
    },
    "/api/generate": {
        "model": "m", "created_at": "2026-01-01T00:00:00.000000Z", "done": True, "done_reason": "stop",
        "response": "At 9, on Sundays at 11.",
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def answering(upstream: RawUpstream) -> None:
    """The expensive API of every kind, which knows one answer."""

    async def answer(exchange: Exchange) -> None:
        assert OPEN in json.loads(exchange.body.decode().replace(SUNDAY, "")).__repr__(), "the upstream was asked"
        path = exchange.request_line.split()[1].decode()
        await exchange.send(http_answer(KEPT[path]))

    upstream.behaviour = answer


def test_openais_client_reads_chat_completions(gateway: Gateway, cheap: Cheap, tenant: dict[str, str]) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="k", default_headers=tenant, max_retries=0) as client:

        def asked(question: str, **more: Any) -> Any:
            messages = [{"role": "user", "content": question}]
            return client.chat.completions.create(model="gpt-4o", messages=messages, **more)  # type: ignore[arg-type]

        asked(OPEN)
        single = asked(SUNDAY)
        chunks = list(asked(SUNDAY, stream=True))
        counted = list(asked(SUNDAY, stream=True, stream_options={"include_usage": True}))
    assert single.choices[0].message.content == SUNDAY_ANSWER
    assert (single.model, single.choices[0].finish_reason) == ("tiny", "stop")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SUNDAY_ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.choices for chunk in chunks)
    assert counted[-1].usage.total_tokens == 12
    assert len(cheap.asked) == 3


def test_openais_client_reads_completions(gateway: Gateway, cheap: Cheap, tenant: dict[str, str]) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="k", default_headers=tenant, max_retries=0) as client:
        client.completions.create(model="m", prompt=OPEN)
        single = client.completions.create(model="m", prompt=SUNDAY)
        chunks = list(client.completions.create(model="m", prompt=SUNDAY, stream=True))
    assert single.choices[0].text == SUNDAY_ANSWER
    assert "".join(chunk.choices[0].text for chunk in chunks) == SUNDAY_ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_openais_client_reads_responses(gateway: Gateway, cheap: Cheap, tenant: dict[str, str]) -> None:
    with OpenAI(base_url=f"{gateway.url}/v1", api_key="k", default_headers=tenant, max_retries=0) as client:
        client.responses.create(model="m", input=OPEN)
        single = client.responses.create(model="m", input=SUNDAY)
        with client.responses.stream(model="m", input=SUNDAY) as stream:
            events = list(stream)
            final = stream.get_final_response()
    assert single.output_text == final.output_text == SUNDAY_ANSWER
    assert single.usage is not None
    assert single.usage.output_tokens == 3
    raw = [event for event in events if event.type == "response.output_text.delta"]
    assert "".join(event.delta for event in raw) == SUNDAY_ANSWER
    numbered = [event.sequence_number for event in events]
    assert numbered == list(range(len(numbered)))


def test_anthropics_client_reads_messages(gateway: Gateway, cheap: Cheap, tenant: dict[str, str]) -> None:
    with Anthropic(base_url=gateway.url, api_key="k", default_headers=tenant, max_retries=0) as client:

        def said(question: str) -> dict[str, Any]:
            return {"model": "m", "max_tokens": 300, "messages": [{"role": "user", "content": question}]}

        client.messages.create(**said(OPEN))
        single = client.messages.create(**said(SUNDAY))
        with client.messages.stream(**said(SUNDAY)) as stream:
            texts = list(stream.text_stream)
            final = stream.get_final_message()
    assert single.content[0].text == "".join(texts) == final.content[0].text == SUNDAY_ANSWER  # type: ignore[union-attr]
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 3)
    assert cheap.asked[0]["max_tokens"] == 300


def test_ollamas_client_reads_both_of_its_apis(gateway: Gateway, cheap: Cheap, tenant: dict[str, str]) -> None:
    client = Ollama(host=gateway.url, headers=tenant)
    with client._client:

        def asked(question: str, **more: Any) -> Any:
            return client.chat(model="m", messages=[{"role": "user", "content": question}], **more)

        asked(OPEN)
        assert asked(SUNDAY).message.content == SUNDAY_ANSWER
        parts = list(asked(SUNDAY, stream=True))
        assert "".join(part.message.content for part in parts) == SUNDAY_ANSWER
        assert [part.done for part in parts[-2:]] == [False, True]
        assert parts[-1].created_at.startswith("20")
        client.generate(model="m", prompt=OPEN)
        assert client.generate(model="m", prompt=SUNDAY).response == SUNDAY_ANSWER
        assert (
            "".join(part.response for part in client.generate(model="m", prompt=SUNDAY, stream=True)) == SUNDAY_ANSWER
        )


def chat_stream(gateway: Gateway, tenant: dict[str, str], path: str = "/v1/chat/completions") -> Any:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": SUNDAY}], "stream": True}
    return httpx.stream("POST", f"{gateway.url}{path}", json=body, headers=tenant, timeout=20)


def warmed(gateway: Gateway, upstream: RawUpstream, tenant: dict[str, str], path: str = "/v1/chat/completions") -> None:
    knowing(upstream)
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": OPEN}]}
    gateway.ask(path, body, tenant).raise_for_status()


def test_the_first_words_reach_the_client_while_the_model_still_writes(
    gateway: Gateway, upstream: RawUpstream, cheap: Cheap, tenant: dict[str, str]
) -> None:
    warmed(gateway, upstream, tenant)
    go_on = cheap.hold()
    with chat_stream(gateway, tenant) as answer:
        assert answer.headers["cache-status"] == "semgate; hit; detail=synthesis"
        pieces = answer.iter_text()
        so_far = ""
        while "On " not in so_far:
            so_far += next(pieces)
        assert "Sundays" not in so_far
        go_on()
        whole = so_far + "".join(pieces)
    assert whole.endswith("data: [DONE]\n\n")
    assert "11." in whole


def test_nothing_is_sent_while_it_may_still_be_not_enough(
    gateway: Gateway, upstream: RawUpstream, cheap: Cheap, tenant: dict[str, str]
) -> None:
    warmed(gateway, upstream, tenant)
    cheap.says = "Not enough, I fear."
    go_on = cheap.hold()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: _read(chat_stream(gateway, tenant)))
        until(lambda: cheap.asked, "the model is not asked")
        assert not waiting.done()
        go_on()
        headers, body = waiting.result(20)
    assert headers["x-cache"] == "MISS"
    assert "Upstream: " in body


def _read(opened: Any) -> tuple[dict[str, str], str]:
    with opened as answer:
        return dict(answer.headers), "".join(answer.iter_text())


def test_a_stream_that_breaks_off_is_cut_and_never_looks_whole(
    gateway: Gateway, upstream: RawUpstream, cheap: Cheap, tenant: dict[str, str]
) -> None:
    warmed(gateway, upstream, tenant, "/kept")

    async def answer(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b'data: {"choices": [{"index": 0, "delta": {"content": "On Sundays it"}}]}\n\n'
        await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        exchange.close()

    cheap.answer = answer
    with pytest.raises(httpx.RemoteProtocolError):
        _read(chat_stream(gateway, tenant, "/kept"))
    cheap.answer = None
    headers, _ = _read(chat_stream(gateway, tenant, "/kept"))
    assert len(cheap.asked) == 2, "half an answer was kept"
    assert headers["x-cache"] == "SYNTHESIS"
    assert gateway.metric("semgate_synthesis_total", route="kept", result="broken") == 1


def test_who_asks_the_same_meanwhile_follows_and_is_told(
    gateway: Gateway, upstream: RawUpstream, cheap: Cheap, tenant: dict[str, str]
) -> None:
    warmed(gateway, upstream, tenant)
    go_on = cheap.hold()
    with chat_stream(gateway, tenant) as leader, ThreadPoolExecutor(2) as pool:
        follower = pool.submit(lambda: _read(chat_stream(gateway, tenant)))
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": SUNDAY}]}
        single = pool.submit(lambda: gateway.ask("/v1/chat/completions", body, tenant))
        until(lambda: gateway.metric("semgate_requests_in_flight") >= 3, "the others are not there")
        go_on()
        whole = "".join(leader.iter_text())
        headers, followed = follower.result(20)
        answer = single.result(20)
    assert followed == whole
    assert headers["cache-status"] == answer.headers["cache-status"] == "semgate; hit; detail=synthesis"
    assert answer.json()["choices"][0]["message"]["content"] == SUNDAY_ANSWER
    assert len(cheap.asked) == 1


def test_a_single_answer_that_is_not_kept_is_shared_by_those_who_wait_for_it(
    gateway: Gateway, upstream: RawUpstream, cheap: Cheap, tenant: dict[str, str]
) -> None:
    warmed(gateway, upstream, tenant)
    go_on = cheap.hold()
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": SUNDAY}]}
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(lambda: gateway.ask("/v1/chat/completions", body, tenant)) for _ in range(2)]
        until(lambda: gateway.metric("semgate_requests_in_flight") >= 2 and cheap.asked, "they are not there")
        go_on()
        answers = [each.result(20) for each in waiting]
    assert [answer.headers["x-cache"] for answer in answers] == ["SYNTHESIS"] * 2
    assert answers[0].content == answers[1].content
    assert len(cheap.asked) == 1


def test_one_that_was_kept_as_a_stream_is_served_in_both_forms(
    gateway: Gateway, upstream: RawUpstream, cheap: Cheap, tenant: dict[str, str]
) -> None:
    warmed(gateway, upstream, tenant, "/kept")
    _read(chat_stream(gateway, tenant, "/kept"))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": SUNDAY}]}
    again = gateway.ask("/kept", body, tenant)
    assert again.headers["cache-status"].endswith("detail=synthesis")
    assert again.json()["choices"][0]["message"]["content"] == SUNDAY_ANSWER
    assert len(cheap.asked) == 1
