"""The documentation keeps up with the code: what can be seen from outside is documented, what is named exists.

Texts are searched for the values themselves, so a new reason, metric, command or error without a line in docs/ fails here.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from gateway import errors
from gateway.cli.main import main
from gateway.core.events import Outcome, Stage
from gateway.core.messages import HitKind, Reason, Source
from gateway.observe.metrics import Metrics

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def calls(program: str, file: Path) -> set[str]:
    """The first arguments with which a page calls a program, in code blocks or inline code."""
    text = file.read_text(encoding="utf-8")
    code = re.findall(r"^```.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    return {call for piece in code for call in re.findall(rf"^(?:\$ )?{program} ([a-z]+)\b", piece, re.MULTILINE)}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_row(reason: Reason) -> None:
    assert f"\n| `{reason.value}` | " in page("docs/http.md")


def test_every_reason_that_is_explained_exists() -> None:
    reasons = page("docs/http.md").split("\n## Reasons\n")[1].split("\n## ")[0]
    explained = set(re.findall(r"^\| `([a-z-]+)` \|", reasons, re.MULTILINE))
    assert explained == {reason.value for reason in Reason}


@pytest.mark.parametrize("value", [*Source, *HitKind])
def test_every_value_of_a_header_is_documented(value: Source | HitKind) -> None:
    assert value.value in page("docs/http.md").split("\n## What a client may ask")[0]


def metric_names() -> list[str]:
    """As Prometheus shows them: counters end in `_total`."""
    families = Metrics().registry.collect()
    return [family.name + "_total" if family.type == "counter" else family.name for family in families]


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    documented = re.findall(r"^\| `(semgate_[a-z_]+)` \|", page("docs/operations.md"), re.MULTILINE)
    assert sorted(documented) == sorted(metric_names())


@pytest.mark.parametrize("value", [*Outcome, *Stage])
def test_every_value_of_a_label_is_documented(value: Outcome | Stage) -> None:
    assert f"`{value.value}`" in page("docs/operations.md")


def own_errors() -> list[type[errors.SemgateError]]:
    """Those that clients can see: not the operator's, not the cache's own trouble."""
    defined = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.SemgateError)
    ]
    hidden = (errors.SemgateError, errors.ClientError, errors.ConfigError)
    return [each for each in defined if each not in hidden and not issubclass(each, errors.CacheTrouble)]


@pytest.mark.parametrize("error", own_errors(), ids=lambda error: error.__name__)
def test_every_error_that_a_client_can_see_has_a_row(error: type[errors.SemgateError]) -> None:
    assert f"\n| {error.status} | {error.title} | " in page("docs/http.md")


def test_every_error_that_is_explained_exists() -> None:
    explained = re.findall(r"^\| (\d+) \| ([^|]+) \|", page("docs/http.md"), re.MULTILINE)
    assert sorted(explained) == sorted((str(error.status), error.title) for error in own_errors())


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_is_documented(command: str) -> None:
    assert f"semgate {command}" in page("README.md")
    assert f"semgate {command}" in page("docs/operations.md")


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_command_that_is_named_exists(file: Path) -> None:
    assert calls("semgate", file) <= set(main.commands)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(file: Path) -> None:
    assert calls("make", file) <= make_targets()


def test_every_make_target_is_in_its_help() -> None:
    described = set(re.findall(r"^([a-z]+):.*## ", page("Makefile"), re.MULTILINE))
    assert described == make_targets()


def anchors(text: str) -> set[str]:
    """What GitHub makes of headings: lower case, no punctuation, dashes for spaces."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_internal_link_resolves(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_page_is_in_the_map(file: Path) -> None:
    if file.name not in ("index.md", "README.md"):
        assert file.name in page("docs/index.md")
    assert "README.md" in page("docs/index.md")


def test_every_route_and_preset_that_the_readme_names_exists() -> None:
    text = page("README.md")
    presets = {file.stem for file in (ROOT / "gateway" / "config" / "presets").glob("*.yaml")}
    listed = text.split("Presets: ")[1].split(". For another")[0]
    assert set(re.findall(r"`([a-z-]+)`", listed)) == presets
    routes = set(re.findall(r"^  - name: (\S+)", page("routes.yaml"), re.MULTILINE))
    assert set(re.findall(r"^semgate explain (\S+)", text, re.MULTILINE)) <= routes
