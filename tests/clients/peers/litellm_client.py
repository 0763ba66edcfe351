"""The LiteLLM client as a worker, run by an environment of its own: a question per line of stdin (the arguments of
`completion`, with `async` beside them), what it made of the answer per line of stdout: `headers` and `parsed`, or `error`.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import litellm


def ask(question: dict[str, Any]) -> dict[str, Any]:
    answer = litellm.completion(**question)
    answers = list(answer) if question.get("stream") else [answer]
    return heard(answer, answers)


async def ask_async(question: dict[str, Any]) -> dict[str, Any]:
    answer = await litellm.acompletion(**question)
    answers = [chunk async for chunk in answer] if question.get("stream") else [answer]
    return heard(answer, answers)


def heard(answer: Any, answers: list[Any]) -> dict[str, Any]:
    return {"headers": dict(answer._response_headers), "parsed": [each.model_dump() for each in answers]}


def main() -> None:
    litellm.suppress_debug_info = True
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            question = json.loads(line)
            try:
                said = runner.run(ask_async(question)) if question.pop("async") else ask(question)
            except litellm.exceptions.APIError as error:
                said = {"error": f"{type(error).__name__}: {error}"}
            except litellm.exceptions.NotFoundError as error:
                said = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(said), flush=True)


main()
