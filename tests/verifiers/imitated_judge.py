"""A chat API on loopback that answers as it is told, remembers what it was asked, and counts a word as a token."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from aiohttp import web

from gateway.core.messages import Near
from gateway.verifiers.llm import LlmVerifier

ASKED = "How do I enable two-factor authentication?"
OTHER = Near("How can I switch on 2FA?", 0.93)
KEY = "sk-test-0123456789"
Opened = Callable[..., AbstractAsyncContextManager[LlmVerifier]]
QUOTED = re.compile(r"<questions>\n(.*)\n</questions>")


class ChatApi:
    """`/v1/chat/completions`."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.says: Any = "yes"
        self.choice: dict[str, Any] = {}
        self.usage: dict[str, int] | None = {"prompt_tokens": 200, "completion_tokens": 1, "total_tokens": 201}
        self.answer: web.Response | None = None
        self.gate: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        if self.gate is not None:
            await self.gate.wait()
        if self.answer is not None:
            return web.Response(status=self.answer.status, body=self.answer.body, content_type=self.answer.content_type)
        message = {"role": "assistant", "content": self.says}
        choice = {"index": 0, "message": message, "finish_reason": "stop", **self.choice}
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": body["model"], "choices": [choice]}
        return web.json_response(answer | ({"usage": self.usage} if self.usage else {}))

    def questions(self, call: int = -1) -> dict[str, str]:
        """The pair as a reader of the whole user message finds it: marks at both ends, and one line of JSON between them."""
        system, user = self.asked[call]["messages"]
        assert (system["role"], user["role"]) == ("system", "user")
        found = QUOTED.fullmatch(user["content"])
        assert found is not None
        pair: dict[str, str] = json.loads(found[1])
        return pair


def judging(serve_chat: Any, api: ChatApi) -> Opened:
    """`async with opened(**settings) as verifier`: one in front of the API, with what a test does not say."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[LlmVerifier]:
        async with serve_chat(api.handle) as url:
            verifier = LlmVerifier(**{"model": "judge", "base_url": url, "timeout": 20.0, **settings})
            try:
                yield verifier
            finally:
                await verifier.close()

    return opened


def run(scenario: Any) -> None:
    asyncio.run(scenario())


class Clock:
    """Unix seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000 * 86_400.0

    def __call__(self) -> float:
        return self.now
