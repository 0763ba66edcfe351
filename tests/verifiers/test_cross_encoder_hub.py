"""The cross-encoder with a model's id: downloaded from a hub once, and used without one afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from imitated_hub import imitated_hub
from pair_models import write_adding_model

ASK_THE_HUB = """
import asyncio
from gateway.core.messages import Near
from gateway.errors import VerifierError
from gateway.verifiers.cross_encoder import CrossEncoderVerifier

async def main():
    verifier = CrossEncoderVerifier(model="somebody/small-model", weight=0)
    try:
        print("score", *(round(score, 3) for score in await verifier.judge("red light", [Near("blue", 0.9)])))
    except VerifierError as error:
        print("error", error)
    await verifier.close()

asyncio.run(main())
"""


def ask_the_hub(home: Path, **environment: str) -> str:
    env = {"PATH": "/usr/bin:/bin", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment}
    told = subprocess.run([sys.executable, "-c", ASK_THE_HUB], capture_output=True, text=True, env=env, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_a_hub_id_is_downloaded_once_and_used_offline_afterwards(tmp_path: Path) -> None:
    with imitated_hub(write_adding_model(tmp_path / "model", graph="onnx/model.onnx")) as url:
        assert ask_the_hub(tmp_path / "home", HF_ENDPOINT=url) == "score 0.881"
    assert ask_the_hub(tmp_path / "home", HF_HUB_OFFLINE="1") == "score 0.881"


def test_a_model_that_the_hub_does_not_give_is_named_with_what_to_do(tmp_path: Path) -> None:
    said = ask_the_hub(tmp_path, HF_HUB_OFFLINE="1")
    assert said.startswith("error model 'somebody/small-model' is not a folder, and the hub did not give it")
    assert "name its folder" in said
