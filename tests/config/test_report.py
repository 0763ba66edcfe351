"""Problems in the forms that people, scripts, GitHub and code scanning read."""

import json

import pytest

from gateway.config.problem import Problem
from gateway.config.report import render

SOURCE = """\
version: 1
clients:
  - {name: a, key: literal-secret}
upstreams:
  api:
    url: https://me:literal-secret@api.example.com
    headers:
      X-Thing: literal-secret
      Y-Thing: >-
        literal-secret
    connections: 0
server:
\tdigest_key: literal-secret
"""

SOURCES = {"routes.yaml": SOURCE}


def problem(line: int, column: int = 3, **more: object) -> Problem:
    fields: dict[str, object] = {"path": "$.a", "text": "it is wrong", "file": "routes.yaml", **more}
    return Problem(line=line, column=column, **fields)  # type: ignore[arg-type]


def test_text_points_at_the_place() -> None:
    assert render([problem(11, 18, hint="at least 1")], "text", SOURCES) == (
        "routes.yaml:11:18: error: it is wrong ($.a)\n"
        " 11 |     connections: 0\n"
        "    |                  ^\n"
        "   = at least 1\n"
        "\n"
        "1 error\n"
    )


def test_no_problems_are_no_text() -> None:
    assert render([], "text", SOURCES) == ""
    assert render([], "github", SOURCES) == ""
    assert json.loads(render([], "json", SOURCES)) == []


def test_a_problem_of_the_whole_file_has_no_line() -> None:
    assert render([problem(0, 0, path="$")], "text", {}).startswith("routes.yaml: error: it is wrong\n\n")
    assert (
        render([problem(0, 0, path="$")], "github", {}) == "::error file=routes.yaml,title=routes file::it is wrong\n"
    )


@pytest.mark.parametrize("form", ["text", "json", "github", "sarif"])
def test_lines_that_could_hold_a_secret_are_never_shown(form: str) -> None:
    everywhere = [problem(line) for line in range(20)]
    assert "literal-secret" not in render(everywhere, form, SOURCES)  # type: ignore[arg-type]


def test_a_column_beyond_its_line_is_no_trouble() -> None:
    assert "    |" in render([problem(11, 500)], "text", SOURCES)


def test_json_has_every_member() -> None:
    assert json.loads(render([problem(3, hint="so", level="warning")], "json", SOURCES)) == [
        {
            "path": "$.a",
            "line": 3,
            "column": 3,
            "text": "it is wrong",
            "hint": "so",
            "level": "warning",
            "file": "routes.yaml",
        }
    ]


def test_github_gets_one_escaped_line_for_each() -> None:
    awkward = problem(2, text="100% wrong\nindeed", hint="a, b: c", level="warning", file="a,b:c%.yaml")
    assert render([awkward], "github", SOURCES) == (
        "::warning file=a%2Cb%3Ac%25.yaml,line=2,col=3,title=routes file::100%25 wrong%0Aindeed%0Aa, b: c\n"
    )


def test_sarif_is_a_valid_log() -> None:
    log = json.loads(render([problem(2, hint="so"), problem(0, 0, level="warning")], "sarif", SOURCES))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "semgate"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    first, second = run["results"]
    assert {first["ruleId"], second["ruleId"]} <= set(rules)
    assert (first["level"], second["level"]) == ("error", "warning")
    assert first["message"] == {"text": "it is wrong (so)"}
    (place,) = first["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "routes.yaml"},
        "region": {"startLine": 2, "startColumn": 3},
    }
    assert place["logicalLocations"] == [{"fullyQualifiedName": "$.a"}]
    # A region without a line would not be valid.
    assert "region" not in second["locations"][0]["physicalLocation"]
