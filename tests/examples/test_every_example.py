"""No example without a test: each file is named, together with its folder, by a module of tests that runs or reads it.

Pages are read by tests/docs, all that there are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(
    each.relative_to(ROOT)
    for each in (ROOT / "examples").rglob("*")
    if each.is_file() and each.suffix not in (".md", ".pyc")
)


@pytest.fixture(scope="module")
def modules() -> list[str]:
    return [each.read_text("utf-8") for each in (ROOT / "tests").rglob("*.py") if each != Path(__file__)]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_test_names_it(example: Path, modules: list[str]) -> None:
    assert any(example.name in module and example.parent.name in module for module in modules)
