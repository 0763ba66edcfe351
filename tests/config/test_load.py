"""A file -> settings: values from outside, the digest, what is watched, and that nothing in a file can raise."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.load import Loaded, load, read
from gateway.config.model import Duration, File, Interval, OpenAIEmbedder, Share, Size
from gateway.config.plain import plain
from gateway.config.report import FORMATS, render
from gateway.config.units import (
    LARGEST,
    LONGEST,
    parse_duration,
    parse_interval,
    parse_share,
    parse_size,
    write_duration,
    write_size,
)

CASES = Path(__file__).parent / "cases"
SMALL = """\
version: 1
upstreams:
  api: {url: https://api.example.com, headers: {Authorization: "Bearer ${KEY:-}", X-Part: "${A:-}-${B:-}"}}
routes:
  - {name: ask, path: /ask, upstream: api, preset: json-query, scope: client}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "routes.yaml"


def fine(path: Path, text: str, env: dict[str, str]) -> tuple[Loaded, File]:
    path.write_text(text)
    loaded = read(path, env)
    assert loaded.settings is not None, loaded.problems
    return loaded, loaded.settings


def test_a_header_whose_variables_are_all_empty_is_not_set(path: Path) -> None:
    assert fine(path, SMALL, {})[1].upstreams["api"].headers == {}
    assert fine(path, SMALL, {"KEY": ""})[1].upstreams["api"].headers == {}
    assert fine(path, SMALL, {"KEY": "k", "B": "b"})[1].upstreams["api"].headers == {
        "Authorization": "Bearer k",
        "X-Part": "-b",
    }


def test_values_from_files_lose_one_line_break_and_are_watched(path: Path) -> None:
    (path.parent / "url").write_text("redis://cache\n")
    (path.parent / "dir").write_bytes(b"/data \n\n")
    text = SMALL + "stores: {redis: {url: '${file:url}'}}\nserver: {data_dir: '${file:dir}'}\n"
    loaded, file = fine(path, text, {})
    assert (file.stores.redis.url, file.server.data_dir) == ("redis://cache", "/data \n")
    assert loaded.watched == (path, path.parent / "url", path.parent / "dir")
    assert loaded.secrets == frozenset({"$.stores.redis.url", "$.server.data_dir"})


def test_a_file_can_be_named_absolutely(path: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("0123456789abcdef\r\n")
    assert (
        fine(path, SMALL + f"server: {{digest_key: '${{file:{key}}}'}}\n", {})[1].server.digest_key
        == "0123456789abcdef"
    )


def test_a_file_that_cannot_be_read_is_named(path: Path) -> None:
    path.write_text(SMALL + "server: {digest_key: '${file:" + "x" * 5000 + "}'}\n")
    problems = read(path, {}).problems
    assert [problem.path for problem in problems] == ["$.server.digest_key"]
    assert problems[0].text.startswith("${file:xxx")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\x00b", b"x" * 70_000])
def test_a_secret_file_that_is_no_text_is_a_problem(path: Path, content: bytes) -> None:
    (path.parent / "key").write_bytes(content)
    path.write_text(SMALL + "server: {digest_key: '${file:key}'}\n")
    problems = read(path, {}).problems
    assert [problem.path for problem in problems] == ["$.server.digest_key"]


def test_an_environment_value_that_is_not_utf_8_is_a_problem(path: Path) -> None:
    path.write_text(SMALL)
    assert "the value of ${KEY} is not plain UTF-8 text" in [
        each.text for each in read(path, {"KEY": "\udcff"}).problems
    ]


def test_a_value_never_adds_structure(path: Path) -> None:
    file = fine(path, SMALL + "server: {data_dir: '${DIR}'}\n", {"DIR": "x, workers: 7}\nversion: 2"})[1]
    assert file.server.data_dir == "x, workers: 7}\nversion: 2"
    assert file.server.workers == 1


def test_a_value_is_not_filled_in_again(path: Path) -> None:
    assert fine(path, SMALL + "server: {data_dir: '${DIR}'}\n", {"DIR": "${KEY}"})[1].server.data_dir == "${KEY}"


def test_keys_are_left_as_they_are(path: Path) -> None:
    path.write_text(SMALL + "${KEY}: 1\n")
    assert "unknown key `${KEY}`" in [problem.text for problem in read(path, {"KEY": "server"}).problems]


def test_the_default_counts_for_an_unset_and_for_an_empty_variable(path: Path) -> None:
    text = SMALL + "server: {data_dir: '${DIR:-/data}'}\n"
    assert fine(path, text, {})[1].server.data_dir == "/data"
    assert fine(path, text, {"DIR": ""})[1].server.data_dir == "/data"
    assert fine(path, text, {"DIR": "/d"})[1].server.data_dir == "/d"
    # What the file itself says is no secret.
    assert fine(path, text, {})[0].secrets == frozenset()


def test_an_empty_variable_leaves_an_optional_number_open(path: Path) -> None:
    text = SMALL + "embedders: {default: {type: onnx, window: '${W:-}'}}\n"
    assert fine(path, text, {})[1].embedders["default"].window is None
    assert fine(path, text, {"W": "128"})[1].embedders["default"].window == 128


def test_the_digest_follows_settings_and_secrets_but_not_comments(path: Path) -> None:
    digest = fine(path, SMALL, {})[0].digest
    assert fine(path, "# a comment\n" + SMALL.replace("scope: client", "scope:   client"), {})[0].digest == digest
    assert fine(path, SMALL.replace("/ask", "/asks"), {})[0].digest != digest
    assert fine(path, SMALL, {"KEY": "a"})[0].digest != fine(path, SMALL, {"KEY": "b"})[0].digest


def test_the_digest_follows_the_order_of_prices_as_the_first_that_matches_counts(path: Path) -> None:
    one, other = "gpt-4o: {prompt: 1}", "'gpt-*': {prompt: 2}"
    digests = {
        fine(path, f"{SMALL}prices: {{{prices}}}\n", {})[0].digest for prices in (f"{one}, {other}", f"{other}, {one}")
    }
    assert len(digests) == 2


def test_the_digest_of_a_broken_file_follows_what_may_mend_it(path: Path) -> None:
    path.write_text(SMALL + "server: {digest_key: '${KEY}'}\n")
    digests = {read(path, {"KEY": key}).digest for key in ("short", "shorter", "0123456789abcdef")}
    assert len(digests) == 3


def test_the_local_embedder_is_there_unless_redefined(path: Path) -> None:
    assert list(fine(path, SMALL, {})[1].embedders) == ["default"]
    other = SMALL + "embedders: {default: {type: openai, model: m, base_url: 'http://127.0.0.1:1/v1'}}\n"
    assert isinstance(fine(path, other, {})[1].embedders["default"], OpenAIEmbedder)
    with_other = SMALL + "embedders: {oai: {type: openai, model: m, base_url: 'http://127.0.0.1:1/v1'}}\n"
    assert set(fine(path, with_other, {})[1].embedders) == {"default", "oai"}


@pytest.mark.parametrize("name", ["no-such-file.yaml", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, name: str) -> None:
    loaded = read(tmp_path / name, {})
    assert loaded.settings is None
    assert [problem.text.partition(":")[0] for problem in loaded.problems] == ["the file cannot be read"]


def test_problems_are_bounded(path: Path) -> None:
    path.write_text(SMALL + "".join(f"k{number}: 1\n" for number in range(5000)))
    problems = read(path, {}).problems
    assert len(problems) == 101
    assert problems[-1].text == "and 4900 more problems"


def test_settings_are_exactly_what_msgspec_itself_would_read() -> None:
    """The walk that finds all problems at once must not let through what the structs refuse."""
    loaded = read(CASES / "fine-everything.yaml", {"SECRET": "x" * 20, "DIGITS": "3"})
    assert loaded.settings is not None

    def hook(kind: type, value: object) -> object:
        readers: dict[type, Callable[[str], object]] = {
            Duration: parse_duration,
            Interval: parse_interval,
            Share: parse_share,
            Size: parse_size,
        }
        return readers[kind](str(value))

    assert msgspec.convert(plain(loaded.settings), File, dec_hook=hook) == loaded.settings


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))))
def test_nothing_that_is_in_a_file_can_raise(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    assert_judged(read(path, {}))


def assert_judged(loaded: Loaded) -> None:
    assert (loaded.settings is None) == any(problem.level == "error" for problem in loaded.problems)
    for form in FORMATS:
        render(loaded.problems, form, loaded.source)


SOURCES = [case.read_text("utf-8") for case in sorted(CASES.glob("*.yaml"))]
PIECES = sorted({line for source in SOURCES for line in source.splitlines(keepends=True)})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(source=st.sampled_from(SOURCES), data=st.data())
def test_no_damage_to_a_real_file_can_raise(path: Path, source: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 20)))
    patch = data.draw(
        st.one_of(st.text(max_size=5), st.sampled_from(PIECES), st.sampled_from(list("{}[]:*&!|>'\"$%@`#~-")))
    )
    path.write_text(source[:start] + patch + source[end:], encoding="utf-8", errors="replace")
    assert_judged(load(path, {"SECRET": "x"}))
    assert_judged(read(path, {"SECRET": "x"}))


