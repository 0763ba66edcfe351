"""The README's first five minutes, played against the shipped routes.yaml: what it shows is what comes back."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import httpx
import msgspec
import pytest

ROOT = Path(__file__).parents[2]
# Another CPU rounds the shipped model's numbers otherwise (see its card): similarities agree to about 0.005.
SIMILARITY_TOLERANCE = 0.005


class Exchange(msgspec.Struct, frozen=True):
    """A curl call of the README and the answer printed below it."""

    url: str
    data: str
    status: int
    headers: dict[str, str]
    body: str


def read_exchanges() -> list[Exchange]:
    blocks = re.findall(
        r"```console\n\$ (curl .*?)\n(HTTP.*?)\n\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    return [exchange(*block) for block in blocks]


def exchange(command: str, head: str, body: str) -> Exchange:
    match shlex.split(command):
        case ["curl", "-si", url, "-d", data]:
            status, *fields = head.splitlines()
            headers = dict(field.split(": ", 1) for field in fields)
            return Exchange(url, data, int(status.split()[1]), headers, body)
        case other:
            raise AssertionError(f"the README has a curl call that this test cannot read: {other}")


@pytest.fixture(scope="module")
def answers(serve) -> list[tuple[Exchange, httpx.Response]]:
    gateway = serve("routes.yaml")
    answered = []
    for shown in read_exchanges():
        assert shown.url.startswith("http://127.0.0.1:8080/")
        url = shown.url.replace("http://127.0.0.1:8080", gateway.url)
        answered.append((shown, httpx.post(url, content=shown.data, verify=False)))
        gateway.wait_until_kept("hello")
    return answered


def test_the_first_question_misses_and_the_second_in_other_words_hits(answers) -> None:
    assert [answer.headers["x-cache"] for _, answer in answers] == ["MISS", "HIT"]
    questions = [shown.data for shown, _ in answers]
    assert questions[0] != questions[1]


def test_the_answers_are_those_that_are_printed(answers) -> None:
    for shown, answer in answers:
        assert (answer.status_code, answer.text) == (shown.status, shown.body)


def test_the_headers_are_those_that_are_printed(answers) -> None:
    for shown, answer in answers:
        for name, value in shown.headers.items():
            assert name in answer.headers
            if name == "x-cache-similarity":
                assert float(answer.headers[name]) == pytest.approx(float(value), abs=SIMILARITY_TOLERANCE)
            elif name not in ("age", "x-cache-entry"):
                assert without_ttl(answer.headers[name]) == without_ttl(value)


def test_no_cache_header_is_left_out(answers) -> None:
    for shown, answer in answers:
        said = {name for name in answer.headers if name.startswith(("x-cache", "cache-status", "age"))}
        assert said <= set(shown.headers)


def without_ttl(value: str) -> str:
    return re.sub(r"ttl=\d+", "ttl=N", value)
