"""Any endpoint that speaks OpenAI's embeddings API (OpenAI, Azure, Ollama, vLLM, TEI, LiteLLM), through OpenAI's own client.

Such servers may cut a long text silently, so every answer's token count is checked (`remote.check_usage`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.embedders.remote import OnTokens, check_size, check_usage, read_embedding, refusal, unpaid
from gateway.embedders.vector import NORMALISER, unit
from gateway.errors import EmbedError
from gateway.inference.openai import Late, OpenAIServer, Raw, Refused, Unreachable
from gateway.inference.server import place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from openai import AsyncOpenAI, Omit

    from gateway.core.messages import Vector

WELL_KNOWN = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


class OpenAIEmbedder:
    """An embedder behind HTTP.

    Args:
        model: as the endpoint knows it.
        base_url: usually ends in `/v1`.
        api_key: empty: no Authorization header is sent, whatever the environment says.
        dimensions: ask for shortened vectors; None: the model's own.
        window: most tokens of a text.
        connections: calls in flight at once; further ones wait.
        timeout: seconds until a call is given up.
        on_tokens: told what each call cost in tokens, where the answer says so.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key: str = "",
        dimensions: int | None = None,
        window: int = 8191,
        connections: int = 16,
        timeout: float = 1.0,
        on_tokens: OnTokens = unpaid,
    ) -> None:
        self._model = model
        self._asked = dimensions
        self._window = window
        self._on_tokens = on_tokens
        self._line = asyncio.Semaphore(connections)
        self._server = OpenAIServer(
            f"openai embedder {model!r}", base_url=base_url, api_key=api_key, timeout=timeout, resource="embeddings"
        )
        self.dimensions = dimensions or (WELL_KNOWN.get(model) if place(base_url) == "api.openai.com" else None)

    @property
    def identity(self) -> str:
        """The model by name: two servers that offer one model under one name share a vector space."""
        return f"openai:{self._model}:{self._asked or 'own'}:{NORMALISER}"

    async def open(self) -> None:
        """Import the client; asks nothing of the network. Raises EmbedError once closed."""
        try:
            await self._server.open()
        except Unreachable as trouble:
            raise EmbedError(str(trouble)) from None

    async def embed(self, text: str) -> Vector:
        """Raises TextUnfit where the text was not surely seen whole, else EmbedError."""
        check_size(text, self._window)
        async with self._line:
            values, tokens = read_embedding(await self._ask(text))
        if tokens:
            self._on_tokens(tokens)
        check_usage(text, self._window, tokens)
        vector = unit(values, self.dimensions)
        self.dimensions = len(vector) // 4
        return vector

    async def ping(self) -> None:
        """Embeds one word: nothing less proves the key and the model."""
        await self.embed("ping")

    async def close(self) -> None:
        await self._server.close()

    async def _ask(self, text: str) -> bytes:
        def create(client: AsyncOpenAI, headers: Mapping[str, str | Omit] | None) -> Awaitable[Raw]:
            create = client.embeddings.with_raw_response.create
            if self._asked is None:
                return create(model=self._model, input=text, extra_headers=headers)
            return create(model=self._model, input=text, extra_headers=headers, dimensions=self._asked)

        try:
            return await self._server.ask(create)
        except Refused as answer:
            raise refusal(self._server.who, answer.status, answer.message, answer.code) from None
        except (Late, Unreachable) as trouble:
            raise EmbedError(str(trouble)) from None
