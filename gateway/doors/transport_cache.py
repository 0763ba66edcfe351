"""The cache that transports share with one another, and how it has a client ask."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.config.objects import prepare
from gateway.core.asgi import Message, Receive, Scope, Send
from gateway.core.messages import Form
from gateway.core.policy import answer_form
from gateway.doors.defaults import nobody_follows
from gateway.doors.opening import SharedCache
from gateway.doors.transport_defaults import DEFAULT, NAMESPACE
from gateway.doors.transport_routes import Sought
from gateway.fronts.conversation import ask_caller
from gateway.runtime.inside import Inside

PLACE = b"client"
"""What stands for the upstream's name in the keys of all transports: its URL is in them anyway."""


class ClientsCache(SharedCache):
    """The cache for these settings. Raises ConfigError for what is wrong with them."""

    def __init__(self, config: str | Path | Mapping[str, Any] | None) -> None:
        prepared = nobody_follows(prepare(config, default=DEFAULT, namespace=NAMESPACE))
        self.sought = Sought(prepared.settings)
        super().__init__((PLACE, prepared.key), lambda: Inside(prepared, ask_client, place=PLACE))


async def ask_client(scope: Scope, receive: Receive, send: Send) -> None:
    """The client's own call. One that ends its stream early may have all of it: SDKs read no further than the last event.
    So a stream ends here as if it were whole, and whether it is shows when it is to be kept."""
    stream = ended = False

    async def passing(message: Message) -> None:
        nonlocal stream, ended
        if message["type"] == "http.response.start":
            stream = answer_form(message["headers"]) is not Form.SINGLE
        else:
            ended = not message.get("more_body", False)
        await send(message)

    await ask_caller(scope, receive, passing)
    if stream and not ended:
        await send({"type": "http.response.body", "body": b"", "more_body": False})
