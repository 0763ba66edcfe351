"""The programs of docs/sdk.md and examples/, run as they stand against imitated APIs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sdkbench import Clouds

ROOT = Path(__file__).parents[2]
PROGRAMS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "sdk.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def clouds() -> Iterator[Clouds]:
    server = Clouds()
    yield server
    server.stop()


@pytest.fixture
def run(
    clouds: Clouds, key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[list[str], int]]:
    """Run a program: the lines that it prints, and how often it asked."""
    for name, url in {
        "OPENAI_BASE_URL": f"{clouds.url}/v1",
        "ANTHROPIC_BASE_URL": clouds.url,
        "MISTRAL_URL": clouds.url,
        "OLLAMA_HOST": clouds.url,
    }.items():
        monkeypatch.setenv(name, url)
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "MISTRAL_API_KEY"):
        monkeypatch.setenv(name, key)

    def running(program: str) -> tuple[list[str], int]:
        before = sum(map(len, clouds.asked.values()))
        exec(compile(program, "program", "exec"), {"__name__": "__main__"})
        return capsys.readouterr().out.splitlines(), sum(map(len, clouds.asked.values())) - before

    return running


def test_each_program_asks_the_upstream_once_for_what_is_the_same(
    run: Callable[[str], tuple[list[str], int]],
) -> None:
    said = [run(program) for program in PROGRAMS]
    openai, anthropic, mistral, asynchronous, ollama, plain, settings = said
    assert [line.split()[0] for line in openai[0] if line[:4] in ("MISS", "HIT ")] == ["MISS", "HIT"]
    assert [word for line in anthropic[0] for word in line.split() if word in ("MISS", "HIT")] == ["MISS", "HIT"]
    assert mistral[0][: len(mistral[0]) // 2] == mistral[0][len(mistral[0]) // 2 :]
    assert [word for line in asynchronous[0] for word in line.split() if word in ("False", "True")] == ["True", "True"]
    assert ollama[0][: len(ollama[0]) // 2] == ollama[0][len(ollama[0]) // 2 :]
    assert [line.split()[0] for line in plain[0]] == ["True", "True"]
    assert settings[0] == ["anna MISS", "anna HIT", "bob MISS"]
    # The async and the plain one ask what the first asked: their answers are there.
    assert [asked for _, asked in said] == [1, 1, 1, 0, 1, 0, 2]


def test_the_example_does_what_it_says(run: Callable[[str], tuple[list[str], int]]) -> None:
    lines, asked = run((ROOT / "examples" / "sdk_transport.py").read_text())
    first, second = (line for line in lines if "similarity" in line)
    assert first.startswith("MISS similarity -")
    assert re.match(r"HIT  similarity 0\.\d{4}", second)
    assert asked == 1
