"""What Granian serves in these tests: many reverse proxies side by side, told apart by the first path segment.

`PUT /-/proxies/NAME` with a JSON list of targets makes one; `/NAME/rest?query` asks its upstream for `/rest?query`;
`GET /-/log/NAME` gives how each of its calls went. The wrapper around the proxy is as small as a front can be: it
words errors before the head, and lets errors after the head out.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from gateway.core.asgi import BODY, DROP_HEADERS, FINISH, UPSTREAM, UPSTREAM_PATH, Message, Receive, Scope, Send
from gateway.errors import SemgateError
from gateway.proxy.app import ReverseProxy, Target
from gateway.proxy.respond import Respond
from gateway.proxy.upstream import Pool, Source, Upstream

proxies: dict[str, ReverseProxy] = {}
options: dict[str, dict[str, Any]] = {}
logs: dict[str, list[dict[str, Any]]] = {}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    _, name, *rest = scope["raw_path"].decode("latin-1").split("/", 2)
    if name == "-":
        await control(scope, receive, send)
        return
    scope[UPSTREAM_PATH] = b"/" + (rest[0] if rest else "").encode("latin-1")
    how = options[name]
    if how.get("buffer"):
        scope[BODY] = await read(receive)
    if how.get("drop"):
        scope[DROP_HEADERS] = frozenset(header.encode() for header in how["drop"])
    scope[FINISH] = how.get("finish", False)
    entry: dict[str, Any] = {"upstream": None, "error": None, "sent": 0, "complete": False, "returned": False}
    logs[name].append(entry)
    started = False

    async def tee(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start":
            started = True
            entry["upstream"] = scope[UPSTREAM].name
            entry["equivalent"] = scope[UPSTREAM].equivalent
        else:
            entry["sent"] += len(message["body"])
            entry["complete"] = not message["more_body"]
            if how.get("give_up_after") and entry["sent"] >= how["give_up_after"]:
                scope[FINISH] = False
        await send(message)

    try:
        await proxies[name](scope, receive, tee)
        entry["returned"] = True
    except SemgateError as error:
        entry["error"] = f"{type(error).__name__}: {error}"
        if started and how.get("quiet"):
            return
        if started:
            raise
        await answer(send, error.status, str(error).encode())
    except asyncio.CancelledError:
        entry["error"] = "CancelledError"
        raise


async def control(scope: Scope, receive: Receive, send: Send) -> None:
    _, what, name = scope["path"].strip("/").split("/")
    if what == "log":
        await answer(send, 200, json.dumps(logs[name]).encode())
        return
    wanted = json.loads(await read(receive))
    proxies[name] = ReverseProxy(tuple(target(fields) for fields in wanted["targets"]), lambda _event: None)
    options[name] = wanted["options"]
    logs[name] = []
    await answer(send, 204, b"")


def target(fields: dict[str, Any]) -> Target:
    equivalent = fields.pop("equivalent", True)
    source: Source
    if "body" in fields:
        headers = tuple((key.encode(), value.encode()) for key, value in fields.pop("headers", []))
        source = Respond(fields["name"], fields["status"], headers, fields["body"].encode())
    else:
        fields["headers"] = tuple((key.encode(), value.encode()) for key, value in fields.get("headers", []))
        if "retry_on" in fields:
            fields["retry_on"] = frozenset(fields["retry_on"])
        source = Pool(Upstream(**fields))
    return Target(source, equivalent)


async def read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"x-from", b"front")]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
