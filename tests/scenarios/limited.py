"""Two gateways that share their stores, and clients with limits: what the scenarios of limits stand on."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent / "stores"))

from running import Exchange, Gateway, RawUpstream, chat, completion, http_answer, serve
from servers import redis_server

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: {namespace}, admin: {{token: TOKEN}}, access_log: true}}
{stores}
upstreams: {{llm: {{url: "{url}"}}}}
prices: {{"gpt-4o*": {{prompt: 10000, completion: 20000}}, "cheap": {{prompt: 0.01}}}}
clients:
{clients}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public, models: ["gpt-*", "alias"]}}
  - {{name: chat-other, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: public}}
  - {{name: messages, path: /v1/messages, upstream: llm, preset: anthropic-messages, scope: public}}
  - {{name: ollama, path: /api/chat, upstream: llm, preset: ollama-chat, scope: public}}
  - {{name: off, path: /off, upstream: llm, preset: openai-chat, mode: "off", scope: public}}
  - {{name: abort, path: /abort, upstream: llm, preset: openai-chat, scope: public, on_disconnect: abort}}
  - {{name: renewed, path: /renewed, upstream: llm, preset: openai-chat, scope: public, ttl: 100ms,
      stale_while_revalidate: 1h}}
  - {{name: plain, path: /plain, upstream: llm, preset: json-query, scope: public, vary: {{ignore: [$.n]}}}}
"""

FIVE = "limits: {requests_per_minute: 5}"
DOLLARS = "limits: {dollars_per_month: 0.2}"
FREE = "free"

numbers = itertools.count()


def config(upstream: RawUpstream, data_dir: Path, namespace: str, limits: dict[str, str], redis: str = "") -> str:
    """`limits` by client; FREE has none. Requests are counted in Redis if there is a URL of one, else in PostgreSQL."""
    declared = {FREE: "limits: {}", **limits}
    clients = "\n".join(f"  - {{name: {name}, key: {key(name)}, {limit}}}" for name, limit in declared.items())
    stores = f"stores: {{redis: {{url: {redis!r}, timeout: 2s}}}}" if redis else ""
    return CONFIG.format(data=data_dir, url=upstream.url, namespace=namespace, stores=stores, clients=clients)


def key(name: str) -> str:
    return f"key-of-{name}-0123456789abcdef"


def question(**more: Any) -> dict[str, Any]:
    """One that nobody asked before, and that is like no other."""
    return chat("is it a number?", seed=next(numbers), **more)


class Limited:
    """Two gateways that share their stores, and clients with limits: each is given out once, so that none meets what
    another used.
    """

    def __init__(self, gateways: tuple[Gateway, Gateway], limits: dict[str, str]) -> None:
        self.gateways = gateways
        self._kinds = {limit: [name for name in limits if limits[name] == limit] for limit in set(limits.values())}

    def client(self, limit: str) -> Client:
        return Client(self, self._kinds[limit].pop())


class Client:
    def __init__(self, limited: Limited, name: str) -> None:
        self._gateways = limited.gateways
        self.name = name
        self.headers = {"Authorization": f"Bearer {key(name)}"}

    def ask(
        self, body: Any = None, path: str = "/v1/chat/completions", which: int = 0, **headers: str
    ) -> httpx.Response:
        return self._gateways[which].ask(path, question() if body is None else body, {**self.headers, **headers})


@contextmanager
def two_gateways(
    upstream: RawUpstream, data_dir: Path, folder: Path, kind: str, clients: list[str]
) -> Iterator[Limited]:
    """Counting in "redis" or "postgres"; one client for each limit in `clients`."""
    limits = {f"client-{number}": limit for number, limit in enumerate(clients)}
    with ExitStack() as stack:
        url = stack.enter_context(redis_server()).url if kind == "redis" else ""
        text = config(upstream, data_dir, f"{folder.name}-{kind}", limits, url)
        one, other = (stack.enter_context(serve(folder, text)) for _ in range(2))
        yield Limited((one, other), limits)
        assert [one.stop(), other.stop()] == [0, 0]
        logged = (one.logged() + other.logged()).splitlines()
        assert not [line for line in logged if "Traceback" in line or "Task" in line]


async def priced_answer(exchange: Exchange) -> None:
    """9 tokens and 3, which are 0.15 dollars of gpt-4o."""
    await exchange.send(http_answer(completion(f"answer {exchange.nth}")))


def remaining(answer: httpx.Response, kind: str) -> float:
    return float(answer.headers[f"x-ratelimit-remaining-{kind}"])
