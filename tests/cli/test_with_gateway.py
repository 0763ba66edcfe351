"""The commands against a real gateway: what is imported is served, what is purged is gone, what is said is true."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from admin_server import Semgate
from click.testing import Result

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))

from running import SEMGATE, Gateway, serve

CONFIG = """
server: {listen: LISTEN, data_dir: ./data, admin: {token: TOKEN}, access_log: true}
upstreams:
  hello: {respond: {body: '{"answer": "Open Settings."}'}}
  away: {url: "http://127.0.0.1:9"}
routes:
  - {name: hello, path: /hello, upstream: hello, preset: json-query, scope: public}
  - {name: openai-chat, path: /v1/chat/completions, upstream: away, preset: openai-chat, scope: "header:X-Tenant"}
  - {name: anthropic-messages, path: /v1/messages, upstream: away, preset: anthropic-messages, scope: public}
  - {name: ollama-chat, path: /api/chat, upstream: away, preset: ollama-chat, scope: public}
  - {name: ollama-generate, path: /api/generate, upstream: away, preset: ollama-generate, scope: public}
  - {name: json-query, path: /ask, upstream: away, preset: json-query, scope: public}
"""
QUESTION = 'What does "two-factor" mean?'
ANSWER = 'It is a "second" proof\nof who you are: {question}'


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("gateway"), CONFIG) as running:
        yield running


@pytest.fixture
def tell(semgate: Semgate, gateway: Gateway) -> Semgate:
    """Run a command with the gateway's own routes file."""

    def run(*arguments: object) -> Result:
        result = semgate(*arguments, "--config", gateway.file)
        assert "Traceback" not in result.stderr
        assert "TOKEN" not in result.output
        return result

    return run


def test_lookup_says_what_would_be_served(tell: Semgate, gateway: Gateway, alone: Path) -> None:
    question = "How do I reset my password?"
    assert tell("lookup", "hello", question).exit_code == 1
    assert gateway.ask("/hello", {"query": question}).headers["x-cache"] == "MISS"
    hit = tell("lookup", "hello", "What is the way to reset my password?", "--format", "json")
    assert hit.exit_code == 0
    assert json.loads(hit.stdout)["candidates"][0]["question"] == question
    (alone / "body.json").write_text(json.dumps({"query": question}))
    whole = tell("lookup", "hello", "--body", "body.json")
    assert (whole.exit_code, whole.stdout.split()[0]) == (0, "hit")
    unknown = tell("lookup", "helo", question)
    assert unknown.exit_code == 1
    assert "helo" in unknown.stderr


def test_entries_are_listed_shown_and_removed(tell: Semgate, gateway: Gateway) -> None:
    ids = [
        gateway.ask("/hello", {"query": f"Is number {number} in the list?"}).headers.get("x-cache-entry")
        for number in range(3)
        for _ in range(2)
    ][1::2]
    listed = [json.loads(line) for line in tell("entries", "list", "--all", "--format", "jsonl").stdout.splitlines()]
    assert set(ids) <= {each["id"] for each in listed}
    assert "Is number 1 in the list?" in tell("entries", "show", ids[1]).stdout
    assert "Open Settings." in tell("entries", "show", ids[1]).stdout
    assert tell("entries", "rm", ids[1]).exit_code == 0
    assert tell("entries", "rm", ids[1]).exit_code == 1
    assert tell("entries", "show", ids[1]).exit_code == 1


FORMS: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "openai-chat": (
        "/v1/chat/completions",
        {"model": "m", "messages": [{"role": "user", "content": QUESTION}]},
        {"X-Tenant": "web"},
    ),
    "anthropic-messages": (
        "/v1/messages",
        {"model": "m", "max_tokens": 1024, "messages": [{"role": "user", "content": QUESTION}]},
        {"anthropic-version": "2023-06-01"},
    ),
    "ollama-chat": ("/api/chat", {"model": "m", "messages": [{"role": "user", "content": QUESTION}]}, {}),
    "ollama-generate": ("/api/generate", {"model": "m", "prompt": QUESTION}, {}),
    "json-query": ("/ask", {"query": QUESTION}, {}),
}


@pytest.mark.parametrize("preset", list(FORMS))
def test_an_imported_question_is_answered_in_every_form(
    tell: Semgate, gateway: Gateway, alone: Path, preset: str
) -> None:
    path, body, headers = FORMS[preset]
    (alone / "faq.jsonl").write_text(json.dumps({"question": QUESTION, "answer": ANSWER}))
    model = () if preset == "json-query" else ("--model", "m")
    scope = ("--scope", "web") if preset == "openai-chat" else ()
    result = tell("import", "faq.jsonl", "--route", preset, *model, *scope)
    assert (result.exit_code, result.stdout) == (0, "faq.jsonl: 1 kept, 0 known already, 0 failed\n"), result.stderr
    streams = (False,) if preset == "json-query" else (False, True)
    for streamed in streams:
        wish = {"stream": streamed} if streamed or preset.startswith("ollama") else {}
        answer = gateway.ask(path, {**body, **wish}, headers)
        assert answer.headers.get("x-cache") == "HIT", answer.text
        assert said(answer.text) == ANSWER
    assert "1 known already" in tell("import", "faq.jsonl", "--route", preset, *model, *scope).stdout


def said(body: str) -> str:
    """What an answer, or the events of a stream put together, says to a reader."""
    lines = [line.removeprefix("data: ") for line in body.splitlines()]
    return "".join(text for line in lines if line.startswith("{") for text in texts(json.loads(line)))


