"""How a command ends when it does not do what was asked: one line on stderr, exit code 1. Wrong use (2) is click's."""

from __future__ import annotations

import sys
from typing import IO, Any

import click


class Failed(click.ClickException):
    """The answer is no. The message is one line, says what to do, and holds no secret."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        from gateway.cli.showing import visible

        print(f"error: {visible(self.format_message())}", file=file or sys.stderr)


class Unreachable(Failed):
    """The gateway cannot be reached, or does not answer in time: another try may succeed."""


class Refused(Failed):
    """The gateway answered with an error. `status` is the HTTP status, `detail` what it said."""

    def __init__(self, message: str, status: int, detail: str) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


def note(text: str) -> None:
    """Something for the one who reads along, on one line; results go to stdout."""
    from gateway.cli.showing import visible

    print(visible(text), file=sys.stderr, flush=True)
