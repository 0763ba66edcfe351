"""Problems -> text for people, JSON, GitHub's annotations or SARIF. Bytes in, text out; nothing is printed here.

The text form shows the line of the file that it is in, unless it could hold a secret: a line is left out if it, or the block that
it belongs to, is one whose key usually has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, TypeAlias, assert_never

import msgspec

from gateway.config.problem import Problem

Format: TypeAlias = Literal["text", "json", "github", "sarif"]
FORMATS: tuple[Format, ...] = ("text", "json", "github", "sarif")

_SECRET_KEY = re.compile(
    r"""(?i)(^|[\s{,\[\-"'])(key|api[_-]?key|token|digest_key|headers|options|authorization|cookie|[\w-]*(secret|password)[\w-]*)["']?\s*:"""
)
_USERINFO = re.compile(r"://[^/\s]*@")
_WIDEST = 160
_NO_SOURCE: Mapping[str, str] = MappingProxyType({})
_SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def render(problems: Sequence[Problem], form: Format, source: Mapping[str, str] = _NO_SOURCE) -> str:
    """All problems in one form, ending with a line break; `source` has the text of each file. No problems: "" as text."""
    match form:
        case "text":
            return _text(problems, source)
        case "json":
            return msgspec.json.format(msgspec.json.encode(problems), indent=2).decode() + "\n"
        case "github":
            return "".join(_github(problem) + "\n" for problem in problems)
        case "sarif":
            return msgspec.json.format(msgspec.json.encode(_sarif(problems)), indent=2).decode() + "\n"
        case _:
            assert_never(form)


def summary(problems: Iterable[Problem]) -> str:
    """`2 errors, 1 warning`; "" if there are none."""
    levels = [problem.level for problem in problems]
    counts = ((levels.count("error"), "error"), (levels.count("warning"), "warning"))
    return ", ".join(f"{count} {word}{'s' if count > 1 else ''}" for count, word in counts if count)


class _Source(msgspec.Struct, frozen=True):
    """A file's lines, and which of them could show a secret."""

    lines: list[str]
    hidden: set[int]


def _text(problems: Sequence[Problem], source: Mapping[str, str]) -> str:
    if not problems:
        return ""
    sources = {name: _read(text) for name, text in source.items()}
    blocks = [_block(problem, sources.get(problem.file)) for problem in problems]
    return "\n".join((*blocks, summary(problems) + "\n"))


def _read(text: str) -> _Source:
    lines = re.split(r"\r\n|\r|\n", text)
    return _Source(lines, _secret_lines(lines))


def _block(problem: Problem, source: _Source | None) -> str:
    place = "" if problem.path == "$" else f" ({problem.path})"
    text = f"{_where(problem)}: {problem.level}: {problem.text}{place}\n"
    line = "" if source is None or ".headers" in problem.path else _line(source, problem.line)
    if 0 < len(line) <= _WIDEST:
        margin = " " * len(str(problem.line))
        pointer = re.sub(r"[^\t]", " ", line[: problem.column - 1]) + "^"
        text += f" {problem.line} | {line}\n {margin} | {pointer}\n"
    return text + (f"   = {problem.hint}\n" if problem.hint else "")


def _line(source: _Source, number: int) -> str:
    """A line that may be shown, or ""."""
    known = 0 < number <= len(source.lines) and number not in source.hidden
    return source.lines[number - 1] if known else ""


def _where(problem: Problem) -> str:
    return f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file


def _secret_lines(lines: list[str]) -> set[int]:
    """Numbers of the lines that could show a secret: those with a telling key, and what is indented under them."""
    hidden: set[int] = set()
    under: int | None = None
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip(" -"))
        if under is not None and line.strip() and indent <= under:
            under = None
        if under is not None or _USERINFO.search(line):
            hidden.add(number)
        if found := _SECRET_KEY.search(line):
            hidden.add(number)
            under = min(indent, found.start(2)) if under is None else under
    return hidden


def _github(problem: Problem) -> str:
    """https://docs.github.com/actions/reference/workflow-commands-for-github-actions"""
    text = problem.text + (f"\n{problem.hint}" if problem.hint else "")
    properties = {"file": problem.file}
    if problem.line:
        properties |= {"line": str(problem.line), "col": str(problem.column)}
    properties["title"] = "routes file"
    shown = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return f"::{problem.level} {shown}::{_escape(text)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


def _sarif(problems: Sequence[Problem]) -> dict[str, object]:
    """The smallest valid SARIF 2.1.0 log: one run, one rule, one result for each problem."""
    rule = {"id": "routes-file", "shortDescription": {"text": "The routes file must be right before it is used."}}
    driver = {"name": "semgate", "rules": [rule]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(each) for each in problems],
    }
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [run]}


def _result(problem: Problem) -> dict[str, object]:
    text = problem.text + (f" ({problem.hint})" if problem.hint else "")
    physical: dict[str, object] = {"artifactLocation": {"uri": problem.file.replace("\\", "/")}}
    if problem.line:
        physical["region"] = {"startLine": problem.line, "startColumn": problem.column}
    logical = {"fullyQualifiedName": problem.path}
    return {
        "ruleId": "routes-file",
        "level": problem.level,
        "message": {"text": text},
        "locations": [{"physicalLocation": physical, "logicalLocations": [logical]}],
    }
