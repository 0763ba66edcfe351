"""Floor of an exact hit: a Litestar mount that parses the JSON body, hashes it, finds the answer in a dict, sends it.

granian --interface asgi --loop uvloop --workers 1 bench.floors.litestar_mount:app

Every body gets the same 1.5 KB answer, under its own key, so that the look-up is a real one.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send

from bench.floors.upstream import BODY

HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]

answers: dict[bytes, bytes] = {}


@asgi("/", is_mount=True, copy_scope=False)
async def cache(scope: Scope, receive: Receive, send: Send) -> None:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    question = msgspec.json.decode(b"".join(pieces))
    key = blake2b(msgspec.json.encode(question), digest_size=16).digest()
    answer = answers.get(key)
    if answer is None:
        answer = answers[key] = BODY
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": answer, "more_body": False})


app = Litestar([cache], openapi_config=None)
