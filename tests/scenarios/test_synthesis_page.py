"""docs/synthesis.md and examples/synthesis.yaml: the file serves as it stands, and the program prints what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from running import RawUpstream, serve
from synthesized import SUNDAY_ANSWER, Cheap, knowing

from gateway.synthesis.writer import SHIPPED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/synthesis.md").read_text("utf-8")
EXAMPLE = (ROOT / "examples/synthesis.yaml").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_shows_the_example() -> None:
    assert block("yaml") == EXAMPLE
    assert f"../{SHIPPED.relative_to(ROOT)}" in PAGE


def test_the_program_sees_all_three_tiers(upstream: RawUpstream, data_dir: Path, tmp_path: Path) -> None:
    cheap_server = RawUpstream()
    cheap = Cheap(cheap_server)
    knowing(upstream)
    server = f'server: {{listen: LISTEN, data_dir: "{data_dir}", namespace: synthesis-page}}\n'
    config = server + EXAMPLE.replace("version: 1\n", "")
    env = {"OPENAI_API_KEY": "sk-x", "OPENAI_URL": upstream.url, "OLLAMA_URL": cheap_server.url}
    (tmp_path / "program.py").write_text(block("python"))
    try:
        with serve(tmp_path, config, env=env) as gateway:
            told = subprocess.run(
                [sys.executable, "program.py"],
                cwd=tmp_path,
                env={**os.environ, "SEMGATE_URL": gateway.url},
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
    finally:
        cheap_server.stop()
    first, second, third, streamed = told.stdout.splitlines()
    assert (first.split()[0], second.split()[0]) == ("MISS", "HIT")
    assert third == f"SYNTHESIS - {SUNDAY_ANSWER}"
    assert streamed == SUNDAY_ANSWER
    assert cheap.asked[0]["model"] == "qwen3:4b-instruct"
