"""What is said of a model server behind HTTP: where it is, whether a header can carry its key, and why a call failed.

Pure. What a server says is never repeated, since it may echo the text or the key: only its status and, where it looks
like one, its error code.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from gateway.errors import ConfigError

CODE = re.compile(r"[a-z][a-z_]{2,40}")


def place(base_url: str) -> str:
    """`host:port` of an HTTP URL, for messages: without credentials, path and query. Raises ConfigError."""
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ConfigError("`base_url` must be an http:// or https:// URL")
    return parts.netloc.rpartition("@")[2]


def header_safe(api_key: str) -> str:
    """The key itself. Raises ConfigError, without the key, where a header cannot carry it."""
    if not (api_key.isascii() and api_key.isprintable()):
        raise ConfigError("`api_key` has characters that a header cannot carry; is there a line break at its end?")
    return api_key


def refused(who: str, status: int, code: str | None = None) -> str:
    """What to say of an answer of `status` 400 or above."""
    named = f" ({code})" if code and CODE.fullmatch(code) else ""
    return f"{who} answered {status}{named}{_advice(status)}"


def _advice(status: int) -> str:
    match status:
        case 401 | 403:
            return ": check `api_key`"
        case 404:
            return ": check `base_url` and `model`"
        case 429:
            return ": rate limit or quota"
        case _:
            return ""
