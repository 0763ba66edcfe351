"""Voyage AI's API through its own client, with `truncation=False`: the server refuses a text that it would have to cut.

The client is imported at `open`, off the event loop: it takes half a second and 60 MB. Left alone it connects anew for every
text; it takes a session from a context variable, so each call lends it ours, whose connections are kept and bounded.
`input_type` stays unset: both sides of our comparison are questions, and the types are for questions against documents.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import aiohttp

from gateway.embedders.remote import OnTokens, check_size, refusal, unpaid
from gateway.embedders.vector import NORMALISER, unit
from gateway.errors import EmbedError
from gateway.inference.server import header_safe, place

if TYPE_CHECKING:
    from voyageai.client_async import AsyncClient

    from gateway.core.messages import Vector


class VoyageEmbedder:
    """An embedder behind HTTP.

    Args:
        model: its name at Voyage.
        api_key: required by Voyage.
        base_url: ends in `/v1`; empty: the client's choice, which goes by the kind of key.
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
        base_url: str = "",
        dimensions: int | None = None,
        window: int = 32000,
        connections: int = 16,
        timeout: float = 1.0,
        on_tokens: OnTokens = unpaid,
    ) -> None:
        self._model = model
        self._api_key = header_safe(api_key)
        self._base_url = base_url
        self._asked = dimensions
        self._window = window
        self._connections = connections
        self._timeout = timeout
        self._on_tokens = on_tokens
        self._who = f"voyage embedder {model!r}" + (f" at {place(base_url)}" if base_url else "")
        self._opening = asyncio.Lock()
        self._client: AsyncClient | None = None
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self.dimensions = dimensions

    @property
    def identity(self) -> str:
        return f"voyage:{self._model}:{self._asked or 'own'}:{NORMALISER}"

    async def open(self) -> None:
        """Import the client; asks nothing of the network. Raises EmbedError once closed."""
        async with self._opening:
            if self._closed:
                raise EmbedError(f"{self._who} is closed")
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(limit=self._connections), trust_env=True
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
        if self._client is None or self._closed:
            await self.open()
        import voyageai  # in memory since `open`

        assert self._client is not None
        lent = voyageai.aiosession.set(self._session)
        try:
            answer = await self._client.embed([text], model=self._model, truncation=False, output_dimension=self._asked)
            if answer.total_tokens:
                self._on_tokens(answer.total_tokens)
            return [float(number) for number in answer.embeddings[0]]
        except voyageai.error.Timeout:
            raise EmbedError(f"{self._who} did not answer within {self._timeout:g} s") from None
        except voyageai.error.VoyageError as error:
            if error.http_status is None:
                raise EmbedError(f"{self._who} cannot be reached: {type(error).__name__}") from None
            raise refusal(self._who, error.http_status, str(error.user_message)) from None
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):  # the client trusts the answer's shape
            raise EmbedError(f"{self._who} sent an answer that is not that of Voyage's API") from None
        except ImportError:  # a model that the client runs itself, with packages that are not ours
            raise EmbedError(f"{self._who} is not behind the API: use `type: sentence-transformers`") from None
        finally:
            voyageai.aiosession.reset(lent)

    def _connect(self) -> AsyncClient:
        from voyageai.client_async import AsyncClient

        logging.getLogger("voyage").setLevel(logging.WARNING)  # at DEBUG it logs the texts
        return AsyncClient(api_key=self._api_key, max_retries=0, timeout=self._timeout, base_url=self._base_url or None)
