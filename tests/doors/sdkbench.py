"""The SDKs whose clients take a transport, each asked one question in its own way, and imitated APIs for them.

The APIs are those of `tests/clients`, here behind the paths that the clouds put before them, and with their ways of
sending a key. An Sdk is asked through a client of its library, so what the cache said is read off that client's responses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import anthropic
import httpx
import httpx2
import openai
from apis import PATHS, Apis, answer_to, read, wire
from mistralai.client import Mistral
from running import Exchange

from gateway.doors.httpx import AsyncCacheTransport, CacheTransport

QUESTION = "How do I reset my password?"
OTHER_WORDS = "What is the way to reset my password?"


class Clouds(Apis):
    """The imitated APIs, at any path that ends as theirs do. A key may come as `api-key` as well."""

    async def behave(self, exchange: Exchange) -> None:
        call = read(exchange)
        ending = next((path for path in PATHS if call.path.endswith(path.removeprefix(b"/v1"))), call.path)
        key = call.key or b"".join(exchange.values(b"api-key")).decode() or "nobody"
        call = replace(call, path=ending, key=key)
        self.asked.setdefault(key, []).append(call)
        if b"mistral" in b"".join(exchange.values(b"user-agent")):  # tells the usage of streams unasked
            call.body["stream_options"] = {"include_usage": True}
        for piece in wire(answer_to(call), zipped=call.takes_gzip):
            await exchange.send(piece)


@dataclass(frozen=True)
class Sdk:
    """`library` is the one whose clients it takes; `sync` and `asynchronous` ask at a URL with a key, a text, a stream or
    not, through such a client, and return the text of the answer."""

    name: str
    library: Any
    sync: Callable[[str, str, str, bool, Any], str]
    asynchronous: Callable[[str, str, str, bool, Any], Awaitable[str]]


def _messages(text: str) -> Any:
    return [{"role": "user", "content": text}]


def _chat(kind: Callable[..., Any]) -> Callable[[str, str, str, bool, Any], str]:
    def ask(url: str, key: str, text: str, stream: bool, http: Any) -> str:
        client = kind(url, key, http)
        if not stream:
            return str(client.chat.completions.create(model="m", messages=_messages(text)).choices[0].message.content)
        with client.chat.completions.create(model="m", messages=_messages(text), stream=True) as chunks:
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    return ask


def _chat_async(kind: Callable[..., Any]) -> Callable[[str, str, str, bool, Any], Awaitable[str]]:
    async def ask(url: str, key: str, text: str, stream: bool, http: Any) -> str:
        client = kind(url, key, http)
        asked = {"model": "m", "messages": _messages(text)}
        if not stream:
            return str((await client.chat.completions.create(**asked)).choices[0].message.content)
        async with await client.chat.completions.create(**asked, stream=True) as chunks:
            return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    return ask


def _openai(url: str, key: str, http: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, http_client=http, max_retries=0)


def _openai_async(url: str, key: str, http: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, http_client=http, max_retries=0)


def _openrouter(url: str, key: str, http: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/api/v1", api_key=key, http_client=http, max_retries=0)


def _openrouter_async(url: str, key: str, http: Any) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/api/v1", api_key=key, http_client=http, max_retries=0)


def _azure(url: str, key: str, http: Any) -> openai.AzureOpenAI:
    return openai.AzureOpenAI(
        azure_endpoint=url, api_key=key, api_version="2025-01-01", http_client=http, max_retries=0
    )


def _azure_async(url: str, key: str, http: Any) -> openai.AsyncAzureOpenAI:
    return openai.AsyncAzureOpenAI(
        azure_endpoint=url, api_key=key, api_version="2025-01-01", http_client=http, max_retries=0
    )


def _responses(url: str, key: str, text: str, stream: bool, http: Any) -> str:
    client = _openai(url, key, http)
    if not stream:
        return client.responses.create(model="m", input=text).output_text
    with client.responses.create(model="m", input=text, stream=True) as events:
        return "".join(event.delta for event in events if event.type == "response.output_text.delta")


async def _responses_async(url: str, key: str, text: str, stream: bool, http: Any) -> str:
    client = _openai_async(url, key, http)
    if not stream:
        return (await client.responses.create(model="m", input=text)).output_text
    async with await client.responses.create(model="m", input=text, stream=True) as events:
        return "".join([event.delta async for event in events if event.type == "response.output_text.delta"])


def _anthropic(url: str, key: str, text: str, stream: bool, http: Any) -> str:
    client = anthropic.Anthropic(base_url=url, api_key=key, http_client=http, max_retries=0)
    asked: Any = {"model": "m", "max_tokens": 99, "messages": _messages(text)}
    if not stream:
        said: Any = client.messages.create(**asked)
        return str(said.content[0].text)
    with client.messages.stream(**asked) as events:
        return "".join(events.text_stream)


async def _anthropic_async(url: str, key: str, text: str, stream: bool, http: Any) -> str:
    client = anthropic.AsyncAnthropic(base_url=url, api_key=key, http_client=http, max_retries=0)
    asked: Any = {"model": "m", "max_tokens": 99, "messages": _messages(text)}
    if not stream:
        said: Any = await client.messages.create(**asked)
        return str(said.content[0].text)
    async with client.messages.stream(**asked) as events:
        return "".join([piece async for piece in events.text_stream])


def _mistral(url: str, key: str, text: str, stream: bool, http: Any) -> str:
    client = Mistral(api_key=key, server_url=url, client=http)
    asked: Any = {"model": "m", "messages": _messages(text)}
    if not stream:
        return str(client.chat.complete(**asked).choices[0].message.content)  # type: ignore[union-attr]
    with client.chat.stream(**asked) as events:
        return "".join(str(event.data.choices[0].delta.content or "") for event in events if event.data.choices)


async def _mistral_async(url: str, key: str, text: str, stream: bool, http: Any) -> str:
    client = Mistral(api_key=key, server_url=url, async_client=http)
    asked: Any = {"model": "m", "messages": _messages(text)}
    if not stream:
        return str((await client.chat.complete_async(**asked)).choices[0].message.content)  # type: ignore[union-attr]
    async with await client.chat.stream_async(**asked) as events:
        return "".join([str(event.data.choices[0].delta.content or "") async for event in events if event.data.choices])


OPENAI = Sdk("openai", httpx2, _chat(_openai), _chat_async(_openai_async))
SDKS = [
    OPENAI,
    Sdk("openai, httpx 0.28", httpx, _chat(_openai), _chat_async(_openai_async)),
    Sdk("openrouter", httpx2, _chat(_openrouter), _chat_async(_openrouter_async)),
    Sdk("azure", httpx2, _chat(_azure), _chat_async(_azure_async)),
    Sdk("openai responses", httpx2, _responses, _responses_async),
    Sdk("anthropic", httpx2, _anthropic, _anthropic_async),
    Sdk("mistral", httpx2, _mistral, _mistral_async),
]


@contextmanager
def sync_client(library: Any, transport: CacheTransport) -> Iterator[tuple[Any, list[Any]]]:
    """A client around this transport, and the responses that it had."""
    responses: list[Any] = []
    with library.Client(transport=transport, event_hooks={"response": [responses.append]}) as client:
        yield client, responses


@asynccontextmanager
async def async_client(library: Any, transport: AsyncCacheTransport) -> AsyncIterator[tuple[Any, list[Any]]]:
    responses: list[Any] = []

    async def seen(response: Any) -> None:
        responses.append(response)

    async with library.AsyncClient(transport=transport, event_hooks={"response": [seen]}) as client:
        yield client, responses


Asked = tuple[list[str], list[Any]]


def ask_in_turn(sdk: Sdk, flavour: str, url: str, key: str, asked: list[tuple[str, bool]], config: Any = None) -> Asked:
    """Ask these texts one after another (each as a stream or not): the answers, and the responses they were read from."""
    if flavour == "sync":
        with sync_client(sdk.library, CacheTransport(config)) as (client, responses):
            return [sdk.sync(url, key, text, stream, client) for text, stream in asked], responses

    async def asking() -> Asked:
        async with async_client(sdk.library, AsyncCacheTransport(config)) as (client, responses):
            return [await sdk.asynchronous(url, key, text, stream, client) for text, stream in asked], responses

    return asyncio.run(asking())


def told(response: Any) -> Any:
    """What the cache said of it; None: it was not asked."""
    return response.extensions.get("semgate")
