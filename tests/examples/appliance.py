"""What the Containerfile promises, for the examples that run its image: they must agree with it, and with each other."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.config.load import read
from gateway.config.model import Server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# How long requests in flight get after SIGTERM, unless a file says otherwise.
DRAIN_SECONDS = Server().drain


class Image(NamedTuple):
    """The final stage of the Containerfile. `tag` is what `scripts/container build` calls it."""

    tag: str
    environment: dict[str, str]
    port: str
    user: str
    volume: str
    health: list[str]
    stop_signal: str

    @property
    def routes_folder(self) -> str:
        return str(Path(self.environment["SEMGATE_CONFIG"]).parent)


def image() -> Image:
    text = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
    final = text.rpartition("\nFROM ")[2]
    instructions = dict(re.findall(r"^([A-Z]+) +(.*)$", final, re.MULTILINE))
    environment = dict(pair.split("=", 1) for pair in shlex.split(instructions["ENV"]))
    health = msgspec.json.decode(instructions["HEALTHCHECK"].partition("CMD ")[2], type=list[str])
    tag = re.search(r"^image_tag=(.*)$", (ROOT / "scripts" / "container").read_text(), re.MULTILINE)
    assert tag is not None
    user, volume = instructions["USER"].partition(":")[0], instructions["VOLUME"]
    return Image(tag[1], environment, instructions["EXPOSE"], user, volume, health, instructions["STOPSIGNAL"])


def problems(routes: Path, given: dict[str, str]) -> list[str]:
    """What `semgate check` says about a routes file in the container, where no variables but the image's own and the given
    ones are set."""
    return [str(problem) for problem in read(routes, image().environment | given).problems]


def refusals(schema: str, file: Path) -> str:
    """What the schema of that name (one that comes with check-jsonschema) has against a file; empty: nothing."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
