"""docs/judging.md and examples/judging: what the page shows is what the commands print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from admin_server import Semgate

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "judging"
PAGE = (ROOT / "docs" / "judging.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```console\n\$ semgate (.*?)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
# Another processor moves similarities by up to 0.005, and with them a pair or two.
THIN = "evidence is too thin"


def words(line: str) -> str:
    return " ".join(re.sub(r"[0-9][0-9.,]*\*?", "#", line).split())


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_what_the_page_shows_is_printed(
    semgate: Semgate, monkeypatch: pytest.MonkeyPatch, command: str, shown: str
) -> None:
    monkeypatch.chdir(EXAMPLES)
    done = semgate(*shlex.split(command))
    assert done.exit_code == (3 if THIN in shown else 0), done.stderr
    printed = {words(line) for line in done.stdout.splitlines()}
    for line in shown.splitlines():
        if line != "..." and not re.match(r"\s*[0-9.]+\*? ", line):
            assert words(line) in printed


@pytest.mark.parametrize("route", ["pairwise", "similarity"])
def test_the_examples_fit_each_other(semgate: Semgate, monkeypatch: pytest.MonkeyPatch, route: str) -> None:
    monkeypatch.chdir(EXAMPLES)
    assert semgate("check", "routes.yaml").exit_code == 0
    for command in (("judge", "pairs.csv"), ("simulate", "questions.csv")):
        done = semgate(*command, "--route", route)
        assert (done.exit_code, done.stderr) == (0, "")