def texts(document: object) -> list[str]:
    """The texts that grow piece by piece; not ids, roles and the like."""
    match document:
        case dict(members):
            spoken = ("answer", "response", "message", "choices", "content", "delta", "text")
            return [text for name in spoken if name in members for text in texts(members[name])]
        case list(items):
            return [text for item in items for text in texts(item)]
        case str(text):
            return [text]
        case _:
            return []


def test_what_cannot_be_kept_is_told_by_its_line(tell: Semgate, alone: Path) -> None:
    lines = [
        {"body": {"query": "Is this kept?"}, "answer": {"answer": "yes"}},
        {"body": {"query": "And this?"}, "answer": {"error": "no"}},
        {"body": {"nothing": "asked"}, "answer": {"answer": "?"}},
    ]
    (alone / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    result = tell("import", "rows.jsonl", "--route", "json-query")
    assert (result.exit_code, result.stdout) == (1, "rows.jsonl: 1 kept, 0 known already, 2 failed\n")
    assert "rows.jsonl:2: " in result.stderr
    assert "rows.jsonl:3: " in result.stderr


def test_tags_are_purged_and_an_export_brings_them_back(tell: Semgate, gateway: Gateway, alone: Path) -> None:
    with (alone / "faq.csv").open("w") as file:
        file.write("question,answer,tags\n")
        file.writelines(f"What is in chapter {each}?,Number {each},chapter-{each % 2}\n" for each in range(20))
    assert tell("import", "faq.csv", "--route", "json-query", "--tag", "unused").exit_code == 0
    assert tell("export", "--route", "json-query", "--out", "all.jsonl.gz").exit_code == 0
    exported = [json.loads(line) for line in gzip.decompress((alone / "all.jsonl.gz").read_bytes()).splitlines()]
    assert sum("chapter-1" in each["tags"] for each in exported) == 10
    assert tell("purge", "--tag", "chapter-1").stdout == "10 entries would be purged\n"
    assert gateway.ask("/ask", {"query": "What is in chapter 3?"}).headers["x-cache"] == "HIT"
    assert tell("purge", "--tag", "chapter-1", "--yes").stdout == "purged 10 entries\n"
    assert gateway.ask("/ask", {"query": "What is in chapter 3?"}).headers.get("x-cache") != "HIT"
    again = tell("import", "all.jsonl.gz")
    assert again.exit_code == 0
    assert "10 kept" in again.stdout
    assert gateway.ask("/ask", {"query": "What is in chapter 3?"}).headers["x-cache"] == "HIT"


def test_a_purge_by_similarity_and_by_scope(tell: Semgate, alone: Path) -> None:
    (alone / "faq.csv").write_text("question,answer\nHow long do refunds take?,A week\nWhere is the library?,There\n")
    imported = tell("import", "faq.csv", "--route", "openai-chat", "--model", "s", "--scope", "tenant-7")
    assert imported.exit_code == 0, imported.stderr
    near = ("--route", "openai-chat", "--similar-to", "How long does a refund take?", "--at-least", "0.8")
    assert tell("purge", *near, "--yes").stdout == "purged 1 entry of route openai-chat\n"
    assert tell("purge", "--route", "openai-chat", "--scope", "tenant-7", "--yes").stdout.startswith("purged 1 entry")


def test_stats_count_what_was_answered(tell: Semgate, gateway: Gateway) -> None:
    before = json.loads(tell("stats", "--format", "json").stdout)["routes"]["hello"]
    for _ in range(3):
        gateway.ask("/hello", {"query": "Is this counted?"})
    after = json.loads(tell("stats", "--format", "json").stdout)["routes"]["hello"]
    assert after["requests"] - before["requests"] == 3
    assert sum(after["hits"].values()) - sum(before["hits"].values()) == 2
    assert "hello" in tell("stats").stdout
    assert "● ready" in tell("top", "--once", "--interval", "200ms").stdout


def test_a_reload_takes_the_changed_file_or_says_what_is_wrong_with_it(tell: Semgate, gateway: Gateway) -> None:
    right = gateway.file.read_text()
    try:
        first = tell("reload").stdout.split()[0]
        gateway.file.write_text(right.replace("Open Settings.", "Close Settings."))
        changed = tell("reload")
        assert changed.exit_code == 0
        assert changed.stdout.split()[0] != first
        gateway.file.write_text(right.replace("preset: ollama-chat", "preset: ollama-caht"))
        refused = tell("reload")
        assert refused.exit_code == 1
        assert "ollama-caht" in refused.stdout
        assert f"{gateway.file.name}:10:" in refused.stdout
        assert "the old configuration runs on" in refused.stderr
    finally:
        gateway.file.write_text(right)
        tell("reload")


def test_the_command_as_a_process_prints_results_on_stdout_only(gateway: Gateway, alone: Path) -> None:
    env = {**os.environ, "SEMGATE_CONFIG": str(gateway.file), "PYTHONWARNINGS": "error"}
    done = subprocess.run([SEMGATE, "stats", "--format", "json"], capture_output=True, env=env, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "hello" in json.loads(done.stdout)["routes"]
    wrong = subprocess.run([SEMGATE, "stats", "--token", "wrong"], capture_output=True, env=env, timeout=60)
    assert (wrong.returncode, wrong.stdout) == (1, b"")
    assert wrong.stderr.startswith(b"error: ")
