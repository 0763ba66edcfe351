"""The examples that have the cache in the program itself, run as a user would run them, and LangChain's cache in reach."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from langchain_core.language_models.fake import FakeListLLM
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import Generation

ROOT = Path(__file__).parents[2]
ASKED, NEAR = "How do I reset my password?", "how can I reset my password"


class OpenAI:
    """Answers chat completions, each with its number."""

    def __init__(self) -> None:
        self.questions: list[str] = []
        self.url = ""

    async def complete(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.questions.append(asked["messages"][-1]["content"])
        message = {"role": "assistant", "content": f"Answer {len(self.questions)}."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        about = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000, "model": asked["model"]}
        return web.json_response({**about, "choices": [choice], "usage": usage})


@pytest.fixture
def openai() -> Iterator[OpenAI]:
    server, loop = OpenAI(), asyncio.new_event_loop()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(app, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def run(command: list[str], folder: Path, **more: str) -> list[str]:
    """What a program prints, which has a data folder of semgate's and complains of nothing."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SEMGATE_", "OPENAI_"))}
    own = {"SEMGATE_DATA": str(folder), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command],
        env=env | own | more,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_help_desk_asks_its_model_once_for_questions_that_mean_the_same(openai: OpenAI, folder: Path) -> None:
    printed = run([str(ROOT / "examples/by_hand.py")], folder, OPENAI_BASE_URL=openai.url, OPENAI_API_KEY="sk-key")
    assert openai.questions == [ASKED, "How do I close my account?"]
    first, second, third = printed
    assert (first, third) == ("Answer 1.", "Answer 2.")
    assert second.startswith("Answer 1.  (kept: similarity 0.")


def test_langchain_asks_its_model_once_for_questions_that_mean_the_same(openai: OpenAI, folder: Path) -> None:
    command = ["-W", "ignore", str(ROOT / "examples/langchain_cache.py")]
    printed = run(command, folder, OPENAI_BASE_URL=openai.url, OPENAI_API_KEY="sk-key")
    assert openai.questions == [ASKED]
    assert printed == ["Answer 1.", "Answer 1."]


# What the README's lines stand in: an app, a client that asks, and a loop.
SHOWN = """
import asyncio
import openai
from fastapi import FastAPI, Request
from starlette.testclient import TestClient

app = FastAPI()

@app.post("/ask")
async def ask(request: Request):
    return {"answer": (await request.json())["query"]}

APP
with TestClient(app) as asking:
    print(*(asking.post("/ask", json={"query": query}).headers["x-cache"] for query in ("ASKED", "NEAR")))

CLIENT
for question in ("ASKED", "NEAR"):
    messages = [{"role": "user", "content": question}]
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o-mini", messages=messages)
    print(answer.headers["x-cache"], end=" " if question == "ASKED" else "\\n")

async def main():
BY_HAND
    print(found[0].answer)

asyncio.run(main())
""".replace("ASKED", ASKED).replace("NEAR", NEAR)


def test_what_the_readme_shows_without_a_gateway_works(openai: OpenAI, folder: Path) -> None:
    section = (ROOT / "README.md").read_text("utf-8").split("\n## Or without a gateway\n")[1].split("\n## ")[0]
    app, client, by_hand = (block.partition("```")[0] for block in section.split("```python\n")[1:])
    program = (
        SHOWN.replace("APP", app)
        .replace("CLIENT", client)
        .replace("BY_HAND", indent(by_hand.replace("# By hand\n", ""), "    "))
    )
    printed = run(["-c", program], folder, OPENAI_BASE_URL=openai.url, OPENAI_API_KEY="sk-readme")
    assert printed == ["MISS HIT", "MISS HIT", "Open Settings, choose Security."]


def program_of(page: str) -> tuple[str, list[str]]:
    """The first whole program of a page, and what it says that it prints."""
    for block in (ROOT / page).read_text(encoding="utf-8").split("```python\n")[1:]:
        program, _, rest = block.partition("\n```\n")
        if "asyncio.run(" in program:
            return program, rest.split("```text\n")[1].split("\n```")[0].splitlines()
    raise AssertionError(f"{page} has no program")


