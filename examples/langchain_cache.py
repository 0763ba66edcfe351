"""LangChain's answers from semgate's cache, in the program itself: no gateway runs.

    pip install semgate langchain-openai
    OPENAI_API_KEY=... python examples/langchain_cache.py

LangChain hands its caches a prompt and `llm_string`, which says everything else that the answer depends on: the model, its
settings, the tools. Here `llm_string` must be equal, and so must all messages but the last; the last, the user's, may be
worded otherwise.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.caches import RETURN_VAL_TYPE, BaseCache
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation

from gateway import Found, SemanticCache, SyncSemanticCache

# What an entry can hold: nothing else is ever made of what comes out of a store.
GENERATIONS = [Generation, ChatGeneration, AIMessage]
# As OpenAI, Anthropic and Gemini have it.
CUT_OFF = ("length", "max_tokens", "content_filter", "refusal", "safety", "model_context_window_exceeded")

warnings.filterwarnings("ignore", "The function `loads` is in beta")


class Asked(NamedTuple):
    """What may be worded otherwise, and what must be equal."""

    question: str
    context: list[Any]


def read(prompt: str, llm_string: str) -> Asked:
    """A chat model's prompt is a JSON list of messages, another model's the text itself."""
    match _messages(prompt):
        case None:
            return Asked(prompt, [llm_string])
        case [*before, {"id": [*_, "HumanMessage"], "kwargs": {"content": str(question), **more}}]:
            return Asked(question, [llm_string, before, more])
        case _:
            return Asked(prompt, [llm_string, prompt])  # images, or a tool's result: no other prompt is like it


def _messages(prompt: str) -> list[Any] | None:
    try:
        messages = json.loads(prompt)
    except ValueError:
        return None
    is_list = isinstance(messages, list) and bool(messages)
    return messages if is_list and all(isinstance(each, dict) and "lc" in each for each in messages) else None


def is_whole(generation: Generation) -> bool:
    """Neither cut off, nor a wish to call a tool, which is about this very conversation."""
    told = generation.generation_info or {}
    if isinstance(generation, ChatGeneration):
        message = generation.message
        if not isinstance(message, AIMessage) or message.tool_calls:
            return False
        told = {**told, **message.response_metadata}
    reasons = (str(told.get(name)).lower() for name in ("finish_reason", "stop_reason", "done_reason"))
    return not any(reason in CUT_OFF for reason in reasons)


class SemgateCache(BaseCache):
    """A cache for `set_llm_cache`, or for one model (`cache=`). `config` as for `SemanticCache`; `scope`: who shares answers."""

    def __init__(self, config: str | Path | dict[str, Any] | None = None, *, scope: str = "langchain") -> None:
        self._waiting, self._awaited = SyncSemanticCache(config), SemanticCache(config)
        self._scope = scope

    def lookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        asked = read(prompt, llm_string)
        return _generations(self._waiting.search(asked.question, context=asked.context, scope=self._scope))

    def update(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        asked = read(prompt, llm_string)
        if all(map(is_whole, return_val)):
            self._waiting.set(asked.question, dumps(return_val), context=asked.context, scope=self._scope)

    def clear(self, **kwargs: Any) -> None:
        """All answers of this scope; `tags=`, `older_than=` and what else `purge` takes choose among them."""
        self._waiting.purge(scope=self._scope, **kwargs)

    async def alookup(self, prompt: str, llm_string: str) -> RETURN_VAL_TYPE | None:
        asked = read(prompt, llm_string)
        return _generations(await self._awaited.search(asked.question, context=asked.context, scope=self._scope))

    async def aupdate(self, prompt: str, llm_string: str, return_val: RETURN_VAL_TYPE) -> None:
        asked = read(prompt, llm_string)
        if all(map(is_whole, return_val)):
            await self._awaited.set(asked.question, dumps(return_val), context=asked.context, scope=self._scope)

    async def aclear(self, **kwargs: Any) -> None:
        await self._awaited.purge(scope=self._scope, **kwargs)


def _generations(found: list[Found]) -> RETURN_VAL_TYPE | None:
    return loads(found[0].answer, allowed_objects=GENERATIONS) if found else None


def main() -> None:
    from langchain_core.globals import set_llm_cache
    from langchain_openai import ChatOpenAI

    set_llm_cache(SemgateCache())
    model = ChatOpenAI(model="gpt-4o-mini", temperature=0)
    for question in ("How do I reset my password?", "What is the way to reset my password?"):
        print(model.invoke([("system", "Answer in one sentence."), ("human", question)]).content)


if __name__ == "__main__":
    main()
