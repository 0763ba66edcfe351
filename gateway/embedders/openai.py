"""Any endpoint that speaks OpenAI's embeddings API (OpenAI, Azure, Ollama, vLLM, TEI, LiteLLM), through OpenAI's own client.

The client is imported at `open`, off the event loop: it takes half a second and 50 MB, which gateways without it save. It
never retries: a look-up that is late is a miss, and the breaker is the engine's. Such servers may cut a long text silently,
so every answer's token count is checked (`remote.check_usage`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from gateway.embedders.remote import (
    OnTokens,
    check_size,
    check_usage,
    header_safe,
    place,
    read_embedding,
    refusal,
    unpaid,
)
from gateway.embedders.vector import NORMALISER, unit
from gateway.errors import EmbedError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

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
        self._base_url = base_url
        self._api_key = header_safe(api_key)
        self._asked = dimensions
        self._window = window
        self._timeout = timeout
        self._on_tokens = on_tokens
        self._who = f"openai embedder {model!r} at {place(base_url)}"
        self._line = asyncio.Semaphore(connections)
        self._opening = asyncio.Lock()
        self._client: AsyncOpenAI | None = None
        self._closed = False
        self.dimensions = dimensions or (WELL_KNOWN.get(model) if place(base_url) == "api.openai.com" else None)

    @property
    def identity(self) -> str:
        """The model by name: two servers that offer one model under one name share a vector space."""
        return f"openai:{self._model}:{self._asked or 'own'}:{NORMALISER}"

    async def open(self) -> None:
        """Import the client; asks nothing of the network. Raises EmbedError once closed."""
        async with self._opening:
            if self._closed:
                raise EmbedError(f"{self._who} is closed")
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)

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
        self._closed = True
        if self._client is not None:
            await self._client.close()

    async def _ask(self, text: str) -> bytes:
        if self._client is None or self._closed:
            await self.open()
        import openai  # in memory since `open`

        assert self._client is not None
        create = self._client.embeddings.with_raw_response.create
        anonymous = None if self._api_key else {"Authorization": openai.Omit()}
        try:
            async with asyncio.timeout(self._timeout):  # the client's own is per step: connect, write, each read
                if self._asked is None:
                    answer = await create(model=self._model, input=text, extra_headers=anonymous)
                else:
                    answer = await create(
                        model=self._model, input=text, extra_headers=anonymous, dimensions=self._asked
                    )
        except openai.APIStatusError as error:
            raise refusal(self._who, error.status_code, error.response.text, error.code) from None
        except (openai.APITimeoutError, TimeoutError):
            raise EmbedError(f"{self._who} did not answer within {self._timeout:g} s") from None
        except openai.OpenAIError as error:
            raise EmbedError(f"{self._who} cannot be reached: {type(error.__cause__ or error).__name__}") from None
        return answer.content

    def _connect(self) -> AsyncOpenAI:
        import openai
        import openai.resources.embeddings  # else the first call would import it on the event loop

        logging.getLogger("openai").setLevel(logging.WARNING)  # at DEBUG it logs the texts
        client = openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=self._api_key or "none",  # required, but then not sent
            max_retries=0,
            timeout=self._timeout,
        )
        client.organization = client.project = None  # the environment's are for OpenAI, and this may be anybody
        return client
