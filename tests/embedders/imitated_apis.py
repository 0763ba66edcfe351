"""The embedders' APIs as an imitation on loopback speaks them, with a hashing embedder behind each.

Each counts one word as one token, in a window of 100, remembers what it was asked, and answers something else when told to.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import numpy as np
from aiohttp import web

from gateway.embedders.cohere import CohereEmbedder
from gateway.embedders.openai import OpenAIEmbedder
from gateway.embedders.voyage import VoyageEmbedder

WINDOW = 100
COHERE_KEY = "co-test-0123456789"
VOYAGE_KEY = "pa-test-0123456789"
Opened = Callable[..., AbstractAsyncContextManager[Any]]


class EmbeddingsApi:
    """`/v1/embeddings` with a hashing embedder behind it. One token is one word, in a window of 100."""

    def __init__(self, hashed: Callable[..., np.ndarray]) -> None:
        self.hashed = hashed
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self.base64 = True
        self.usage: dict[str, int] | str | None = "words"
        self.cuts = False
        self.answer: web.Response | None = None
        self.gate: asyncio.Event | None = None
        self.most_at_once = 0
        self._at_once = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization"))
        self.headers.append(dict(request.headers))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            return self.answer or self._embed(body)
        finally:
            self._at_once -= 1

    def _embed(self, body: dict[str, Any]) -> web.Response:
        words = body["input"].split()
        if len(words) > WINDOW:
            if not self.cuts:
                message = f"This model's maximum context length is {WINDOW} tokens, however you requested {len(words)}"
                return refuse(400, message, "context_length_exceeded")
            words = words[:WINDOW]
        vector = self.hashed(" ".join(words), body.get("dimensions", 64))
        wanted = self.base64 and body.get("encoding_format") == "base64"
        embedding = base64.b64encode(vector.astype("<f4").tobytes()).decode() if wanted else vector.tolist()
        answer = {
            "object": "list",
            "model": body["model"],
            "data": [{"object": "embedding", "index": 0, "embedding": embedding}],
        }
        if self.usage is not None:
            count = {"prompt_tokens": len(words), "total_tokens": len(words)}
            answer["usage"] = count if self.usage == "words" else self.usage
        return web.json_response(answer)


def refuse(status: int, message: str, code: str | None = None) -> web.Response:
    return web.json_response({"error": {"message": message, "type": "t", "code": code}}, status=status)


class ListApi:
    """What the APIs that take a list of texts have in common here."""

    def __init__(self, hashed: Callable[..., np.ndarray]) -> None:
        self.hashed = hashed
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.callers: set[int] = set()
        self.answer: web.Response | None = None
        self.gate: asyncio.Event | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization"))
        assert request.transport is not None
        self.callers.add(request.transport.get_extra_info("peername")[1])
        if self.gate is not None:
            await self.gate.wait()
        return self.answer or self.embed(body)

    def embed(self, body: dict[str, Any]) -> web.Response:
        raise NotImplementedError


class CohereApi(ListApi):
    """`/v2/embed`: cuts the end unless told `truncate: NONE`. One token is one word."""

    def embed(self, body: dict[str, Any]) -> web.Response:
        (text,) = body["texts"]
        words = text.split()
        if len(words) > WINDOW:
            if body.get("truncate", "END") == "NONE":
                message = f"invalid request: too many tokens: {len(words)} tokens exceed the maximum of {WINDOW}"
                return web.json_response({"id": "1", "message": message}, status=400)
            words = words[:WINDOW]
        vector = self.hashed(" ".join(words), body.get("output_dimension", 64))
        meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": len(words)}}
        embeddings = {kind: [vector.tolist()] for kind in body["embedding_types"]}
        return web.json_response({"id": "1", "embeddings": embeddings, "texts": [text], "meta": meta})


class VoyageApi(ListApi):
    """`/v1/embeddings` as Voyage has it: base64 on request, cuts unless told not to. One token is one word."""

    def embed(self, body: dict[str, Any]) -> web.Response:
        (text,) = body["input"]
        words = text.split()
        if len(words) > WINDOW:
            if not body["truncation"]:
                detail = (
                    f"Request to model '{body['model']}' failed. The example at index 0 in your batch has too many "
                    f"tokens and does not fit into the model's context window of {WINDOW} tokens."
                )
                return web.json_response({"detail": detail}, status=400)
            words = words[:WINDOW]
        vector = self.hashed(" ".join(words), body.get("output_dimension") or 64)
        as_base64 = body.get("encoding_format") == "base64"
        embedding = base64.b64encode(vector.astype("<f4").tobytes()).decode() if as_base64 else vector.tolist()
        data = [{"object": "embedding", "embedding": embedding, "index": 0}]
        usage = {"total_tokens": len(words)}
        return web.json_response({"object": "list", "data": data, "model": body["model"], "usage": usage})


def openai_embedder(serve: Any, api: EmbeddingsApi) -> Opened:
    """`async with opened(**settings) as embedder`: one in front of the API, with what a test does not say. So below."""
    usual = {"model": "hash", "window": WINDOW, "timeout": 20.0}
    return _opening(OpenAIEmbedder, serve, "/v1/embeddings", api, "/v1", usual)


def cohere_embedder(serve: Any, api: CohereApi) -> Opened:
    usual = {"model": "embed-test", "api_key": COHERE_KEY, "timeout": 20.0}
    return _opening(CohereEmbedder, serve, "/v2/embed", api, "/", usual)


def voyage_embedder(serve: Any, api: VoyageApi) -> Opened:
    usual = {"model": "voyage-test", "api_key": VOYAGE_KEY, "timeout": 20.0}
    return _opening(VoyageEmbedder, serve, "/v1/embeddings", api, "/v1", usual)


def _opening(make: Callable[..., Any], serve: Any, path: str, api: Any, base: str, usual: dict[str, Any]) -> Opened:
    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Any]:
        async with serve(path, api.handle) as url:
            embedder = make(**{"base_url": url + base, **usual, **settings})
            try:
                yield embedder
            finally:
                await embedder.close()

    return opened
