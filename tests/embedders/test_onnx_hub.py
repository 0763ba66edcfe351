"""The local ONNX embedder with a model's id: downloaded from a hub once, and used without one afterwards."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from imitated_hub import imitated_hub
from small_model import write_model

ASK_THE_HUB = """
import asyncio, sys
from gateway.embedders.onnx import OnnxEmbedder
from gateway.errors import EmbedError

async def main():
    embedder = OnnxEmbedder(model="somebody/small-model")
    try:
        await embedder.open()
        print("dimensions", embedder.dimensions)
    except EmbedError as error:
        print("error", error)
    await embedder.close()

asyncio.run(main())
"""


def ask_the_hub(home: Path, **environment: str) -> str:
    env = {"PATH": "/usr/bin:/bin", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment}
    told = subprocess.run([sys.executable, "-c", ASK_THE_HUB], capture_output=True, text=True, env=env, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_a_hub_id_is_downloaded_once_and_used_offline_afterwards(
    tmp_path: Path, hub: Callable[[Path], str], nobody: str
) -> None:
    endpoint = hub(write_model(tmp_path / "model"))
    assert ask_the_hub(tmp_path / "home", HF_ENDPOINT=endpoint) == "dimensions 8"
    assert ask_the_hub(tmp_path / "home", HF_HUB_OFFLINE="1") == "dimensions 8"
    assert ask_the_hub(tmp_path / "home", HF_ENDPOINT=nobody) == "dimensions 8"


@pytest.mark.parametrize("environment", ["offline", "down"])
def test_a_model_that_the_hub_does_not_give_is_named_with_what_to_do(
    tmp_path: Path, nobody: str, environment: str
) -> None:
    said = ask_the_hub(tmp_path, **({"HF_HUB_OFFLINE": "1"} if environment == "offline" else {"HF_ENDPOINT": nobody}))
    assert said.startswith("error model 'somebody/small-model' is neither shipped nor a folder")
    assert "name its folder" in said


def test_a_hub_model_without_a_graph_is_refused_by_its_name(tmp_path: Path, hub: Callable[[Path], str]) -> None:
    model = write_model(tmp_path / "model")
    (model / "model.onnx").unlink()
    said = ask_the_hub(tmp_path / "home", HF_ENDPOINT=hub(model))
    assert said.startswith("error model 'somebody/small-model': its folder needs model.onnx")


@pytest.fixture
def hub() -> Iterator[Callable[[Path], str]]:
    with ExitStack() as started:
        yield lambda folder: started.enter_context(imitated_hub(folder))
