"""Options that several commands share, and where the routes file and the gateway are looked for. Imports click only.

`talks_to_gateway` gives a command `--config --url --token --timeout` as one value, a `Reach`; what it leads to is found
out in `target`, when the command runs.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import click

DEFAULT_FILE = "routes.yaml"
TOKEN_VARIABLE = "SEMGATE_ADMIN_TOKEN"  # noqa: S105 - the name of the variable, not a token

FILE = click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
CONFIG = click.option(
    "--config",
    "config",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The routes file. Default: $SEMGATE_CONFIG, or {DEFAULT_FILE} here.",
)


def chosen_file(file: Path | None) -> Path:
    """The routes file meant: the one named, else $SEMGATE_CONFIG, else routes.yaml in the current folder."""
    return file or Path(os.environ.get("SEMGATE_CONFIG") or DEFAULT_FILE)


class Reach(NamedTuple):
    """How a command was told to reach the gateway. `timeout`: seconds that it may take to answer."""

    config: Path | None
    url: str | None
    token: str | None
    timeout: float


def duration(text: str) -> float:
    """`250ms`, `2s`, `10m`, `24h`, `7d` -> seconds: the type of options."""
    from gateway.config.units import parse_duration

    try:
        return float(parse_duration(text))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not {error}") from error


def form(*others: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--format` as the argument `form`: the first one named is the default, json always one of them."""
    forms = [*others, "json"]
    return click.option(
        "--format",
        "form",
        type=click.Choice(forms),
        default=forms[0],
        show_default=True,
        help="How to print the result.",
    )


def talks_to_gateway(command: Callable[..., None]) -> Callable[..., None]:
    """Options of commands that talk to a running gateway; they come as one argument, the first."""

    @click.option(
        "--url", metavar="URL", help="The gateway's address. Default: the admin or listen address of the file."
    )
    @click.option(
        "--token",
        metavar="TOKEN",
        envvar=TOKEN_VARIABLE,
        help=f"The admin token. Default: ${TOKEN_VARIABLE}, or server.admin.token of the file.",
    )
    @CONFIG
    @click.option(
        "--timeout",
        type=duration,
        metavar="DURATION",
        default="60s",
        show_default=True,
        help="Longest wait for an answer of the gateway.",
    )
    @functools.wraps(command)
    def with_reach(config: Path | None, url: str | None, token: str | None, timeout: float, **others: object) -> None:
        command(Reach(config, url, token, timeout), **others)

    return with_reach
