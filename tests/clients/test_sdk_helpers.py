"""What the SDKs do on top of a call: add a stream up to an answer, and go round in a loop of tools. A hit serves both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
import ollama
import openai
import pytest
from apis import Apis
from langchain_core.messages import HumanMessage, ToolMessage
from running import Gateway, until
from speak_anthropic import body as as_message
from speak_langchain import bound
from speak_ollama import as_chat as as_ollama_chat
from speak_openai import as_response
from speaking import Question
from workers import Worker

# What the helpers add of their own.
ADDED = {"parsed", "parsed_arguments", "index"}
CITIES = ["Zürich", "Genève"]
FORECAST = "It will rain on both days."
both_questions = pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])


def twice(gateway: Gateway, ask: Callable[[], Any]) -> tuple[Any, Any]:
    """What is heard first, and again once that is kept."""
    before = gateway.metric("semgate_kept_total")
    first = ask()
    until(lambda: gateway.metric("semgate_kept_total") > before, "not kept")
    return first, ask()


def plain(value: Any) -> Any:
    """Without what the helpers add."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name not in ADDED}
    return [plain(item) for item in value] if isinstance(value, list) else value


@both_questions
def test_openais_chat_stream_adds_up_to_the_completion(gateway: Gateway, apis: Apis, key: str, tools: bool) -> None:
    asked = Question(stream=True, tools=tools).as_chat()
    del asked["stream"]
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:

        def stream() -> Any:
            with client.chat.completions.stream(**asked) as events:
                return events.get_final_completion()

        first, second = twice(gateway, stream)
        del asked["stream_options"]
        single = client.chat.completions.create(**asked)
    assert first == second
    assert apis.calls(key) == 1
    assert plain(single.model_dump()) == plain(first.model_dump())


@both_questions
def test_openais_response_stream_adds_up_to_the_response(gateway: Gateway, apis: Apis, key: str, tools: bool) -> None:
    asked = as_response(Question(tools=tools))
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:
        single = twice(gateway, lambda: client.responses.create(**asked))[0]
        with client.responses.stream(**asked) as events:
            final = events.get_final_response()
    assert apis.calls(key) == 1
    assert plain(final.model_dump()) == plain(single.model_dump())


@both_questions
def test_anthropics_stream_adds_up_to_the_message(gateway: Gateway, apis: Apis, key: str, tools: bool) -> None:
    asked = as_message(Question(tools=tools))
    del asked["stream"]
    with anthropic.Anthropic(base_url=gateway.url, api_key=key, max_retries=0) as client:

        def stream() -> Any:
            with client.messages.stream(**asked) as events:
                return events.get_final_message()

        first, second = twice(gateway, stream)
        single = client.messages.create(**asked)
    assert first.model_dump() == second.model_dump() == single.model_dump()
    assert apis.calls(key) == 1


@both_questions
def test_nodes_chat_stream_adds_up_to_the_completion(
    gateway: Gateway, apis: Apis, key: str, node: Worker, tools: bool
) -> None:
    asked = Question(stream=True, tools=tools).as_chat()
    line = {"url": gateway.url, "key": key, "api": "helper", "body": asked}
    first, second = twice(gateway, lambda: node.tell(line)["parsed"])
    single = node.tell({**line, "api": "chat", "body": Question(tools=tools).as_chat()})["parsed"]
    assert first == second
    assert apis.calls(key) == 1
    assert plain(single) == plain(first)


def openai_loop(url: str, key: str) -> Any:
    asked = Question(tools=True).as_chat()
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        told: Any = client.chat.completions.create(**asked).choices[0].message
        assert [json.loads(call.function.arguments)["city"] for call in told.tool_calls] == CITIES
        results = [{"role": "tool", "tool_call_id": call.id, "content": FORECAST} for call in told.tool_calls]
        asked["messages"] += [told.model_dump(exclude_none=True), *results]
        return client.chat.completions.create(**asked).choices[0].message.content


def responses_loop(url: str, key: str) -> Any:
    asked = as_response(Question(tools=True))
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        told = client.responses.create(**asked)
        calls: list[Any] = told.output
        assert [json.loads(call.arguments)["city"] for call in calls] == CITIES
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": FORECAST} for call in calls]
        said = [call.model_dump(exclude_none=True) for call in calls]
        asked["input"] = [{"role": "user", "content": asked["input"]}, *said, *results]
        return client.responses.create(**asked).output_text


def anthropic_loop(url: str, key: str) -> Any:
    asked = as_message(Question(tools=True))
    del asked["stream"]
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as client:
        with client.messages.stream(**asked) as events:
            told: Any = events.get_final_message()
        _, *uses = told.content
        assert [use.input["city"] for use in uses] == CITIES
        results = [{"type": "tool_result", "tool_use_id": use.id, "content": FORECAST} for use in uses]
        said = [block.model_dump(exclude_none=True) for block in told.content]
        asked["messages"] += [{"role": "assistant", "content": said}, {"role": "user", "content": results}]
        answer: Any = client.messages.create(**asked)
        return answer.content[0].text


def langchain_loop(url: str, key: str) -> Any:
    with openai.DefaultHttpxClient() as http:
        model = bound(Question(tools=True), base_url=f"{url}/v1", api_key=key, http_client=http)
        messages: list[Any] = [HumanMessage("What will the weather be?")]
        told = model.invoke(messages)
        assert [call["args"]["city"] for call in told.tool_calls] == CITIES
        messages += [told, *(ToolMessage(FORECAST, tool_call_id=call["id"]) for call in told.tool_calls)]
        return model.invoke(messages).content


def ollama_loop(url: str, key: str) -> Any:
    asked = as_ollama_chat(Question(tools=True))
    with ollama.Client(url, headers={"Authorization": f"Bearer {key}"}) as client:
        told: Any = client.chat(**asked).message
        assert [call.function.arguments["city"] for call in told.tool_calls] == CITIES
        asked["messages"] += [told, *({"role": "tool", "tool_name": "weather", "content": FORECAST} for _ in CITIES)]
        return client.chat(**asked).message.content


LOOPS = [openai_loop, responses_loop, anthropic_loop, langchain_loop, ollama_loop]


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_a_whole_loop_of_tools_is_had_again_without_the_upstream(
    gateway: Gateway, apis: Apis, key: str, loop: Callable[[str, str], Any]
) -> None:
    """The ids of the calls come back in the next turn's history: only if they are replayed as they were is that a hit."""
    before = gateway.metric("semgate_kept_total")
    first = loop(gateway.url, key)
    until(lambda: gateway.metric("semgate_kept_total") == before + 2, "not kept")
    assert apis.calls(key) == 2
    assert loop(gateway.url, key) == first
    assert apis.calls(key) == 2
    assert "answer" in first


@pytest.mark.parametrize("stream_first", [False, True])
def test_log_probabilities_come_back_in_both_forms(gateway: Gateway, apis: Apis, key: str, stream_first: bool) -> None:
    asked: dict[str, Any] = {**Question().as_chat(), "logprobs": True}
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key, max_retries=0) as client:

        def single() -> list[str]:
            content = client.chat.completions.create(**asked).choices[0].logprobs.content
            return [entry.model_dump_json() for entry in content]

        def streamed() -> list[str]:
            parts = [
                choice for chunk in client.chat.completions.create(**asked, stream=True) for choice in chunk.choices
            ]
            return [entry.model_dump_json() for part in parts if part.logprobs for entry in part.logprobs.content]

        first, second = (streamed, single) if stream_first else (single, streamed)
        told, _ = twice(gateway, first)
        assert second() == told
    assert len(told) > 10
    assert apis.calls(key) == 1
