"""A server that speaks OpenAI's API, through OpenAI's own client: opened, asked, closed.

The client is imported at `open`, off the event loop: it takes half a second and 50 MB, which gateways without it save. It
never retries: a look-up that is late is a miss, and the breaker is the engine's. Nothing of the environment's OpenAI
settings is sent, for this may be anybody's server.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Protocol

from gateway.inference.server import header_safe, place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from openai import AsyncOpenAI, Omit


class Raw(Protocol):
    """An answer as the client gives it unread."""

    @property
    def content(self) -> bytes: ...


class Refused(Exception):
    """The server answered with a status of 400 or above; `message` and `code` are its own words, not to be repeated."""

    def __init__(self, status: int, message: str, code: str | None) -> None:
        super().__init__(status)
        self.status = status
        self.message = message
        self.code = code


class Late(Exception):
    """The server did not answer in time: what was asked may have been done and paid for. Says so of itself."""


class Unreachable(Exception):
    """Nobody was asked. Says so of itself."""


class OpenAIServer:
    """One server.

    Args:
        kind: what it is here, such as `openai embedder 'a-model'`.
        base_url: usually ends in `/v1`.
        api_key: empty: no Authorization header is sent, whatever the environment says.
        timeout: seconds until a call is given up.
        resource: the client's module that will be used, below `openai.resources`.
    """

    def __init__(self, kind: str, *, base_url: str, api_key: str, timeout: float, resource: str) -> None:
        self.who = f"{kind} at {place(base_url)}"
        self._base_url = base_url
        self._api_key = header_safe(api_key)
        self._timeout = timeout
        self._resource = resource
        self._opening = asyncio.Lock()
        self._client: AsyncOpenAI | None = None
        self._closed = False

    async def open(self) -> None:
        """Import the client; asks nothing of the network. Raises Unreachable once closed."""
        async with self._opening:
            if self._closed:
                raise Unreachable(f"{self.who} is closed")
            if self._client is None:
                self._client = await asyncio.to_thread(self._connect)

    async def ask(self, call: Callable[[AsyncOpenAI, Mapping[str, str | Omit] | None], Awaitable[Raw]]) -> bytes:
        """The body that `call` gets by the client, with these extra headers. Raises Refused, Late, Unreachable."""
        if self._client is None or self._closed:
            await self.open()
        import openai  # in memory since `open`

        assert self._client is not None
        anonymous = None if self._api_key else {"Authorization": openai.Omit()}
        try:
            async with asyncio.timeout(self._timeout):  # the client's own is per step: connect, write, each read
                answer = await call(self._client, anonymous)
        except openai.APIStatusError as error:
            raise Refused(error.status_code, error.response.text, error.code) from None
        except (openai.APITimeoutError, TimeoutError):
            raise Late(f"{self.who} did not answer within {self._timeout:g} s") from None
        except openai.OpenAIError as error:
            raise Unreachable(f"{self.who} cannot be reached: {type(error.__cause__ or error).__name__}") from None
        return answer.content

    async def close(self) -> None:
        self._closed = True
        if self._client is not None:
            await self._client.close()

    def _connect(self) -> AsyncOpenAI:
        import openai

        importlib.import_module(f"openai.resources.{self._resource}")  # else the first call would, on the event loop
        logging.getLogger("openai").setLevel(logging.WARNING)  # at DEBUG it logs the texts
        client = openai.AsyncOpenAI(
            base_url=self._base_url,
            api_key=self._api_key or "none",  # required, but then not sent
            max_retries=0,
            timeout=self._timeout,
        )
        client.organization = client.project = None  # the environment's are for OpenAI, and this may be anybody
        return client
