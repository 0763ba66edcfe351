"""When to reload: the files changed, another worker or the launcher was asked to, or this one was. And so that all do.

A reload that was asked for has a number (see control). Every worker carries out the last one, says so, and whoever was
asked waits until all have: after the answer no worker serves the old routes to a new request.
"""

from __future__ import annotations

import asyncio
import signal
import time

from gateway.core.events import Trouble
from gateway.errors import ReloadRefused
from gateway.fronts.admin.operations import Reloaded
from gateway.runtime.control import Answer, Control
from gateway.runtime.gateway import OPENING_SECONDS, Gateway

# How often a worker looks whether a reload was asked for.
TICK = 0.1
# How long the one that was asked waits for the others: opening something new takes no longer.
OTHERS_SECONDS = OPENING_SECONDS + 5.0


class Reloader:
    """One worker's. Without `control` (an app under somebody's own server) it stands for itself; `done` is the last reload
    that needs not be carried out: what is served is of that one, or later."""

    def __init__(self, gateway: Gateway, control: Control | None, done: int = 0) -> None:
        self._gateway = gateway
        self._control = control
        self._done = done
        self._own = asyncio.Lock()

    async def begin(self) -> None:
        """Before the first request: whoever asks for a reload waits for this worker from now on, and what was asked for
        while it started is done now; where that cannot be, as the others have it."""
        self._tell()
        await self._carry_out()
        await self._gateway.catch_up()
        self._tell()

    async def run(self) -> None:
        """Look for changes until cancelled."""
        loop = asyncio.get_running_loop()
        if self._control is not None:
            loop.add_signal_handler(signal.SIGHUP, self._control.ask)
        looked = time.monotonic()
        try:
            while True:
                await asyncio.sleep(TICK)
                await self._carry_out()
                every = self._gateway.settings.server.watch
                if every and time.monotonic() - looked >= every:
                    if await self._gateway.changed():
                        await self._try(force=False)
                    looked = time.monotonic()
        finally:
            if self._control is not None:
                loop.remove_signal_handler(signal.SIGHUP)
                self._control.leave()

    async def ask(self, *, force: bool) -> Reloaded:
        """Reload, in every worker. Raises ReloadRefused where this one, or any other, stays with what it has."""
        if self._control is None:
            return await self._gateway.reload(force=force)
        try:
            asked = self._control.ask(force=force)
        except OSError as error:
            raise ReloadRefused(f"the other workers cannot be told: {error}") from error
        async with self._own:
            self._done = max(self._done, asked.number)
            try:
                reloaded = await self._gateway.reload(force=force)
            finally:
                self._tell()
        await self._wait_for_others(self._control, asked.number)
        return reloaded

    async def _carry_out(self) -> None:
        if self._control is None:
            return
        asked = self._control.asked()
        if asked.number > self._done:
            async with self._own:
                self._done = asked.number
                await self._try(force=asked.force)

    async def _try(self, *, force: bool) -> None:
        """Nobody waits for the answer here: the gateway has told it, and the other workers read it."""
        try:
            await self._gateway.reload(force=force)
        except ReloadRefused:
            pass
        finally:
            self._tell()

    def _tell(self) -> None:
        if self._control is None:
            return
        try:
            self._control.answer(Answer(self._done, self._gateway.current.digest, self._gateway.last_error))
        except OSError as error:  # routes matter more than who knows of them
            self._gateway.report(Trouble("reload", f"the other workers cannot be told: {error}"))

    async def _wait_for_others(self, control: Control, number: int) -> None:
        until = time.monotonic() + OTHERS_SECONDS
        while behind := [pid for pid, answer in control.others().items() if answer.number < number]:
            if time.monotonic() > until:
                raise ReloadRefused(f"reloaded here, but worker {behind[0]} has not answered yet")
            await asyncio.sleep(TICK / 4)
        for pid, answer in control.others().items():
            if answer.error is not None:
                raise ReloadRefused(f"reloaded here, but worker {pid} stays with what it has: {answer.error}")
