"""The gateway that the tests of stored entries ask: one of each kind of route, and two declared clients."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from running import Exchange, Gateway, RawUpstream, completion, http_answer, serve, until

WEB = {"Authorization": "Bearer web-key-0123456789"}
APP = {"x-api-key": "app-key-0123456789"}
RESET = "How do I reset my password?"
RESET_OTHERWISE = "What is the way to reset my password?"
WEATHER = "Will it rain in Lisbon tomorrow?"

CONFIG = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: {namespace}, admin: {{token: TOKEN}}{server}}}
clients:
  - {{name: web, key: web-key-0123456789}}
  - {{name: app, key: app-key-0123456789}}
upstreams:
  llm: {{url: "{url}"}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: llm, preset: openai-chat, scope: client, models: ["gpt-*"],
      thresholds: {{hit: 0.8}}, allow: {{threshold: {{min: 0.5}}}}}}
  - {{name: loose, path: /loose, upstream: llm, preset: json-query, scope: public, thresholds: {{hit: 0.8}},
      tags: [$.documents, "header:X-Tag"], vary: {{ignore: [$.documents]}}, bypass: [$.private]}}
  - {{name: tenant, path: /tenant, upstream: llm, preset: json-query, scope: "header:X-Tenant", thresholds: {{hit: 0.8}}}}
  - {{name: team, path: /team, upstream: llm, preset: json-query, scope: ["header:X-Org", $.team]}}
  - {{name: words, path: /words, upstream: llm, preset: json-query, scope: public, match: exact}}
  - {{name: lang, path: "/lang/{{name}}/ask", upstream: llm, preset: json-query, scope: public,
      vary: {{headers: [Accept-Language]}}}}
  - {{name: search, path: /search, methods: [GET], upstream: llm, query: "query:q", scope: public}}
  - {{name: open, path: /open, upstream: llm, preset: json-query, scope: public, mode: "off"}}
  - {{name: strict, path: /strict, upstream: llm, preset: json-query, scope: public, keep: {{require: [$.choices]}},
      limits: {{max_entries: 100000}}}}
"""

_topics = itertools.count()


@contextmanager
def desk(upstream: RawUpstream, data: Path, folder: Path, namespace: str, server: str = "") -> Iterator[Gateway]:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}"), "Cache-Tag: kept, by-upstream"))

    upstream.behaviour = answer
    config = CONFIG.format(data=data, url=upstream.url, namespace=namespace, server=server)
    with serve(folder, config) as gateway:
        yield gateway


def topic() -> str:
    """A member that makes a partition of its own."""
    return f"topic-{next(_topics)}"


def ask(gateway: Gateway, path: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    sent = {name.encode(): value.encode() for name, value in {**WEB, **(headers or {})}.items()}
    return gateway.http.post(path, json=body, headers=sent)


def keep(gateway: Gateway, path: str, body: Any, headers: dict[str, str] | None = None) -> str:
    """Ask what is not known yet; the id of the entry that it became, once its row is there (memory has it sooner)."""
    first = ask(gateway, path, body, headers)
    assert first.headers["x-cache"] == "MISS", first.headers
    again = ask(gateway, path, body, headers)
    assert again.headers["x-cache"] == "HIT", again.headers
    entry = again.headers["x-cache-entry"]
    until(lambda: gateway.admin("GET", f"entries/{entry}").status_code == 200, "the row is not there")
    return entry


def look(gateway: Gateway, **question: Any) -> dict[str, Any]:
    answer = gateway.admin("POST", "lookup", question)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(gateway: Gateway, **wanted: Any) -> list[dict[str, Any]]:
    """All entries, page by page."""
    entries: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        asked = {**wanted, **({"after": after} if after else {})}
        page = gateway.admin("GET", "entries", params=asked).json()
        entries += page["entries"]
        after = page["next"]
        if after is None:
            return entries


def purge(gateway: Gateway, **order: Any) -> dict[str, int]:
    answer = gateway.admin("POST", "purge", order)
    assert answer.status_code == 200, answer.text
    result: dict[str, int] = answer.json()
    return result
