"""What Granian serves in these tests: many reverse proxies side by side, told apart by the first path segment.

`PUT /-/proxies/NAME` with a JSON list of targets makes one; `/NAME/rest?query` asks its upstream for `/rest?query`;
`GET /-/log/NAME` gives how each of its calls went, `GET /-/events/NAME` what it told, `PUT /-/clock/NAME` moves the clock
of its breakers on, `PUT /-/unwanted/NAME` withdraws `finish`. The wrapper around the proxy is as small as a front can be:
it words errors before the head, and lets errors after the head out.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any

import msgspec

from gateway.core.asgi import (
    BODY,
    DROP_HEADERS,
    FINISH,
    UPSTREAM,
    UPSTREAM_PATH,
    UPSTREAM_VARIABLES,
    Message,
    Receive,
    Scope,
    Send,
)
from gateway.core.events import Event
from gateway.errors import SemgateError
from gateway.fronts.problem import send_problem
from gateway.proxy.app import ReverseProxy, Target
from gateway.proxy.forwarding import Introducer
from gateway.proxy.respond import Respond
from gateway.proxy.upstream import Pool, Source, Upstream

proxies: dict[str, ReverseProxy] = {}
asked: dict[str, dict[str, Any]] = {}
logs: dict[str, list[dict[str, Any]]] = {}
events: dict[str, list[Event]] = {}
clocks: dict[str, float] = defaultdict(float)
unwanted: set[str] = set()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    _, name, *rest = scope["raw_path"].decode("latin-1").split("/", 2)
    if name == "-":
        await control(scope, receive, send)
        return
    scope[UPSTREAM_PATH] = b"/" + (rest[0] if rest else "").encode("latin-1")
    how = asked[name]
    if how.get("buffer"):
        try:
            scope[BODY] = await read(receive)
        except ConnectionError:
            return
    if how.get("drop"):
        scope[DROP_HEADERS] = frozenset(header.encode() for header in how["drop"])
    if "variables" in how:
        scope[UPSTREAM_VARIABLES] = {key: value.encode() for key, value in how["variables"].items()}
    if how.get("finish"):
        scope[FINISH] = lambda: name not in unwanted
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
                unwanted.add(name)
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
        await send_problem(send, error)
    except asyncio.CancelledError:
        entry["error"] = "CancelledError"
        raise


async def control(scope: Scope, receive: Receive, send: Send) -> None:
    _, what, name = scope["path"].strip("/").split("/")
    given = await read(receive)
    told: object = None
    match what:
        case "log":
            told = logs[name]
        case "events":
            told = [{"type": type(event).__name__, **msgspec.to_builtins(event)} for event in events[name]]
        case "clock":
            clocks[name] += float(given)
        case "unwanted":
            unwanted.add(name)
        case "proxies":
            make(name, **json.loads(given))
    body = json.dumps(told).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def make(name: str, targets: list[dict[str, Any]], options: dict[str, Any]) -> None:
    introducer = Introducer(options.get("trusted", ()), options.get("forwarded", "none"))
    events[name] = []
    logs[name] = []
    asked[name] = options
    proxies[name] = ReverseProxy(tuple(target(name, fields) for fields in targets), events[name].append, introducer)


def target(proxy: str, fields: dict[str, Any]) -> Target:
    equivalent, path = fields.pop("equivalent", True), fields.pop("path", None)
    source: Source
    if "body" in fields:
        headers = tuple((key.encode(), value.encode()) for key, value in fields.pop("headers", []))
        source = Respond(fields["name"], fields["status"], headers, fields["body"].encode())
    else:
        fields["headers"] = tuple((key.encode(), value.encode()) for key, value in fields.get("headers", []))
        fields["remove_headers"] = frozenset(key.encode() for key in fields.get("remove_headers", []))
        if "retry_on" in fields:
            fields["retry_on"] = frozenset(fields["retry_on"])
        source = Pool(Upstream(**fields), clock=lambda: clocks[proxy])
    return Target(source, equivalent, path)


async def read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
