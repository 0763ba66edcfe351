"""Streams of the presets without a dialect: which are whole, which are kept, and that single answers are judged as before.

The events follow the documentation that each preset names.
"""

import json

import pytest

from gateway.config.load import read
from gateway.config.preset import FilledRoute, fill, presets
from gateway.core.messages import Form, Reason, Wanted
from gateway.core.policy import CachePolicy, answer_form, examine_body, read_cost, reject_head
from gateway.runtime.rules import policy_of

Json = dict[str, object]

ROUTES = """
version: 1
upstreams: {api: {url: https://api.example.com}}
routes:
  - {name: cohere, path: /v2/chat, upstream: api, preset: cohere-chat, scope: client, models: ["command-*"]}
  - {name: gemini, path: "/v1beta/models/{model}:streamGenerateContent", upstream: api, preset: gemini-generate, scope: query:key}
  - {name: query, path: /ask, upstream: api, preset: json-query, scope: client}
  - {name: embeddings, path: /v1/embeddings, upstream: api, preset: openai-embeddings, scope: client}
"""


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FilledRoute]:
    path = tmp_path_factory.mktemp("streams") / "routes.yaml"
    path.write_text(ROUTES)
    loaded = read(path, {})
    assert loaded.settings is not None, loaded.problems
    return {route.name: fill(route, loaded.settings.defaults) for route in loaded.settings.routes}


@pytest.fixture
def cohere(routes: dict[str, FilledRoute]) -> CachePolicy:
    return policy_of(routes["cohere"])


@pytest.fixture
def gemini(routes: dict[str, FilledRoute]) -> CachePolicy:
    return policy_of(routes["gemini"])


def sse(*events: Json, named: bool = False, done: bool = False) -> bytes:
    texts = [f"event: {each['type']}\n" if named else "" for each in events]
    body = "".join(f"{name}data: {json.dumps(each)}\n\n" for name, each in zip(texts, events, strict=True))
    return (body + ("data: [DONE]\n\n" if done else "")).encode()


def lines(*events: Json) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in events).encode()


def judge(policy: CachePolicy, body: bytes, form: Form = Form.SSE) -> Reason | None:
    found = examine_body(policy.keep, form, body)
    return found if isinstance(found, Reason) else None


def cohere_events(reason: object = "COMPLETE", **end: object) -> list[Json]:
    usage = {
        "billed_units": {"input_tokens": 5, "output_tokens": 4},
        "tokens": {"input_tokens": 71, "output_tokens": 6},
    }
    return [
        {
            "id": "29f14a5a",
            "type": "message-start",
            "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": []}},
        },
        {
            "type": "content-start",
            "index": 0,
            "delta": {"message": {"content": {"type": "text", "text": ""}}},
        },
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Par"}}}},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "is."}}}},
        {"type": "content-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage, **end}},
    ]


@pytest.mark.parametrize("reason", ["COMPLETE", "STOP_SEQUENCE", "TOOL_CALL"])
def test_a_whole_stream_of_cohere_is_kept_with_and_without_a_last_done(cohere: CachePolicy, reason: str) -> None:
    events = cohere_events(reason)
    assert judge(cohere, sse(*events, named=True)) is None
    assert judge(cohere, sse(*events, named=True, done=True)) is None
    assert judge(cohere, lines(*events), Form.NDJSON) is None


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "ERROR", "TIMEOUT", "A_LATER_ONE", None])
def test_a_stream_of_cohere_that_ended_badly_is_not_kept(cohere: CachePolicy, reason: str | None) -> None:
    assert judge(cohere, sse(*cohere_events(reason), named=True)) is Reason.REJECTED
    assert judge(cohere, sse(*cohere_events(reason), named=True, done=True)) is Reason.REJECTED


def test_an_error_in_the_last_event_of_cohere_is_not_kept(cohere: CachePolicy) -> None:
    assert judge(cohere, sse(*cohere_events(error="overloaded"), named=True)) is Reason.REJECTED


def test_half_a_stream_of_cohere_is_not_kept(cohere: CachePolicy) -> None:
    assert judge(cohere, sse(*cohere_events()[:-1], named=True)) is Reason.INCOMPLETE
    assert judge(cohere, sse(*cohere_events()[:-1], named=True, done=True)) is Reason.REJECTED


def test_what_a_stream_of_cohere_cost_is_read_as_of_a_single_answer(cohere: CachePolicy) -> None:
    single = {
        "id": "c14c80c3",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Paris."}]},
        "usage": {
            "billed_units": {"input_tokens": 5, "output_tokens": 4},
            "tokens": {"input_tokens": 71, "output_tokens": 6},
        },
    }
    streamed = examine_body(cohere.keep, Form.SSE, sse(*cohere_events(), named=True, done=True))
    whole = examine_body(cohere.keep, Form.SINGLE, json.dumps(single).encode())
    assert not isinstance(streamed, Reason) and not isinstance(whole, Reason)
    cost = read_cost(cohere, "command-a-03-2025", streamed)
    assert (cost.prompt, cost.completion) == (71, 6)
    assert cost == read_cost(cohere, "command-a-03-2025", whole)