def test_the_program_of_the_page_prints_what_the_page_says(folder: Path) -> None:
    program, printed = program_of("docs/by-hand.md")
    assert run(["-W", "error", "-c", program], folder) == printed


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("langchain_cache", ROOT / "examples/langchain_cache.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def cache(example: ModuleType, folder: Path, request: pytest.FixtureRequest) -> Any:
    return example.SemgateCache({"server": {"data_dir": str(folder)}}, scope=request.node.nodeid)


def chat(cache: Any, *answers: AIMessage | str, **more: Any) -> FakeMessagesListChatModel:
    messages = [AIMessage(each) if isinstance(each, str) else each for each in answers]
    return FakeMessagesListChatModel(responses=messages, cache=cache, **more)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_chat_models_answer_is_found_by_other_words_of_its_last_message(cache: Any, asynchronous: bool) -> None:
    model = chat(cache, "first", "second", "third")

    def ask(*messages: Any) -> Any:
        if asynchronous:
            return asyncio.run(model.ainvoke(list(messages))).content
        return model.invoke(list(messages)).content

    role = SystemMessage("You are a bank.")
    assert ask(role, HumanMessage(ASKED, id="an id of its own")) == "first"
    assert ask(role, HumanMessage(NEAR)) == "first"
    assert ask(SystemMessage("You are a pirate."), HumanMessage(NEAR)) == "second"
    assert ask(role, AIMessage("Hello."), HumanMessage(NEAR)) == "third"
    assert ask(role, HumanMessage(NEAR)) == "first"


def test_other_settings_of_a_model_have_other_answers(cache: Any) -> None:
    model = chat(cache, "one", "two", "three")
    assert model.invoke(ASKED).content == "one"
    assert model.invoke(ASKED, stop=["."]).content == "two"
    assert model.invoke(NEAR, stop=["."]).content == "two"
    assert model.invoke(NEAR).content == "one"


def test_what_is_no_text_or_no_question_of_a_user_is_found_by_equal_prompts_only(cache: Any) -> None:
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}])
    conversations = [
        [HumanMessage([{"type": "text", "text": ASKED}])],
        [HumanMessage([{"type": "text", "text": NEAR}])],
        [HumanMessage(ASKED), call, ToolMessage("reset by mail", tool_call_id="1")],
        [HumanMessage(ASKED), call, ToolMessage("reset by mail!", tool_call_id="1")],
    ]
    model = chat(cache, "0", "1", "2", "3")
    for _ in range(2):
        assert [model.invoke(each).content for each in conversations] == ["0", "1", "2", "3"]


def test_a_call_of_a_tool_and_half_an_answer_are_not_kept(cache: Any) -> None:
    call = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}])
    cut = AIMessage("half an", response_metadata={"finish_reason": "length"})
    as_anthropic_has_it = AIMessage("half", response_metadata={"stop_reason": "max_tokens"})
    as_gemini_has_it = AIMessage("a", response_metadata={"finish_reason": "MAX_TOKENS"})
    model = chat(cache, call, cut, as_anthropic_has_it, as_gemini_has_it, "whole")
    assert [model.invoke(ASKED).content for _ in range(6)] == ["", "half an", "half", "a", "whole", "whole"]


def test_half_a_text_is_not_kept_either(cache: Any) -> None:
    cache.update(ASKED, "a model", [Generation(text="half an", generation_info={"finish_reason": "length"})])
    assert cache.lookup(ASKED, "a model") is None
    cache.update(ASKED, "a model", [Generation(text="whole", generation_info={"finish_reason": "stop"})])
    assert cache.lookup(NEAR, "a model") == [Generation(text="whole", generation_info={"finish_reason": "stop"})]


def test_a_text_model_is_answered_too_and_clearing_takes_all_of_the_scope(cache: Any) -> None:
    model = FakeListLLM(responses=["first", "second", "third"], cache=cache)
    assert [model.invoke(each) for each in (ASKED, NEAR)] == ["first", "first"]
    cache.clear(older_than="1h")
    assert model.invoke(NEAR) == "first"
    cache.clear()
    assert model.invoke(ASKED) == "second"
    asyncio.run(cache.aclear())
    assert model.invoke(ASKED) == "third"


def test_every_part_of_a_message_comes_back(cache: Any) -> None:
    usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}
    said = AIMessage("Caf\u00e9 \u2713", response_metadata={"model_name": "small"}, usage_metadata=usage, name="bank")
    model = GenericFakeChatModel(messages=iter([said]), cache=cache)
    first, again = model.invoke(ASKED), model.invoke(NEAR)
    assert (again.content, again.name, again.response_metadata) == (first.content, "bank", first.response_metadata)
    assert again.usage_metadata is not None
    assert again.usage_metadata["total_tokens"] == 12
