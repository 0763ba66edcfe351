"""One routes file out of several: what is read, in which order, what is watched, and that it is as if it were one file."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.config.explain import explain
from gateway.config.include import MOST_FILES
from gateway.config.load import Loaded, read
from gateway.config.model import File
from gateway.config.plain import plain
from gateway.config.report import FORMATS, render

MAIN = """\
version: 1
include: [%s]
upstreams:
  api: {url: https://api.example.com}
routes:
  - {name: ask, path: /ask, upstream: api, preset: json-query, scope: client}
"""
PART = "routes: [{name: %s, path: /%s, upstream: api, preset: json-query, scope: client}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "more").mkdir()
    return tmp_path


def write(folder: Path, include: str, **parts: str) -> Path:
    """The routes file, and parts `more/NAME.yaml`."""
    for name, text in parts.items():
        (folder / "more" / f"{name}.yaml").write_text(text)
    path = folder / "routes.yaml"
    path.write_text(MAIN % include)
    return path


def part(name: str) -> str:
    return PART % (name, name)


def fine(path: Path, env: dict[str, str] | None = None) -> tuple[Loaded, File]:
    loaded = read(path, env or {})
    assert loaded.settings is not None, loaded.problems
    return loaded, loaded.settings


def names(file: File) -> list[str]:
    return [route.name for route in file.routes]


def test_files_follow_in_the_order_of_the_list_and_those_of_a_pattern_by_name(folder: Path) -> None:
    path = write(folder, "more/z.yaml, 'more/*.yaml'", b=part("b"), a=part("a"), z=part("z"))
    assert names(fine(path)[1]) == ["ask", "z", "a", "b"]


def test_each_file_is_read_once_by_whatever_name(folder: Path) -> None:
    (folder / "other").symlink_to("more")
    path = write(folder, "more/a.yaml, other/a.yaml, './more/*', 'm*e/a.yaml'", a=part("a"))
    assert names(fine(path)[1]) == ["ask", "a"]


def test_a_pattern_passes_over_the_file_itself_folders_and_names_that_begin_with_a_dot(folder: Path) -> None:
    (folder / "folder.yaml").mkdir()
    (folder / ".hidden.yaml").write_text("no: [yaml")
    (folder / "second.yaml").write_text(part("second"))
    assert names(fine(write(folder, "'*.yaml'"))[1]) == ["ask", "second"]
    assert any(problem.file.endswith(".hidden.yaml") for problem in read(write(folder, "'.h*.yaml'"), {}).problems)


def test_a_folder_of_links_as_kubernetes_mounts_them_is_read_once(folder: Path) -> None:
    """`..data` leads to the folder of the current files, and each name leads through it."""
    (folder / "more" / "..2026").mkdir()
    (folder / "more" / "..2026" / "a.yaml").write_text(part("a"))
    (folder / "more" / "..data").symlink_to("..2026")
    (folder / "more" / "a.yaml").symlink_to("..data/a.yaml")
    loaded, file = fine(write(folder, "'*/*.yaml'"))
    assert names(file) == ["ask", "a"]
    assert folder / "more" in loaded.watched


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "more" / "pipe.yaml")
    assert names(fine(write(folder, "'more/*.yaml'"))[1]) == ["ask"]
    assert "there is no such file" in read(write(folder, "more/pipe.yaml"), {}).problems[0].text


def test_everything_is_watched_that_may_change_the_settings(folder: Path) -> None:
    (folder / "more" / "key").write_text("0123456789abcdef")
    secret = part("a") + "server: {digest_key: '${file:key}'}\n"
    path = write(folder, "missing.yaml, 'more/*.yaml', 'no-such-folder/*.yaml', 'tea*/x.yaml'", a=secret)
    assert set(read(path, {}).watched) == {
        path,
        folder / "missing.yaml",
        folder / "more",
        folder / "more" / "a.yaml",
        folder / "more" / "key",
        folder / "no-such-folder",
        folder,
    }
    assert read(path, {}).watched[0] == path


def test_a_broken_part_is_watched_too(folder: Path) -> None:
    loaded = read(write(folder, "more/a.yaml", a="routes: ["), {})
    assert loaded.settings is None
    assert folder / "more" / "a.yaml" in loaded.watched


def test_a_relative_secret_file_starts_at_the_folder_of_the_file_that_it_is_in(folder: Path) -> None:
    (folder / "key").write_text("of-the-main-file")
    (folder / "more" / "key").write_text("of-the-other-file")
    path = write(folder, "more/a.yaml", a="server: {digest_key: '${file:key}'}\n")
    assert fine(path)[1].server.digest_key == "of-the-other-file"


def test_a_name_from_the_environment_can_choose_a_file(folder: Path) -> None:
    path = write(folder, "'more/${STAGE:-none}.yaml'", test=part("test"), production=part("production"))
    assert names(fine(path, {"STAGE": "production"})[1]) == ["ask", "production"]


def test_secrets_are_known_by_their_place_in_the_whole(folder: Path) -> None:
    clients = "clients: [{name: a, key: '${KEY}'}]\n" + part("a")
    more = "clients: [{name: b, key: b}, {name: c, key: '${OTHER}', routes: [a]}]\n"
    path = write(folder, "more/a.yaml, more/b.yaml", a=clients, b=more)
    loaded, file = fine(path, {"KEY": "s3cr3t", "OTHER": "s3cr3t-too"})
    assert [client.name for client in file.clients] == ["a", "b", "c"]
    assert loaded.secrets == {"$.clients[0].key", "$.clients[2].key"}
    assert "s3cr3t" not in explain(loaded, "a")


def test_the_digest_follows_included_files_but_not_how_they_are_cut(folder: Path) -> None:
    path = write(folder, "more/a.yaml, more/b.yaml", a=part("a"), b=part("b"))
    digest = fine(path)[0].digest
    write(folder, "more/a.yaml, more/b.yaml", b="# Another comment\n" + part("b"))
    assert fine(path)[0].digest == digest
    write(folder, "more/a.yaml, more/b.yaml", a=part("a").rstrip()[:-1] + ", " + part("b")[9:], b="# Empty\n")
    assert fine(path)[0].digest == digest
    write(folder, "more/a.yaml, more/b.yaml", b=part("c"))
    assert fine(path)[0].digest != digest


def test_problems_come_file_by_file_and_show_the_lines_of_their_own_file(folder: Path) -> None:
    wrong = "routes:\n  - {name: x, path: x, upstream: api, preset: json-query, scope: client}\n"
    path = write(folder, "more/a.yaml, more/b.yaml", a="\n\n\n" + wrong, b=wrong.replace("name: x", "name: y"))
    path.write_text(path.read_text().replace("path: /ask", "path: ask"))
    loaded = read(path, {})
    assert [(Path(each.file).name, each.line, each.path) for each in loaded.problems] == [
        ("routes.yaml", 6, "$.routes[0].path"),
        ("a.yaml", 5, "$.routes[0].path"),
        ("b.yaml", 2, "$.routes[0].path"),
    ]
    shown = render(loaded.problems, "text", loaded.source)
    for line in (" 6 |   - {name: ask", " 5 |   - {name: x", " 2 |   - {name: y"):
        assert line in shown
    assert f"file={folder}/more/b.yaml,line=2" in render(loaded.problems, "github", loaded.source)


def test_what_an_unreadable_part_may_have_said_is_not_missed(folder: Path) -> None:
    path = folder / "routes.yaml"
    path.write_text("version: 1\ninclude: [gone.yaml]\ndefaults: {embedder: theirs}\n")
    assert [problem.text for problem in read(path, {}).problems] == ["`gone.yaml`: there is no such file"]


def test_files_are_bounded(folder: Path) -> None:
    for number in range(MOST_FILES):
        (folder / "more" / f"{number:03}.yaml").write_text(part(f"r{number}"))
    path = write(folder, "'more/*.yaml', more/000.yaml")
    (problem,) = read(path, {}).problems
    assert problem.text == f"with this a routes file has more than {MOST_FILES} files"
    (folder / "more" / "000.yaml").unlink()
    assert len(fine(write(folder, "'more/*.yaml'"))[1].routes) == MOST_FILES


def test_folders_that_a_pattern_looks_into_are_bounded(folder: Path) -> None:
    for number in range(101):
        (folder / f"team-{number}").mkdir()
    (problem,) = read(write(folder, "'team-*/*.yaml'"), {}).problems
    assert problem.text.endswith(": it looks into more than 100 folders")


WHOLE = yaml.safe_load("""
version: 1
server: {namespace: test}
clients:
  - {name: one, key: "1"}
  - {name: two, key: "2", routes: ["a*"]}
  - {name: three, key: "3", routes: [b, c]}
upstreams: {a: {url: "http://a.example.com"}, b: {url: "http://b.example.com"}, c: {url: "http://c.example.com"}}
prices: {"gpt-4o": {prompt: 1}, "gpt-4o*": {prompt: 2, completion: 3}, "*": {prompt: 4}}
defaults: {ttl: 1h}
routes:
  - {name: a, path: /a, upstream: a, preset: openai-chat, scope: client}
  - {name: b, path: /b, upstream: b, preset: json-query, scope: client}
  - {name: c, path: /c, upstream: c, preset: json-query, scope: client, ttl: 5m}
""")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(st.data())
def test_however_a_file_is_cut_into_several_it_means_the_same(folder: Path, data: st.DataObject) -> None:
    pieces: list[dict[str, object]] = [{"version": 1}, {}, {}]
    for key, value in WHOLE.items():
        match value:
            case dict() if key in ("upstreams", "prices"):
                items: list[object] = list(value.items())
            case list():
                items = list(value)
            case _:
                pieces[data.draw(st.integers(0, 2)) if key != "version" else 0][key] = value
                continue
        first, second = sorted(data.draw(st.tuples(st.integers(0, len(items)), st.integers(0, len(items)))))
        for piece, cut in zip(pieces, (items[:first], items[first:second], items[second:]), strict=True):
            if cut:
                piece[key] = dict(cut) if isinstance(value, dict) else cut
    parts = {name: yaml.safe_dump(piece, sort_keys=False) for name, piece in zip("bc", pieces[1:], strict=True)}
    path = write(folder, "", **{name: "# Nothing" if text == "{}\n" else text for name, text in parts.items()})
    path.write_text(yaml.safe_dump(pieces[0] | {"include": ["more/b.yaml", "more/c.yaml"]}, sort_keys=False))
    (folder / "whole.yaml").write_text(yaml.safe_dump(WHOLE, sort_keys=False))
    together, whole = plain(fine(path)[1]), plain(fine(folder / "whole.yaml")[1])
    assert isinstance(together, dict)
    assert isinstance(whole, dict)
    assert together.pop("include") == ["more/b.yaml", "more/c.yaml"]
    assert whole.pop("include") == []
    assert together == whole
    assert list(together["prices"]) == list(whole["prices"]), "the first that matches counts"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(
    include=st.lists(
        st.one_of(st.text(max_size=8), st.sampled_from(["*", "more/*", "more/[a", "?/x", "~", "~x", "/*"]))
    ),
    text=st.one_of(st.text(max_size=80), st.sampled_from([MAIN, "routes: {}", "upstreams:", "version: 1", "? a"])),
)
def test_nothing_that_is_included_can_raise(folder: Path, include: list[str], text: str) -> None:
    path = write(folder, "")
    (folder / "more" / "a.yaml").write_bytes(text.encode("utf-8", "replace"))
    path.write_text(path.read_text().replace("[]", yaml.safe_dump([*include, "more/a.yaml"], default_flow_style=True)))
    loaded = read(path, {})
    assert (loaded.settings is None) == any(problem.level == "error" for problem in loaded.problems)
    for form in FORMATS:
        render(loaded.problems, form, loaded.source)
