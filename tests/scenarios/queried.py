"""A gateway with routes of `kind: query`, and the model that they ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from running import Exchange, Gateway, RawUpstream, completion, http_answer, serve

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: query, admin: {{token: TOKEN}}}}
prices: {{"gpt-*": {{prompt: 1, completion: 2}}}}
stores: {{memory: {{max_bytes: 0}}}}
clients: [{{name: web, key: web-key}}, {{name: app, key: app-key}}]
upstreams:
  llm: {{url: "{url}", headers: {{Authorization: "Bearer upstream-key"}}}}
  down: {{url: "http://127.0.0.1:9", timeout: {{connect: 500ms}}}}
routes:
  - {{name: ask, path: /query, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public}}
  - {{name: own, path: /own, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: client}}
  - {{name: user, path: /user, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: $.user}}
  - {{name: lower, path: /lower, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public,
      thresholds: {{hit: 0.99}}, allow: {{threshold: {{min: 0.7}}}}}}
  - {{name: strict, path: /strict, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, thresholds: {{hit: 0.99}}}}
  - {{name: deaf, path: /deaf, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, match: exact,
      allow: {{cache-control: []}}}}
  - {{name: generate, path: /ask, kind: query, upstream: llm, upstream_path: /generate, scope: public,
      ask: {{body: {{inputs: "Be brief. {{query}}", parameters: {{n: 1}}}}, answer: "$.generated[*].text"}}, response: {{headers: {{X-Route: generate}}}}}}
  - {{name: down, path: /down, kind: query, upstream: down, ask: {{model: gpt-4o-mini}}, scope: public}}
  - {{name: stale, path: /stale, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, ttl: 100ms, stale_if_error: 1h}}
  - {{name: refused, path: /refused, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, max_body: 1KiB,
      deny: [{{text: "What is the admin password?", then: refuse, answer: "We do not tell."}}]}}
  - {{name: off, path: /off, kind: query, upstream: llm, ask: {{model: gpt-4o-mini}}, scope: public, mode: "off"}}
  - {{name: shadow, path: /shadow, kind: query, upstream: llm, upstream_path: /generate, scope: public, mode: shadow,
      ask: {{body: {{inputs: "{{query}}"}}, answer: "$.generated[0].text"}}}}
"""
WEB = {"Authorization": "Bearer web-key"}
APP = {"Authorization": "Bearer app-key"}


class Model:
    """Answers with the number of the question it was asked, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Exchange] = []
        self.answer: Any = None

    async def behave(self, exchange: Exchange) -> None:
        self.asked.append(exchange)
        if self.answer is not None:
            await self.answer(exchange)
            return
        text = f"answer {len(self.asked)}"
        if b"/generate" in exchange.request_line:
            await exchange.send(
                http_answer({"generated": [{"text": text}, {"text": "."}], "request_no": len(self.asked)})
            )
        else:
            await exchange.send(http_answer(completion(text), "X-Request-Id: r1", "Set-Cookie: __cf_bm=1"))

    def last(self) -> Any:
        return json.loads(self.asked[-1].body)


@contextmanager
def queried(upstream: RawUpstream, model: Model, data_dir: Path, folder: Path) -> Iterator[Gateway]:
    upstream.behaviour = model.behave
    with serve(folder, CONFIG.format(data=data_dir, url=upstream.url), ready=False) as running:
        yield running


def ask(gateway: Gateway, path: str, query: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    return gateway.ask(path, {"query": query, **more}, {**WEB, **(headers or {})})
