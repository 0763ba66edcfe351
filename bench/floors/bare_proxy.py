"""Floor of a bypass: the ASGI proxy over aiohttp that one would write in thirty lines. Environment: UPSTREAM, a URL.

granian --interface asgi --loop uvloop --workers 1 bench.floors.bare_proxy:app
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import aiohttp

UPSTREAM = os.environ.get("UPSTREAM", "http://127.0.0.1:9000")
NOT_FORWARDED = {b"host", b"connection", b"content-length", b"transfer-encoding", b"keep-alive"}

session: aiohttp.ClientSession | None = None


async def app(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None:
    global session
    if session is None:
        session = aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    url = UPSTREAM + scope["raw_path"].decode()
    if scope["query_string"]:
        url += "?" + scope["query_string"].decode()
    headers = [(name.decode(), value.decode()) for name, value in scope["headers"] if name not in NOT_FORWARDED]
    async with session.request(scope["method"], url, headers=headers, data=body, allow_redirects=False) as answer:
        kept = [(name.lower(), value) for name, value in answer.raw_headers if name.lower() not in NOT_FORWARDED]
        await send({"type": "http.response.start", "status": answer.status, "headers": kept})
        async for piece in answer.content.iter_any():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
