"""Fixtures of the dashboard's tests: visits to the app over made-up operations, the same as a site, and a browser."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder
sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))

from made_site import Site, serve_site
from visits import Visit, visiting

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def visit() -> Iterator[Visit]:
    yield from visiting()


@pytest.fixture
def down() -> Iterator[Visit]:
    yield from visiting(down=True)


@pytest.fixture
def idle() -> Iterator[Visit]:
    yield from visiting(idle=True)


@pytest.fixture
def broken() -> Iterator[Visit]:
    yield from visiting(broken=True)


@pytest.fixture(scope="module")
def site() -> Iterator[Callable[..., Site]]:
    """A site for a script (`down`, `idle`, `broken`); started once for each."""
    sites: dict[tuple[str, ...], Site] = {}
    with ExitStack() as stack:

        def of(*script: str) -> Site:
            if script not in sites:
                sites[script] = stack.enter_context(serve_site(*script))
            return sites[script]

        yield of


@pytest.fixture(scope="module")
def chromium() -> str:
    """Of the system: none is downloaded."""
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    return CHROMIUM
