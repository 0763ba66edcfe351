"""Composition root: the Litestar app that Granian serves. Litestar owns the lifespan and `/-/`; the Switch owns the rest."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from litestar import Litestar
from litestar.exceptions import HTTPException

from gateway.config.load import read
from gateway.core.asgi import App
from gateway.errors import ConfigError
from gateway.fronts.admin.probes import Configuration, Probes, as_problem
from gateway.observe import log_to_stderr
from gateway.runtime.environment import CONFIG, LOG_LEVEL
from gateway.runtime.gateway import Gateway
from gateway.runtime.switch import Switch


def create() -> Litestar:
    """One worker's app for the routes file that $SEMGATE_CONFIG names. Raises ConfigError if it cannot be used."""
    log_to_stderr(os.environ.get(LOG_LEVEL, "info"))
    path = Path(os.environ.get(CONFIG, "routes.yaml"))
    loaded = read(path, os.environ)
    if loaded.settings is None:
        raise ConfigError(f"{path} has errors; `semgate check {path}` lists them")
    return build(Gateway(loaded.settings, loaded.digest))


def build(gateway: Gateway) -> Litestar:
    """The app around a gateway, which opens and closes with the app's lifespan."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with gateway.running_generation() as generation:
            switch.generation = generation
            yield
            switch.generation = None

    app = Litestar(
        [Probes, Configuration],
        lifespan=[lifespan],
        exception_handlers={HTTPException: as_problem},
        openapi_config=None,
        logging_config=None,
    )
    app.state.operations = gateway
    # Litestar's handler types are ASGI's, spelled out; ours are the plain mappings that ASGI itself defines.
    switch = Switch(cast(App, app.asgi_handler))
    app.asgi_handler = cast(Any, switch)
    return app