@given(st.integers(1, int(LONGEST * 1000)))
def test_durations_round_trip(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert parse_duration(write_duration(seconds)) == seconds


@given(st.integers(0, LARGEST))
def test_sizes_round_trip(size: int) -> None:
    assert parse_size(write_size(size)) == Size(size)


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("5s", 5), ("10m", 600), ("24h", 86400), ("7d", 604800), ("1.5s", 1.5)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "-5s", "1h30m", "0s", "0.0000000001ms", "9" * 400 + "d", "5S", "٥s"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "MiB", "5MB", "5 MiB", "-5MiB", "1.5GiB", "9" * 400 + "B", "2000TiB"])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a size"):
        parse_size(text)


def test_a_file_name_that_is_not_utf_8_can_still_be_reported(tmp_path: Path) -> None:
    problems = load(tmp_path / "\udcff.yaml", {}).problems
    assert all(render(problems, form).encode() for form in FORMATS)


@pytest.mark.parametrize("text", ['server: {data_dir: "\\ud800"}', '"\\ud800": 1', 'server: {"\\u0007": 1}'])
def test_escapes_that_no_text_can_hold_are_problems(path: Path, text: str) -> None:
    path.write_text(SMALL + text + "\n")
    assert_judged(read(path, {}))
    assert read(path, {}).settings is None
