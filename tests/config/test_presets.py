"""Each preset on bodies as its API sends and gets them: what text and model are read, what must be equal, what is kept.

The bodies follow the documentation that the preset names; the rules run in the core's own code.
"""

import json
from pathlib import Path

import msgspec
import pytest

from gateway.config.load import read
from gateway.config.preset import FilledRoute, fill, presets
from gateway.core.body import Document
from gateway.core.keys import Keyer
from gateway.core.messages import Form, Reason, Request, Subject
from gateway.core.policy import examine_body, reject_head
from gateway.core.subject import read_subject
from gateway.runtime.compile import policy_of, rule_of

NAMES = sorted(presets())
Json = dict[str, object]


class Example(msgspec.Struct):
    """One API: a request, what is read from it, and answers. Changes are members that replace the request's or answer's."""

    request: Json
    text: str
    answer: Json
    model: str | None = None
    path_params: dict[str, str] = {}
    equal: list[Json] = []  # changes that must not matter
    apart: list[Json] = []  # changes that must
    exact_only: list[Json] = []
    bypassed: list[Json] = []
    headers_apart: list[str] = []
    kept: list[Json] = []
    rejected: list[Json] = []


def turns(*texts: object, last: str = "user") -> list[Json]:
    roles = ["user", "assistant"] * len(texts)
    messages: list[Json] = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    messages[-1]["role"] = last
    return messages


FUNCTION = {"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}
CHAT_ANSWER: Json = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-2025-04-14",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Paris.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29},
    "service_tier": "default",
    "system_fingerprint": "fp_1",
}


def choice(**changes: object) -> Json:
    return {"choices": [{**CHAT_ANSWER["choices"][0], **changes}]}  # type: ignore[index]


