"""A command in a terminal of its own: what it draws there, the keys that it gets, and how it leaves the terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SEMGATE = Path(sys.executable).parent / "semgate"


class Terminal:
    """A command in a terminal of its own, and what it has written so far."""

    def __init__(self, *arguments: Any, width: int = 100, height: int = 30) -> None:
        self._end, self._terminal = pty.openpty()
        self.resize(width, height)
        self.before = termios.tcgetattr(self._terminal)
        self.process = subprocess.Popen(
            [SEMGATE, *arguments],
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=self._terminal,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.set_blocking(self._end, False)
        self.written = ""

    def resize(self, width: int, height: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def read(self) -> str:
        try:
            while data := os.read(self._end, 65536):
                self.written += data.decode(errors="replace")
        except OSError:
            pass
        return self.written

    def until(self, holds: Callable[[str], bool], what: str) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if holds(self.read()):
                return self.written
            time.sleep(0.02)
        raise AssertionError(f"{what}: {self.written[-3000:]}")

    def shows(self, text: str) -> str:
        return self.until(
            lambda written: text in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written), f"never showed {text!r}"
        )

    def end(self) -> int:
        self.until(lambda _: self.process.poll() is not None, "it does not end")
        self.read()
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(60)
        os.close(self._end)
        os.close(self._terminal)

    @property
    def mode(self) -> list[Any]:
        return termios.tcgetattr(self._terminal)


def in_terminal(command: list[Any]) -> str:
    """What a command writes to a terminal of its own."""
    main_end, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True)
    os.close(terminal)
    written = io.BytesIO()
    while True:
        try:
            data = os.read(main_end, 65536)
        except OSError:  # Linux says EIO when the other end is closed
            break
        if not data:
            break
        written.write(data)
    os.close(main_end)
    assert process.wait(60) == 0
    return written.getvalue().decode()
