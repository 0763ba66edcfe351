"""Composition root: the Litestar app that Granian serves. Litestar owns the lifespan and `/-/`; the Switch owns the rest."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import msgspec
from litestar import Litestar
from litestar.exceptions import HTTPException

from gateway.config.load import Loaded, read
from gateway.config.model import File
from gateway.core.asgi import App, Receive, Scope, Send
from gateway.errors import ConfigError, SemgateError
from gateway.fronts.admin.door import CONTROLLERS, door_state
from gateway.fronts.admin.problems import from_litestar, from_nowhere, from_semgate
from gateway.fronts.admin.ui.handlers import TEMPLATES, UI
from gateway.observe.logs import log_to_stderr
from gateway.runtime.background import BackgroundTask
from gateway.runtime.control import Control
from gateway.runtime.door import second_door
from gateway.runtime.environment import CONFIG, CONTROL_FOLDER, LOG_LEVEL, METRICS_FOLDER
from gateway.runtime.gateway import Gateway
from gateway.runtime.last_good import recall
from gateway.runtime.operations import RunningOperations
from gateway.runtime.orphan import end_with
from gateway.runtime.reload import Reloader
from gateway.runtime.switch import Switch


def create() -> Litestar:
    """One worker's app for the routes file that $SEMGATE_CONFIG names. Raises ConfigError if it cannot be used."""
    log_to_stderr(os.environ.get(LOG_LEVEL, "info"))
    path = Path(os.environ.get(CONFIG, "routes.yaml"))
    folder = os.environ.get(CONTROL_FOLDER)
    control = Control(Path(folder)) if folder else None
    if control is not None:
        control.enter()
    if METRICS_FOLDER in os.environ:
        Path(os.environ[METRICS_FOLDER]).mkdir(exist_ok=True)  # somebody may have tidied up
    done = (
        control.carried_out() if control else 0
    )  # before what was served is recalled: it is told after that is remembered
    read_at = time.time_ns()
    loaded = read(path, os.environ)
    good = recall()
    if good is not None and good.digest != loaded.digest:
        # Started again while the file is another one: the others serve what they had, and so does this one; where files
        # are watched, it then tries as they did.
        loaded, read_at = msgspec.structs.replace(loaded, settings=good.settings, digest=good.digest), 0
    if loaded.settings is None:
        raise ConfigError(f"{path} has errors; `semgate check {path}` lists them")
    return build(path, loaded, read_at, control, done, loaded.settings if good is None else good.first)


def build(
    path: Path, loaded: Loaded, read_at: int, control: Control | None = None, done: int = 0, first: File | None = None
) -> Litestar:
    """The app for settings without errors, read at this time (`time.time_ns`). The gateway opens and closes with the app's
    lifespan; `control` is how reloads reach other workers (None: there are none), `done` the last one that needs
    not be carried out, `first` the settings that the launcher began with (None: these)."""
    assert loaded.settings is not None
    first = first or loaded.settings
    server = first.server
    launcher = os.getppid()

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(gateway.running())
            await reloader.begin()
            await stack.enter_async_context(BackgroundTask(reloader.run, "semgate reloads"))
            if control is not None:
                ending = partial(end_with, launcher, server.drain)
                await stack.enter_async_context(BackgroundTask(ending, "semgate launcher"))
            if server.admin.listen:
                await stack.enter_async_context(second_door(operators, server.admin.listen, server.tls))
            yield

    async def operators(scope: Scope, receive: Receive, send: Send) -> None:
        scope["litestar_app"] = app  # as Litestar does itself where its own door is used
        await switch.operate(scope, receive, send)

    gateway = Gateway(path, loaded, read_at, first, lambda generation: switch.to(generation))
    reloader = Reloader(gateway, control, done)
    app = Litestar(
        [*CONTROLLERS, *UI],
        lifespan=[lifespan],
        template_config=TEMPLATES,
        exception_handlers={HTTPException: from_litestar, SemgateError: from_semgate, Exception: from_nowhere},
        state=door_state(RunningOperations(gateway, reloader)),
        openapi_config=None,
        logging_config=None,
    )
    # Litestar's handler types are ASGI's, spelled out; ours are the plain mappings that ASGI itself defines.
    admin = cast(App, app.asgi_handler)
    switch = Switch(admin, open_only=bool(server.admin.listen))
    app.asgi_handler = cast(Any, gateway.traces.around(switch))
    return app
