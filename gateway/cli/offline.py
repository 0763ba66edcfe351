"""What `judge`, `simulate` and `calibrate` share: which route is meant, opening it, and a progress bar.

No gateway, store or upstream is needed; of a routes file only what decides about the route has to be right.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from gateway.cli.failure import Failed, note
from gateway.cli.options import DEFAULT_FILE, chosen_file
from gateway.config.load import Loaded, read
from gateway.config.model import File, Respond, Route, RouteSettings, Upstream
from gateway.config.preset import FilledRoute, fill, presets
from gateway.config.problem import Problem, json_path
from gateway.config.report import render
from gateway.errors import CacheTrouble, ConfigError, InvalidOrder
from gateway.runtime.offline import OfflineRoute, open_route

T = TypeVar("T")

BUILT_IN = "openai-chat"
"""Whose decision is taken where there is no routes file."""


class Chosen(msgspec.Struct, frozen=True):
    """The settings, and the route in them that is meant; `built_in` where there is no routes file."""

    settings: File
    route: FilledRoute
    built_in: bool = False

    @property
    def rule(self) -> str:
        """How the route decides, in words."""
        verify = self.route.verify
        if verify is None:
            return f"served at a similarity of {self.route.thresholds.hit:g} or above"
        return (
            f"candidates at a similarity of {self.route.thresholds.candidate:g} or above, served where `{verify.by}` "
            f"scores {verify.at_least:g} or above"
        )


def own_threshold(chosen: Chosen) -> float:
    """The threshold of what has the last word: the verifier's score, else the similarity."""
    verify = chosen.route.verify
    if verify is None:
        return chosen.route.thresholds.hit
    assert verify.at_least is not None  # filled in
    return verify.at_least


def choose_route(config: Path | None, name: str | None) -> Chosen:
    """The route named, or the only one that compares questions. Raises Failed and UsageError."""
    path = chosen_file(config)
    if config is None and not os.environ.get("SEMGATE_CONFIG") and not path.exists():
        if name is not None:
            raise click.UsageError(f"--route {name}: there is no {DEFAULT_FILE} here; --config says where the file is")
        note(f"no {DEFAULT_FILE} here: decided as a route with the preset {BUILT_IN} does by default")
        return _built_in()
    loaded = read(path, os.environ)
    if loaded.draft is None:
        raise _unusable(path, loaded.problems, loaded)
    file = loaded.draft.file
    semantic = [each.name for each in file.routes if each.match == "semantic"]
    names = [each.name for each in file.routes]
    if name is None and len(semantic) != 1:
        listed = ", ".join(semantic)
        raise click.UsageError(
            f"{path} has several routes: --route says which ({listed})"
            if semantic
            else f"{path} has no route that compares questions: all are `match: exact`"
        )
    wanted = name or semantic[0]
    if wanted not in names:
        raise click.UsageError(f"{path} has no route {wanted!r}; there are: {', '.join(names)}")
    place = names.index(wanted)
    wrong = _problems_of(loaded, place)
    if wrong:
        raise _unusable(path, wrong, loaded)
    if file.routes[place].match == "exact":
        raise click.UsageError(f"route {wanted} is `match: exact`: it serves the same words only")
    if file.routes[place].mode == "off":
        note(f"route {wanted} is `mode: off`: decided as if it served")
    return Chosen(file, fill(file.routes[place], file.defaults))


def _problems_of(loaded: Loaded, place: int) -> list[Problem]:
    """What is wrong with what the route decides by; an unset variable of an upstream, say, is of no account here."""
    assert loaded.draft is not None
    file = loaded.draft.file
    filled = fill(file.routes[place], file.defaults)
    concerned = [("routes", place), ("defaults",), ("deny",), ("embedders", filled.embedder)]
    if filled.verify is not None:
        concerned += [("verifiers", filled.verify.by), ("prices",)]
    paths = [json_path(each) for each in concerned]
    errors = [problem for problem in loaded.problems if problem.level == "error"]
    return [each for each in errors if any(_within(each.path, path) or _within(path, each.path) for path in paths)]


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith((other + ".", other + "["))


def _unusable(path: Path, problems: list[Problem] | tuple[Problem, ...], loaded: Loaded) -> Failed:
    sys.stderr.write(render(tuple(problems), "text", loaded.source))
    return Failed(f"{path} cannot be used")


def _built_in() -> Chosen:
    preset = presets()[BUILT_IN].route
    said = {name: getattr(preset, name) for name in RouteSettings.__struct_fields__}
    route = Route(name=BUILT_IN, path="/", upstream="none", scope="public", preset=BUILT_IN, **said)
    file = File(version=1, upstreams={"none": Upstream(respond=Respond())}, routes=(route,))
    return Chosen(file, fill(route, file.defaults), built_in=True)


def with_route(chosen: Chosen, work: Callable[[OfflineRoute], Awaitable[T]]) -> T:
    """What `work` makes of the opened route. Raises Failed where a model cannot be had or does not answer."""

    async def opened() -> T:
        async with open_route(chosen.settings, chosen.route, note) as route:
            return await work(route)

    try:
        return asyncio.run(opened())
    except (CacheTrouble, ConfigError, InvalidOrder) as error:
        raise Failed(str(error)) from error


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr where that is a terminal; what is yielded moves it on by so many."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)
