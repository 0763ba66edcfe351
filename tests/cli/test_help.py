"""The help teaches, starts quickly, and says what docs/cli.md says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from admin_server import Semgate

from gateway.cli.main import GROUPS, main

DOCS = " ".join((Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8").split())


def commands(group: click.Group = main, before: str = "semgate") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with the words that call it."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}", command


OF_GATEWAYS = [(words, command) for words, command in commands() if any(each.name == "url" for each in command.params)]


def test_every_command_stands_under_a_heading_once() -> None:
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(main.commands)


def test_the_main_help_lists_every_command_on_one_line(semgate: Semgate) -> None:
    shown = semgate("--help").stdout
    for name in main.commands:
        (line,) = [each for each in shown.splitlines() if each.startswith(f"  {name} ")]
        assert not line.endswith("...")
    for heading in GROUPS:
        assert f"{heading}:" in shown


@pytest.mark.parametrize(("words", "command"), OF_GATEWAYS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_that_asks_a_gateway_has_an_example(words: str, command: click.Command) -> None:
    assert f"    {words}" in (command.help or "")
    assert {"url", "token", "config", "timeout"} <= {each.name for each in command.params}


@pytest.mark.parametrize(
    ("words", "command"), list(commands()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_and_option_is_documented(words: str, command: click.Command) -> None:
    assert words in DOCS or words.removeprefix("semgate ") in DOCS
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "help":
            assert any(name in DOCS for name in option.opts), f"{words} {option.opts}"


def test_the_help_needs_nothing_but_click() -> None:
    """So that it stays quick: the rest is imported by the command that needs it."""
    heavy = ("httpx", "rich", "msgspec", "litestar", "granian", "yaml", "gateway.config", "gateway.fronts", "ssl")
    script = f"import sys, gateway.cli.main; print([each for each in {heavy!r} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
