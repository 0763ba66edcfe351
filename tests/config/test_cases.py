"""Pairs of files: a routes file and the exact report of `semgate check` on it. To add one, write cases/NAME.yaml, run
`python tests/config/test_cases.py` and read what it put into NAME.txt. Files that a case includes are in cases/parts.
"""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from gateway.config.load import read
from gateway.config.model import File
from gateway.config.report import render
from gateway.config.schema import routes_schema
from gateway.config.shape import read_shape
from gateway.config.tree import Mapping, Node, Scalar, Sequence, find
from gateway.config.yaml import parse

CASES = Path(__file__).parent / "cases"
ENV = {
    "SECRET": "s3cr3t-value-that-nobody-may-see",
    "NAME": "s3cr3t-name",
    "LINES": "s3cr3t\r\nline",
    "DIGITS": "12",
    "NO": "false",
    "EMPTY": "",
}
NAMES = sorted(path.stem for path in CASES.glob("*.yaml"))


def report(path: Path) -> str:
    loaded = read(path, ENV)
    assert (loaded.settings is None) == any(problem.level == "error" for problem in loaded.problems)
    return render(loaded.problems, "text", loaded.source).replace(f"{CASES}/", "") or "fine\n"


@pytest.mark.parametrize("name", NAMES)
def test_each_mistake_has_its_exact_report(name: str) -> None:
    assert report(CASES / f"{name}.yaml") == (CASES / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_nothing_from_outside_is_ever_in_a_report(name: str) -> None:
    loaded = read(CASES / f"{name}.yaml", ENV)
    for form in ("text", "json", "github", "sarif"):
        assert "s3cr3t" not in render(loaded.problems, form, loaded.source)


def test_every_report_has_its_case() -> None:
    assert sorted(path.stem for path in CASES.glob("*.txt")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_agrees_with_the_shape_that_load_reads(name: str) -> None:
    root = parse((CASES / f"{name}.yaml").read_bytes()).root
    if not isinstance(root, Mapping) or "nested" in name:
        return
    shaped = read_shape(root, File)
    # What `${...}` becomes is not for a schema to know, and that a duration can be too long or too short neither.
    told = [
        problem
        for problem, node in ((each, find(root, place(each.path))) for each in shaped.problems)
        if not (isinstance(node, Scalar) and "${" in node.text) and "up to 3650d" not in problem.text
    ]
    errors = list(jsonschema.Draft202012Validator(routes_schema()).iter_errors(as_json(root)))
    assert bool(errors) == bool(told), (errors, told)


def place(path: str) -> tuple[str | int, ...]:
    steps = re.findall(r"\.(\w+)|\[(\d+)\]|\['([^']*)'\]", path)
    return tuple(int(index) if index else name or quoted for name, index, quoted in steps)


def as_json(node: Node | None) -> object:
    match node:
        case Mapping(members=members):
            return {name: as_json(member) for name, member in members.items()}
        case Sequence(items=items):
            return [as_json(item) for item in items]
        case Scalar(text=text) as scalar if scalar.kind() == "text":
            return text
        case Scalar(text=text) as scalar if scalar.kind() == "null":
            return None
        case Scalar(text=text):
            return int(text, 0) if text.startswith("0") and text[1:2] in ("o", "x") else json.loads(text.lower())
        case None:
            return None


if __name__ == "__main__":
    for each in NAMES:
        (CASES / f"{each}.txt").write_text(report(CASES / f"{each}.yaml"), "utf-8")
