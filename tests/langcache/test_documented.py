"""The programs of docs/langcache.md and examples/, as they stand there, against the routes files beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Gateway, serve

from gateway.fronts.langcache import shapes

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/langcache.md").read_text("utf-8")


def code(language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture(scope="module")
def gateway(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The example's, and the page's route in a path of its own."""
    example = (ROOT / "examples/langcache.yaml").read_text("utf-8")
    config = example.replace("${SEMGATE_LISTEN:-127.0.0.1:8080}", "LISTEN").replace("version: 1\n", "")
    env = {"SEMGATE_DATA": str(data_dir), "CACHE_KEY": "app-key"}
    with serve(tmp_path_factory.mktemp("example"), config, env=env) as running:
        yield running


def run(gateway: Gateway, *command: str) -> list[str]:
    env = {**os.environ, "SEMGATE_URL": gateway.url, "CACHE_KEY": "app-key"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_page_s_program_does_what_it_says(gateway: Gateway) -> None:
    assert run(gateway, sys.executable, "-c", code("python")) == [
        "How can I reset my password? -> Click on 'Forgot password' and follow the mail.",
        "How do I cancel my contract? -> not known: ask the model, and set its answer",
        "same words: 1.0",
        "after the same question: A minute.",
        "after another one: []",
        "deleted: 1 more",
    ]


def test_the_example_asks_the_model_once_for_two_wordings(gateway: Gateway) -> None:
    first, second, third = run(gateway, sys.executable, str(ROOT / "examples/langcache_sdk.py"))
    assert first.startswith("model ")
    assert second.startswith("cache (0.99)")
    assert second.partition(": ")[2] == first.partition(": ")[2]
    assert third.startswith("model ")


def test_the_page_s_routes_file_is_right(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(code("yaml"))
    done = subprocess.run(
        [Path(sys.executable).parent / "semgate", "check", file],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "fine" in done.stdout) == (0, True), done.stdout + done.stderr


@pytest.mark.parametrize("name", [name for name in dir(shapes) if name.isupper()])
def test_each_bound_is_on_the_page(name: str) -> None:
    bounds = PAGE.split("| bound | |")[1].split("\n\n")[0]
    assert re.search(rf"\b{getattr(shapes, name)}\b", bounds)
