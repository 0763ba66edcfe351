"""examples/ci: the workflow is right by GitHub's schema, and its check finds what is wrong in a pull request."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from appliance import EXAMPLES, ROOT, refusals

FILE = EXAMPLES / "ci" / "github.yml"


@pytest.fixture(scope="module")
def step() -> dict[str, object]:
    steps = yaml.safe_load(FILE.read_text())["jobs"]["check"]["steps"]
    [found] = [step for step in steps if step.get("run", "").startswith("semgate ")]
    return dict(found)


def run(step: dict[str, object], folder: Path) -> subprocess.CompletedProcess[str]:
    command, variables = str(step["run"]), step["env"]
    assert isinstance(variables, dict)
    program, *arguments = shlex.split(command)
    assert program == "semgate"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SEMGATE_", "OPENAI_"))}
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *arguments],
        cwd=folder,
        env=env | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_is_right_by_the_schema_of_workflows() -> None:
    assert refusals("github-workflows", FILE) == ""


def test_it_runs_where_a_routes_file_is_changed_and_may_only_read() -> None:
    workflow = yaml.safe_load(FILE.read_text())
    assert "routes.yaml" in workflow[True]["pull_request"]["paths"]  # YAML 1.1 reads `on` as a boolean
    assert workflow["permissions"] == {"contents": "read"}


def test_a_right_file_passes(step, tmp_path) -> None:
    (tmp_path / "routes.yaml").write_bytes((ROOT / "examples/compose/routes/routes.yaml").read_bytes())
    given = {"SEMGATE_LISTEN": "127.0.0.1:8080", "SEMGATE_DATA": str(tmp_path), "SEMGATE_DIGEST_KEY": "k" * 32}
    stores = {"SEMGATE_POSTGRES_URL": "postgresql://u@db/s", "SEMGATE_REDIS_URL": "redis://cache"}
    done = run({**step, "env": {**step["env"], **given, **stores}}, tmp_path)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_mistake_is_shown_at_its_line(step, tmp_path) -> None:
    right = (ROOT / "routes.yaml").read_text()
    (tmp_path / "routes.yaml").write_text(right.replace("upstream: anthropic", "upstream: antropic"))
    line = right[: right.index("upstream: anthropic")].count("\n") + 1
    done = run(step, tmp_path)
    assert done.returncode == 1
    assert f"::error file=routes.yaml,line={line}," in done.stdout
