"""The operator's second door: the same app on an address of its own, served inside each worker's event loop.

Workers share the address as they share the first one (SO_REUSEPORT), so whichever answers speaks for all: metrics,
reloads and entries are the gateway's, not the worker's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from gateway.config.model import ServerTls
from gateway.core.asgi import App
from gateway.observe.logs import SERVER_LOGGING
from gateway.runtime.addresses import split_address

# Operators' tools ask one at a time.
MOST_REQUESTS = 64
# How long requests may go on when the gateway stops.
CLOSING_SECONDS = 5
# An address that cannot be used is known at once.
STARTING_SECONDS = 0.1


@asynccontextmanager
async def second_door(app: App, listen: str, tls: ServerTls | None) -> AsyncIterator[None]:
    """Serve the app there for as long as the block runs. Raises RuntimeError where the address cannot be used."""
    host, port = split_address(listen)
    logging.getLogger("_granian").addFilter(_is_no_notice)  # of every embedded server that it is "experimental"
    target: Any = app
    server = Server(
        target,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=False,
        backpressure=MOST_REQUESTS,
        log_level=LogLevels.warning,
        log_dictconfig=SERVER_LOGGING,
        ssl_cert=None if tls is None else Path(tls.cert),
        ssl_key=None if tls is None else Path(tls.key),
    )
    server.workers_kill_timeout = CLOSING_SECONDS
    serving = asyncio.create_task(server.serve(), name="semgate second door")
    if (await asyncio.wait([serving], timeout=STARTING_SECONDS))[0]:
        serving.result()
        raise RuntimeError(f"server.admin.listen: {listen} cannot be listened on")
    try:
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await serving


def _is_no_notice(record: logging.LogRecord) -> bool:
    return "experimental" not in record.getMessage()
