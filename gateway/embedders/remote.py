"""What the embedders behind HTTP share: is the text within the model's window, and what may be said of a failed call.

Pure. We cannot count another party's tokens, so both rules lean to "too long", which only costs a cache hit: a text is
embedded where its tokens surely were all seen. What an upstream says is never repeated, since it may echo the text or a
key: only its status and, where it looks like one, its error code.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.errors import EmbedError, TextUnfit
from gateway.inference.server import refused

BYTES_PER_TOKEN = 8
"""More than any tokenizer makes of a text of some length (English 4 to 5, code and other scripts fewer)."""
SOME_LENGTH = 64
"""Tokens from which that average may be trusted: one word of 28 letters can be two tokens."""
SPECIAL = 8
"""Tokens that a model may put around a text."""
MARGIN = 50
"""A cut text is counted again after the cut, and may come out shorter by a token or two: 1/50 of the window is left."""
TOO_LONG = re.compile(
    r"context[ _](length|window|size)|too (long|large|many tokens)|(max\w*|exceed\w*)\b.{0,40}\btokens|tokens\b.{0,40}\bexceed"
    r"|max\w* (input|sequence) length|must have less than \d+ tokens",
    re.IGNORECASE,
)
LOOKED_AT = 4096


OnTokens: TypeAlias = Callable[[int], None]
"""Told how many tokens were paid for, answer by answer, whatever becomes of it."""


def unpaid(tokens: int) -> None:
    """For those who do not keep accounts."""


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Embedding(msgspec.Struct):
    embedding: list[float] | str


class _Embeddings(msgspec.Struct):
    data: list[_Embedding]
    usage: _Usage | None = None


def check_size(text: str, window: int) -> None:
    """Before a call: raises TextUnfit where it would be in vain."""
    if len(text.encode()) > window * BYTES_PER_TOKEN:
        raise TextUnfit(f"the text is longer than the window of {window} tokens")


def check_usage(text: str, window: int, tokens: int | None) -> None:
    """After an answer of a server that may cut silently: raises TextUnfit unless it has seen the whole text.

    `tokens` is what the server says it has read; None or 0 where it does not say.
    """
    size = len(text.encode())
    if not tokens:
        # No token is less than a byte, so this text fits. Of a longer one nobody knows.
        if size + SPECIAL > window:
            raise TextUnfit(f"the server does not count tokens, and the text is longer than {window} bytes")
        return
    if tokens >= window - window // MARGIN:
        raise TextUnfit(f"the text fills the window of {window} tokens, and may have been cut to it")
    if tokens >= SOME_LENGTH and size > tokens * BYTES_PER_TOKEN:
        raise TextUnfit(f"the server read {tokens} tokens of {size} bytes: it has cut the text, its window is smaller")


def read_embedding(body: bytes) -> tuple[list[float] | NDArray[np.float32], int | None]:
    """The vector and the token count of an OpenAI-shaped answer, floats or base64. Raises EmbedError."""
    try:
        answer = msgspec.json.decode(body, type=_Embeddings)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise EmbedError("the answer is not that of an embeddings API") from None
    if len(answer.data) != 1:
        raise EmbedError(f"the answer holds {len(answer.data)} embeddings for one text")
    usage = answer.usage or _Usage()
    return decode_embedding(answer.data[0].embedding), usage.prompt_tokens or usage.total_tokens


def decode_embedding(embedding: list[float] | str) -> list[float] | NDArray[np.float32]:
    """Numbers of an embedding sent as JSON numbers or as base64 of little-endian float32. Raises EmbedError."""
    if not isinstance(embedding, str):
        return embedding
    try:
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    except (binascii.Error, ValueError):
        raise EmbedError("the answer's embedding is not base64 of float32 numbers") from None


def refusal(who: str, status: int, message: str, code: str | None = None) -> EmbedError:
    """The error for an answer of `status` 400 or above; `message` is only looked at, never repeated."""
    if status == 413 or (status in {400, 422, 500} and TOO_LONG.search(message[:LOOKED_AT])):
        return TextUnfit(f"{who} says that the text is longer than its window")
    return EmbedError(refused(who, status, code))
