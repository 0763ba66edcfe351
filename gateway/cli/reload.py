"""`semgate reload`: have the running gateway load its routes file again, in every worker."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

from gateway.cli.client import ReloadFailed, open_gateway
from gateway.cli.options import Reach
from gateway.cli.showing import visible, visible_lines, write, write_json
from gateway.config.problem import Problem
from gateway.config.report import Format, render
from gateway.fronts.admin.operations import FileProblem


def run(reach: Reach, *, force: bool, form: Format) -> int:
    """Print the digest of what runs now; 1, and every problem, if the old configuration runs on."""
    with open_gateway(reach) as gateway:
        try:
            reloaded = gateway.reload(force=force)
        except ReloadFailed as failed:
            sys.stdout.write(visible_lines(render(_problems(failed.problems), form)))
            sys.stderr.write(f"error: not reloaded, the old configuration runs on: {visible(failed.detail)}\n")
            return 1
    if form == "json":
        write_json(reloaded)
    else:
        write(f"{visible(reloaded.digest)} {'runs now' if reloaded.changed else 'runs already: nothing has changed'}")
    return 0


def _problems(told: Sequence[FileProblem]) -> list[Problem]:
    return [
        Problem(each.path, each.line, each.column, each.text, each.hint, _level(each.level), each.file) for each in told
    ]


def _level(level: str) -> Literal["error", "warning"]:
    return "warning" if level == "warning" else "error"