EXAMPLES = {
    "openai-chat": Example(
        request={
            "model": "gpt-4.1",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "What is the"}, {"type": "text", "text": "capital?"}],
                },
            ],
            "temperature": 0.2,
            "user": "u-1",
            "stream": False,
        },
        text="What is the\ncapital?",
        model="gpt-4.1",
        equal=[{"user": "u-2"}, {"metadata": {"ticket": "7"}}, {"prompt_cache_key": "k"}, {"safety_identifier": "s"}],
        apart=[
            {"temperature": 0.3},
            {"store": True},
            {"seed": 1},
            {"response_format": {"type": "json_object"}},
            {"n": 2},
        ],
        exact_only=[
            {"messages": turns("a", "b", "c", last="assistant")},
            {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "42"}]},
            {"tools": [FUNCTION]},
            {"functions": [FUNCTION["function"]]},
            {
                "messages": turns(
                    [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
                )
            },
        ],
        bypassed=[{"web_search_options": {}}],
        headers_apart=["OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta"],
        answer=CHAT_ANSWER,
        kept=[choice(finish_reason="tool_calls"), {"error": None}],
        rejected=[
            choice(finish_reason="length"),
            choice(finish_reason="content_filter"),
            choice(finish_reason="error"),
            {"error": {"message": "overloaded"}},
            {"choices": []},
        ],
    ),
    "openai-responses": Example(
        request={
            "model": "gpt-4.1",
            "instructions": "Be brief.",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "What is the capital?"}]}],
            "background": False,
        },
        text="What is the capital?",
        model="gpt-4.1",
        equal=[{"metadata": {"a": "b"}}, {"user": "u"}, {"safety_identifier": "s"}],
        apart=[{"instructions": "Be long."}, {"store": False}, {"reasoning": {"effort": "high"}}],
        exact_only=[
            {"input": [{"type": "function_call_output", "call_id": "c", "output": "42"}]},
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
            {"input": [{"role": "assistant", "content": "Paris"}]},
            {"tools": [{"type": "function", "name": "pay"}]},
        ],
        bypassed=[
            {"previous_response_id": "resp_1"},
            {"conversation": "conv_1"},
            {"background": True},
            {"tools": [{"type": "web_search"}]},
        ],
        headers_apart=["OpenAI-Organization", "OpenAI-Project", "OpenAI-Beta"],
        answer={
            "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b",
            "object": "response",
            "created_at": 1741476542,
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "model": "gpt-4.1-2025-04-14",
            "output": [
                {
                    "type": "message",
                    "id": "msg_1",
                    "status": "completed",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "Paris.", "annotations": []}],
                }
            ],
            "usage": {"input_tokens": 36, "output_tokens": 87, "total_tokens": 123},
        },
        rejected=[
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            {"incomplete_details": {"reason": "content_filter"}},
            {"status": "failed", "error": {"code": "server_error", "message": "x"}},
            {"status": "in_progress"},
            {"status": "queued", "output": []},
        ],
    ),
    "openai-completions": Example(
        request={"model": "gpt-3.5-turbo-instruct", "prompt": "Say this is a test", "max_tokens": 7, "temperature": 0},
        text="Say this is a test",
        model="gpt-3.5-turbo-instruct",
        equal=[{"user": "u"}],
        apart=[{"max_tokens": 8}, {"suffix": "!"}, {"echo": True}],
        exact_only=[
            {
                "prompt": [
                    15496,
                ]
            }
        ],
        bypassed=[{"prompt": ["a", "b"]}, {"prompt": [[1, 2], [3]]}],
        headers_apart=["OpenAI-Organization"],
        answer={
            "id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7",
            "object": "text_completion",
            "created": 1589478378,
            "model": "gpt-3.5-turbo-instruct",
            "choices": [{"text": "This is indeed a test", "index": 0, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12},
        },
        rejected=[
            {"choices": [{"text": "This is", "index": 0, "finish_reason": "length"}]},
            {"error": {"message": "x"}},
        ],
    ),
    "openai-embeddings": Example(
        request={"model": "text-embedding-3-small", "input": "The food was delicious", "encoding_format": "float"},
        text="The food was delicious",
        model="text-embedding-3-small",
        equal=[{"user": "u"}],
        apart=[
            {"dimensions": 256},
            {"encoding_format": "base64"},
            {"input": ["The food was delicious"]},
            {"input": [[1, 2]]},
        ],
        exact_only=[{}, {"input": ["a", "b"]}],
        headers_apart=["OpenAI-Project"],
        answer={
            "object": "list",
            "data": [{"object": "embedding", "embedding": [0.0023064255, -0.009327292], "index": 0}],
            "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        },
        rejected=[{"data": []}, {"error": {"message": "x"}}],
    ),
    "anthropic-messages": Example(
        request={
            "model": "claude-sonnet-4-20250514",
            "max_tokens": 1024,
            "system": "Be brief.",
            "messages": turns("Hi", "Hello!", [{"type": "text", "text": "What is the capital?"}]),
            "metadata": {"user_id": "13803d75"},
        },
        text="What is the capital?",
        model="claude-sonnet-4-20250514",
        equal=[{"metadata": {"user_id": "other"}}],
        apart=[{"max_tokens": 1}, {"system": "Be long."}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}],
        exact_only=[
            {"tools": [{"name": "pay", "input_schema": {"type": "object"}}]},
            {"messages": turns("Hi", "The answer is (", last="assistant")},
            {"messages": turns([{"type": "tool_result", "tool_use_id": "t", "content": "42"}])},
            {"messages": turns([{"type": "image", "source": {}}, {"type": "text", "text": "What is it?"}])},
        ],
        bypassed=[
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            {"mcp_servers": [{"type": "url", "url": "https://x", "name": "x"}]},
            {"container": "container_1"},
        ],
        headers_apart=["anthropic-version", "anthropic-beta"],
        answer={
            "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-20250514",
            "content": [{"type": "text", "text": "Paris."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 2095, "output_tokens": 503},
        },
        kept=[{"stop_reason": "stop_sequence", "stop_sequence": "\n"}, {"stop_reason": "tool_use"}],
        rejected=[
            *(
                {"stop_reason": why}
                for why in ("max_tokens", "refusal", "pause_turn", "model_context_window_exceeded", None)
            ),
            {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
            {"content": []},
        ],
    ),
    "ollama-chat": Example(
        request={"model": "llama3.2", "messages": turns("why is the sky blue?"), "stream": False, "keep_alive": "5m"},
        text="why is the sky blue?",
        model="llama3.2",
        equal=[{"keep_alive": 0}],
        apart=[
            {"options": {"seed": 1}},
            {"format": "json"},
            {"messages": [{"role": "user", "content": "why is the sky blue?", "images": ["aGk="]}]},
        ],
        exact_only=[
            {"messages": turns("a", "b", last="assistant")},
            {"messages": turns("42", last="tool")},
            {"tools": [FUNCTION]},
        ],
        answer={
            "model": "llama3.2",
            "created_at": "2023-12-12T14:13:43.416799Z",
            "message": {"role": "assistant", "content": "Rayleigh scattering."},
            "done": True,
            "done_reason": "stop",
            "total_duration": 5191566416,
            "eval_count": 298,
        },
        kept=[{"done_reason": None}],
        rejected=[{"done_reason": "length"}, {"done_reason": "load"}, {"done": False}, {"error": "model not found"}],
    ),
    "ollama-generate": Example(
        request={"model": "llama3.2", "prompt": "why is the sky blue?", "system": "Be brief.", "stream": False},
        text="why is the sky blue?",
        model="llama3.2",
        equal=[{"keep_alive": "10m"}],
        apart=[{"system": "Be long."}, {"context": [1, 2, 3]}, {"raw": True}, {"images": ["aGk="]}],
        answer={
            "model": "llama3.2",
            "created_at": "2023-08-04T19:22:45.499127Z",
            "response": "The sky is blue because of Rayleigh scattering.",
            "done": True,
            "done_reason": "stop",
            "context": [1, 2, 3],
            "eval_count": 290,
        },
        rejected=[{"done_reason": "length"}, {"done_reason": "unload"}, {"done": False}, {"error": "x"}],
    ),
    "cohere-chat": Example(
        request={
            "model": "command-a-03-2025",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is the capital?"},
            ],
            "stream": False,
            "priority": 0,
        },
        text="What is the capital?",
        model="command-a-03-2025",
        equal=[{"priority": 5}],
        apart=[{"documents": ["Paris is a city."]}, {"safety_mode": "STRICT"}, {"temperature": 0.1}],
        exact_only=[{"messages": turns("42", last="tool")}, {"tools": [FUNCTION]}],
        answer={
            "id": "c14c80c3-18eb-4519-9460-6c92edd8cfb4",
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Paris."}]},
            "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 4}},
        },
        kept=[{"finish_reason": "STOP_SEQUENCE"}],
        rejected=[*({"finish_reason": why} for why in ("MAX_TOKENS", "ERROR", "TIMEOUT", "ERROR_TOXIC"))],
    ),
    "gemini-generate": Example(
        request={
            "contents": [{"role": "user", "parts": [{"text": "What is the capital?"}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "generationConfig": {"temperature": 0},
        },
        text="What is the capital?",
        model="gemini-2.5-flash",
        path_params={"model": "gemini-2.5-flash"},
        apart=[{"generationConfig": {"temperature": 1}}, {"systemInstruction": {"parts": [{"text": "Be long."}]}}],
        exact_only=[
            {"tools": [{"functionDeclarations": [{"name": "pay"}]}]},
            {"contents": [{"role": "model", "parts": [{"text": "Paris"}]}]},
            {
                "contents": [
                    {"parts": [{"text": "What is it?"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}
                ]
            },
        ],
        bypassed=[{"tools": [{"googleSearch": {}}]}],
        headers_apart=["x-goog-user-project"],
        answer={
            "candidates": [
                {"content": {"parts": [{"text": "Paris."}], "role": "model"}, "finishReason": "STOP", "index": 0}
            ],
            "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 3, "totalTokenCount": 11},
            "modelVersion": "gemini-2.5-flash",
            "responseId": "r1",
        },
        rejected=[
            *(
                {"candidates": [{"content": {"parts": [{"text": "Par"}]}, "finishReason": why}]}
                for why in ("MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
            ),
            {"candidates": [{"content": {"parts": [{"text": "Par"}]}}]},
            {"candidates": []},
            {"promptFeedback": {"blockReason": "SAFETY"}},
            {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}},
        ],
    ),
    "json-query": Example(
        request={"query": "How do I reset my password?", "language": "en"},
        text="How do I reset my password?",
        apart=[{"language": "de"}, {"top_k": 3}],
        exact_only=[{"query": {"must": "x"}}],
        answer={"answer": "Open Settings."},
        kept=[{"errors": []}, {"error": None}],
        rejected=[{"error": "x"}, {"errors": [{"message": "x"}]}],
    ),
}


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FilledRoute]:
    """Every preset used by a route as a file would."""
    path = tmp_path_factory.mktemp("presets") / "routes.yaml"
    lines = ["version: 1", "upstreams: {api: {url: https://api.example.com}}", "routes:"]
    for name, preset in presets().items():
        lines.append(f"  - {{name: {name}, path: '{preset.path}', upstream: api, preset: {name}, scope: client}}")
    path.write_text("\n".join(lines))
    loaded = read(path, {})
    assert loaded.settings is not None, loaded.problems
    assert loaded.problems == ()
    return {route.name: fill(route, loaded.settings.defaults) for route in loaded.settings.routes}


def subject(
    route: FilledRoute, body: Json, example: Example, headers: list[tuple[bytes, bytes]] | None = None
) -> Subject | Reason:
    request = Request(
        method="POST",
        path=b"/x",
        query_string=b"",
        headers=headers or [],
        body=json.dumps(body).encode(),
        path_params=example.path_params,
        upstream_path=b"/x",
        client=b"web",
        asked_at=0.0,
    )
    return read_subject(rule_of(route), Keyer(b"k" * 32), request, Document(request.body))


def subjects(route: FilledRoute, example: Example, changes: list[Json]) -> list[Subject | Reason]:
    return [subject(route, {**example.request, **change}, example) for change in changes]


def test_every_preset_has_an_example() -> None:
    assert sorted(EXAMPLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_text_and_model_are_read(name: str, routes: dict[str, FilledRoute]) -> None:
    example = EXAMPLES[name]
    found = subject(routes[name], example.request, example)
    assert isinstance(found, Subject)
    assert (found.text, found.model) == (example.text, example.model)
    assert found.exact_only == (routes[name].match == "exact")


@pytest.mark.parametrize("name", NAMES)
def test_who_asks_does_not_matter_and_all_else_does(name: str, routes: dict[str, FilledRoute]) -> None:
    example = EXAMPLES[name]
    route, asked = routes[name], subject(routes[name], example.request, example)
    assert all(found == asked for found in subjects(route, example, example.equal))
    partitions = [
        found.partition for found in subjects(route, example, [{}, *example.apart]) if isinstance(found, Subject)
    ]
    assert len(set(partitions)) == len(partitions) == len(example.apart) + 1
    for header in example.headers_apart:
        other = subject(route, example.request, example, [(header.lower().encode(), b"another")])
        assert isinstance(other, Subject) and isinstance(asked, Subject)
        assert other.partition != asked.partition


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_plain_question_of_the_user_is_exact_only(name: str, routes: dict[str, FilledRoute]) -> None:
    for found in subjects(routes[name], EXAMPLES[name], EXAMPLES[name].exact_only):
        assert isinstance(found, Subject)
        assert found.exact_only


@pytest.mark.parametrize("name", NAMES)
def test_what_acts_or_hangs_on_state_elsewhere_is_not_cached(name: str, routes: dict[str, FilledRoute]) -> None:
    example = EXAMPLES[name]
    found = subjects(routes[name], example, example.bypassed)
    assert found == [Reason.BYPASS_RULE] * len(example.bypassed)


@pytest.mark.parametrize("name", NAMES)
def test_only_whole_answers_are_kept(name: str, routes: dict[str, FilledRoute]) -> None:
    example, rule = EXAMPLES[name], policy_of(routes[name]).keep
    for change in ({}, *example.kept):
        body = json.dumps({**example.answer, **change}).encode()
        assert not isinstance(examine_body(rule, Form.SINGLE, body), Reason), change
    for change in example.rejected:
        body = json.dumps({**example.answer, **change}).encode()
        assert examine_body(rule, Form.SINGLE, body) is Reason.REJECTED, change


@pytest.mark.parametrize("name", ["openai-chat", "openai-responses", "anthropic-messages", "cohere-chat"])
def test_a_cdns_cookie_does_not_make_an_answer_private(name: str, routes: dict[str, FilledRoute]) -> None:
    rule = policy_of(routes[name]).keep
    assert reject_head(rule, None, 200, ((b"set-cookie", b"__cf_bm=x; path=/; HttpOnly; Secure"),)) is None
    assert reject_head(rule, None, 200, ((b"set-cookie", b"session=x; path=/"),)) is Reason.SET_COOKIE


@pytest.mark.parametrize("name", ["ollama-chat", "ollama-generate"])
def test_ollama_streams_unless_told_otherwise(name: str, routes: dict[str, FilledRoute]) -> None:
    assert routes[name].stream_default
    assert routes[name].stream == ("$.stream",)


@pytest.mark.parametrize("body", [{"query": "a"}, {"prompt": "a"}, {"input": "a"}, {"messages": turns("x", "y", "a")}])
def test_json_query_takes_the_usual_fields(body: Json, routes: dict[str, FilledRoute]) -> None:
    found = subject(routes["json-query"], body, EXAMPLES["json-query"])
    assert isinstance(found, Subject)
    assert found.text == "a"


MERGED = """
version: 1
upstreams: {api: {url: https://api.example.com}}
defaults: {ttl: 2h, embedder: other}
embedders: {other: {type: onnx}, third: {type: onnx}}
routes:
  - name: plain
    path: /a
    upstream: api
    preset: openai-chat
    scope: client
  - name: written
    path: /b
    upstream: api
    preset: openai-chat
    scope: [$.user, header:X-Team]
    embedder: third
    ttl: 5m
    role: []
    bypass: []
    vary: {headers: [X-Team, openai-beta]}
    keep: {max_body: 1MiB, reject: [$.oops]}
"""


def test_what_a_route_writes_wins_and_preset_headers_stay(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(MERGED)
    settings = read(path, {}).settings
    assert settings is not None
    plain, written = (fill(route, settings.defaults) for route in settings.routes)
    assert (plain.embedder, plain.ttl, plain.preset, plain.preset_version) == ("other", 7200.0, "openai-chat", 1)
    assert (written.embedder, written.ttl) == ("third", 300.0)
    assert (written.query, written.scope) == (("$.messages[-1].content",), ("$.user", "header:X-Team"))
    assert (written.role, written.bypass) == ((), ())
    # Member by member: what is not written stays the preset's.
    assert written.vary.ignore == plain.vary.ignore
    assert written.keep.require == plain.keep.require
    assert (written.keep.max_body, written.keep.reject) == (1 << 20, ("$.oops",))
    # Added, not replaced; a name that is there already in other letters is not doubled.
    assert written.vary.headers == ("X-Team", "openai-beta", "OpenAI-Organization", "OpenAI-Project", "Origin")


def test_a_route_without_a_preset_has_none(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(MERGED.replace("preset: openai-chat", "query: $.q"))
    settings = read(path, {}).settings
    assert settings is not None
    filled = fill(settings.routes[0], settings.defaults)
    assert (filled.preset, filled.preset_version, filled.query, filled.model) == ("", 0, ("$.q",), ())