def candidate(text: str, reason: str | None = None, index: int = 0) -> Json:
    said: Json = {"content": {"parts": [{"text": text}], "role": "model"}, "index": index}
    return said if reason is None else {**said, "finishReason": reason}


def generated(*candidates: Json, **members: object) -> Json:
    return {"candidates": list(candidates), "usageMetadata": {"promptTokenCount": 8}, **members}


def test_a_whole_stream_of_gemini_is_kept(gemini: CachePolicy) -> None:
    assert judge(gemini, sse(generated(candidate("Par")), generated(candidate("is.", "STOP")))) is None
    # Old models say it in every event, new ones may say it in one without content.
    assert judge(gemini, sse(generated(candidate("Par", "STOP")), generated(candidate("is.", "STOP")))) is None
    assert judge(gemini, sse(generated(candidate("Paris.")), generated({"finishReason": "STOP", "index": 0}))) is None


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "SAFETY", "RECITATION", "A_LATER_ONE"])
def test_a_stream_of_gemini_that_ended_badly_is_not_kept(gemini: CachePolicy, reason: str) -> None:
    assert judge(gemini, sse(generated(candidate("Par")), generated(candidate("", reason)))) is Reason.REJECTED


def test_half_a_stream_of_gemini_is_not_kept(gemini: CachePolicy) -> None:
    assert judge(gemini, sse(generated(candidate("Par")), generated(candidate("is")))) is Reason.INCOMPLETE
    assert judge(gemini, sse(generated(candidate("Par", "STOP")), generated(candidate("is")))) is Reason.INCOMPLETE


def test_a_blocked_or_failed_stream_of_gemini_is_not_kept(gemini: CachePolicy) -> None:
    good = (generated(candidate("Par")), generated(candidate("is.", "STOP")))
    assert judge(gemini, sse({"promptFeedback": {"blockReason": "SAFETY"}}, *good)) is Reason.REJECTED
    assert judge(gemini, sse({"error": {"code": 503}}, *good)) is Reason.REJECTED


def test_a_single_answer_of_gemini_needs_a_good_end_of_every_candidate(gemini: CachePolicy) -> None:
    def single(*candidates: Json) -> Reason | None:
        return judge(gemini, json.dumps(generated(*candidates)).encode(), Form.SINGLE)

    assert single(candidate("Paris.", "STOP")) is None
    assert single(candidate("Paris.", "STOP"), candidate("It is Paris.", "STOP", 1)) is None
    assert single(candidate("Par")) is Reason.REJECTED
    assert single(candidate("Paris.", "STOP"), candidate("It", index=1)) is Reason.REJECTED


def test_a_stream_of_gemini_without_sse_is_one_array_and_not_kept(gemini: CachePolicy) -> None:
    body = json.dumps([generated(candidate("Par")), generated(candidate("is.", "STOP"))]).encode()
    assert judge(gemini, body, Form.SINGLE) is Reason.REJECTED


def test_json_query_keeps_streams_that_end_as_usual(routes: dict[str, FilledRoute]) -> None:
    policy = policy_of(routes["query"])
    assert judge(policy, sse({"text": "Par"}, {"text": "is."}, done=True)) is None
    assert judge(policy, lines({"text": "Par"}, {"text": "is.", "done": True}), Form.NDJSON) is None
    assert judge(policy, lines({"text": "Par"}, {"text": "is.", "done": False}), Form.NDJSON) is Reason.INCOMPLETE
    assert judge(policy, sse({"text": "Par"}, {"error": "x"}, done=True)) is Reason.REJECTED


def test_no_stream_of_embeddings_is_kept(routes: dict[str, FilledRoute]) -> None:
    headers = ((b"content-type", b"text/event-stream"),)
    assert answer_form(headers) is Form.SSE
    assert reject_head(policy_of(routes["embeddings"]).keep, None, 200, headers) is Reason.STREAM
    wanted = Wanted(stream=True, usage=False)
    assert reject_head(policy_of(routes["query"]).keep, wanted, 200, headers) is None


def test_a_preset_has_the_dialect_of_its_name_or_says_how_its_streams_end() -> None:
    with_dialect = {name for name, preset in presets().items() if preset.route.dialect is not None}
    assert with_dialect == {
        "openai-chat",
        "openai-responses",
        "openai-completions",
        "anthropic-messages",
        "ollama-chat",
        "ollama-generate",
    }
    assert all(presets()[name].route.dialect == name for name in with_dialect)
    assert all(presets()[name].route.stream for name in with_dialect), "a dialect is for who can ask for a stream"
