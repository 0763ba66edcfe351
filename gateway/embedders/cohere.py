"""Cohere's `/v2/embed` over aiohttp, with `truncate: NONE`: the server refuses a text that it would have to cut.

`input_type` is `clustering`: Cohere wants one, and this is the type for texts that are compared with their like. The search
types put questions and documents apart, and we compare questions with questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import msgspec

from gateway.embedders.remote import OnTokens, check_size, refusal, unpaid
from gateway.embedders.vector import NORMALISER, unit
from gateway.errors import EmbedError
from gateway.inference.server import header_safe, place

if TYPE_CHECKING:
    from gateway.core.messages import Vector

INPUT_TYPE = "clustering"


class _Embeddings(msgspec.Struct):
    floats: list[list[float]] = msgspec.field(name="float")


class _Billed(msgspec.Struct):
    input_tokens: float = 0.0


class _Meta(msgspec.Struct):
    billed_units: _Billed | None = None


class _Answer(msgspec.Struct):
    embeddings: _Embeddings
    meta: _Meta | None = None


class CohereEmbedder:
    """An embedder behind HTTP.

    Args:
        model: its name at Cohere.
        api_key: required by Cohere.
        base_url: without `/v2`.
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
        api_key: str,
        base_url: str = "https://api.cohere.com",
        dimensions: int | None = None,
        window: int = 128000,
        connections: int = 16,
        timeout: float = 1.0,
        on_tokens: OnTokens = unpaid,
    ) -> None:
        self._model = model
        self._headers = {"Authorization": f"Bearer {header_safe(api_key)}"}
        self._url = f"{base_url.rstrip('/')}/v2/embed"
        self._asked = dimensions
        self._window = window
        self._connections = connections
        self._timeout = timeout
        self._on_tokens = on_tokens
        self._who = f"cohere embedder {model!r} at {place(base_url)}"
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self.dimensions = dimensions

    @property
    def identity(self) -> str:
        return f"cohere:{self._model}:{INPUT_TYPE}:{self._asked or 'own'}:{NORMALISER}"

    async def open(self) -> None:
        """Asks nothing of the network. Raises EmbedError once closed."""
        if self._closed:
            raise EmbedError(f"{self._who} is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                trust_env=True,
            )

    async def embed(self, text: str) -> Vector:
        """Raises TextUnfit where the server says so, else EmbedError."""
        check_size(text, self._window)
        vector = unit(await self._ask(text), self.dimensions)
        self.dimensions = len(vector) // 4
        return vector

    async def ping(self) -> None:
        """Embeds one word: nothing less proves the key and the model."""
        await self.embed("ping")

    async def close(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _ask(self, text: str) -> list[float]:
        if self._session is None or self._closed:
            await self.open()
        assert self._session is not None
        question = {
            "model": self._model,
            "texts": [text],
            "input_type": INPUT_TYPE,
            "embedding_types": ["float"],
            "truncate": "NONE",
        } | ({"output_dimension": self._asked} if self._asked else {})
        try:
            async with self._session.post(self._url, json=question) as response:
                body = await response.read()
        except TimeoutError:
            raise EmbedError(f"{self._who} did not answer within {self._timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise EmbedError(f"{self._who} cannot be reached: {type(error).__name__}") from None
        if response.status >= 400:
            raise refusal(self._who, response.status, body.decode(errors="replace"))
        try:
            answer = msgspec.json.decode(body, type=_Answer)
            if answer.meta is not None and answer.meta.billed_units is not None:
                self._on_tokens(int(answer.meta.billed_units.input_tokens))
            return answer.embeddings.floats[0]
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
            raise EmbedError(f"{self._who} sent an answer that is not that of Cohere's API") from None
