"""A worker whose launcher was killed ends: it would hold the address, and the next semgate could not start.

The launcher cannot tell anybody that it is killed, so its workers look. What is under way gets its time, as on SIGTERM.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal

# How often a worker looks.
TICK = 0.5


async def end_with(launcher: int, drain: float) -> None:
    """End this process once the process `launcher` is its parent no more; `drain`: seconds for what is under way."""
    while os.getppid() == launcher:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(TICK)
    logging.getLogger("semgate").error("launcher-gone", extra={"fields": {"pid": launcher}})
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(drain)
    os.kill(os.getpid(), signal.SIGKILL)
