"""An upstream that knows answers, and what tests of shadow mode and audits ask of a gateway in front of it."""

from __future__ import annotations

import json
from typing import Any

import httpx
from running import Exchange, Gateway, RawUpstream, chat, completion, events, http_answer, stream, until

SERVER = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: {namespace}, workers: {workers}, watch: 200ms, admin: {{token: TOKEN}}}}
prices: {{gpt-4o: {{prompt: 1000, completion: 2000}}}}
upstreams: {{llm: {{url: "{url}", timeout: {{first_byte: 5s, idle: 5s}}}}}}
"""

RESET = "How do I reset the password of my account?"
RESET_TOO = "How do I reset my account's password?"
RESET_ANSWER = "Open Settings, choose Security and then Reset password. You get an e-mail with a link."
RESET_ANSWER_TOO = "Go to Settings > Security and press Reset password; we send you a link by e-mail."
ON = "How do I turn on the alarm?"
ON_ANSWER = "To turn on the alarm, close all windows, enter your code 4711 and press Arm."
OFF = "How do I turn off the alarm?"
OFF_ANSWER = "To turn off the alarm, enter your code 4711 and press Disarm within 30 seconds."


class Knowing:
    """Answers by question, as chat completions. `asked` are the questions in the order in which they came; as a
    judge, about which it was shown `judged`, it gives one verdict on all."""

    def __init__(self, upstream: RawUpstream, answers: dict[str, str]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.judged: list[list[dict[str, str]]] = []
        self.verdict = "yes"
        self.status = "200 OK"
        upstream.behaviour = self.behave

    async def behave(self, exchange: Exchange) -> None:
        body: dict[str, Any] = json.loads(exchange.body)
        question = body["messages"][-1]["content"]
        if question.startswith("<questions>"):  # a judge is asked
            self.judged.append(body["messages"])
            await exchange.send(http_answer(completion(self.verdict)))
            return
        self.asked.append(question)
        said = self.answers.get(question, f"I know nothing of {question!r}.")
        if body.get("stream"):
            await stream(events(*(f"{word} " for word in said.split())))(exchange)
        else:
            usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
            await exchange.send(http_answer(completion(said, usage=usage), status=self.status))


class Route:
    """One route of a gateway, with nothing in it yet."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        self.gateway = gateway
        self.name = name

    def ask(self, question: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        """Over a connection of its own, so that any worker may take it."""
        body = chat(question, **more)
        return httpx.post(f"{self.gateway.url}/{self.name}", json=body, headers=headers, timeout=30, verify=False)

    def metric(self, name: str, **labels: str) -> float:
        return self.gateway.metric(f"semgate_{name}_total", route=self.name, **labels)

    def judges(self, count: float, **labels: str) -> None:
        """So many were judged."""
        what = f"no judgements {labels}: {self.gateway.logged()}"
        until(lambda: self.metric("judgements", **labels) >= count, what, 15)
        assert self.metric("judgements", **labels) == count

    def entries(self) -> list[str]:
        found = self.gateway.admin("GET", f"entries?route={self.name}").json()["entries"]
        return [entry["id"] for entry in found]


def routes(count: int, settings: str) -> str:
    """Routes with these settings, one for each test."""
    lines = [
        f"  - {{name: r{nth}, path: /r{nth}, upstream: llm, preset: openai-chat, scope: public, {settings}}}"
        for nth in range(count)
    ]
    return "\n".join(["routes:", *lines, ""])


def said(answer: httpx.Response) -> str:
    content: str = answer.json()["choices"][0]["message"]["content"]
    return content
