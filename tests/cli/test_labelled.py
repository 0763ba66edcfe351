"""Files with labelled questions: in every form that people have them, and refused with what is wrong and where."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import tempfile
from pathlib import Path

import click
import pytest
from admin_server import Semgate
from hypothesis import given, settings
from hypothesis import strategies as st
from made_questions import PAIRS, PLAIN, write_log, write_pairs

from gateway.cli.failure import Failed
from gateway.cli.labelled import Pair, read_comparisons, read_pairs, read_questions

HEADER = "text_a,text_b,label\n"
CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40).filter(
    str.strip
)


@pytest.fixture
def routes(alone: Path) -> Path:
    (alone / "routes.yaml").write_text(PLAIN)
    return alone


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("plain.csv", lambda data: data),
        ("gzipped", gzip.compress),
        ("members.csv", lambda data: gzip.compress(data[:30]) + gzip.compress(data[30:])),
        ("named.gz", lambda data: data),
        ("bom.csv", lambda data: b"\xef\xbb\xbf" + data),
        ("unix.csv", lambda data: data.replace(b"\r\n", b"\n")),
        ("blank.csv", lambda data: b"\r\n\r\n" + data + b"\r\n\r\n"),
        ("no-end.csv", lambda data: data.removesuffix(b"\r\n")),
    ],
)
def test_pairs_are_read_in_every_form(alone: Path, name: str, change: object) -> None:
    data = write_pairs(alone / "written.csv").read_bytes()
    assert callable(change)
    (alone / name).write_bytes(change(data))
    assert read_pairs(str(alone / name), labelled=True) == [Pair(a, b, label == "1") for a, b, label in PAIRS]


def test_columns_may_stand_in_any_order_and_others_beside_them(alone: Path) -> None:
    (alone / "pairs.csv").write_text("id, label ,text_b,text_a\n7,1,second,first\n")
    assert read_pairs("pairs.csv", labelled=True) == [Pair("first", "second", True)]
    (alone / "log.csv").write_text("scope,cluster,text\nacme, c1 ,why?\n")
    (question,) = read_questions("log.csv")
    assert (question.text, question.cluster, question.scope) == ("why?", "c1", "acme")


def test_pairs_without_labels_are_read_where_none_are_needed(alone: Path) -> None:
    (alone / "pairs.csv").write_text("text_a,text_b\nfirst,second\n")
    assert read_pairs("pairs.csv", labelled=False) == [Pair("first", "second", None)]
    with pytest.raises(Failed, match="no column `label`"):
        read_pairs("pairs.csv", labelled=True)


BROKEN = {
    "empty": (b"", "is empty: it begins with a header, `text_a,text_b,label`"),
    "only blank lines": (b"\n\n", "is empty"),
    "no rows": (HEADER.encode(), "has a header and no rows"),
    "no header": (b"why?,how?,1\n", ":1: no column `text_a` and `text_b` and `label`: the header is"),
    "a column missing": (b"text_a,label\nwhy?,1\n", ":1: no column `text_b`"),
    "semicolons": (b"text_a;text_b;label\nwhy?;how?;1\n", "columns are separated by commas"),
    "a column twice": (b"text_a,text_b,label,label\nwhy?,how?,1,0\n", ":1: the header has `label` twice"),
    "a bad label": (HEADER.encode() + b"a,b,1\nc,d,maybe\n", ":3: `label` is 'maybe', and must be 0 or 1"),
    "an empty label": (HEADER.encode() + b"a,b,\n", ":2: `label` is '', and must be 0 or 1"),
    "an empty text": (HEADER.encode() + b'"x\ny",b,1\n  ,d,1\n', ":4: `text_a` is empty"),
    "too wide": (HEADER.encode() + b"one, two,b,1\n", ":2: 4 columns, and the header has 3"),
    "too narrow": (HEADER.encode() + b"a,b\n", ":2: 2 columns, and the header has 3: `label` is missing"),
    "not UTF-8": (HEADER.encode() + b"a,b,1\n\xe9t\xe9,b,1\n", ":3: not UTF-8: byte 0xe9"),
    "an open quote": (HEADER.encode() + b'a,b,1\n"a,b,1\n', ":3: not CSV: unexpected end of data"),
    "cut off": (gzip.compress(HEADER.encode() * 50)[:-12], "cannot be unpacked: it ends too early"),
    "damaged": (gzip.compress(b"a" * 500)[:12] + b"\xff" * 30, "cannot be unpacked: "),
    "something behind": (gzip.compress(HEADER.encode()) + b"more", "something else follows the gzipped data"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_malformed_file_is_refused_with_its_line(semgate: Semgate, routes: Path, case: str) -> None:
    data, wanted = BROKEN[case]
    (routes / "pairs.csv").write_bytes(data)
    done = (
        semgate("judge", "pairs.csv")
        if b"label" not in wanted.encode()
        else semgate("calibrate", "--pairs", "pairs.csv")
    )
    assert done.exit_code == 1
    assert wanted in done.stderr
    assert "pairs.csv" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_all_mistakes_are_named_up_to_a_few(semgate: Semgate, routes: Path) -> None:
    (routes / "pairs.csv").write_text(HEADER + "a,b,x\n" * 12 + "a,b,1\n")
    done = semgate("judge", "pairs.csv")
    assert done.exit_code == 1
    assert done.stderr.count("must be 0 or 1") == 10
    assert "pairs.csv cannot be used: 12 lines with mistakes, the first 10 of them above" in done.stderr


def test_a_file_that_is_not_there_is_wrong_use(semgate: Semgate, routes: Path) -> None:
    for command in (("judge", "none.csv"), ("simulate", "none.csv"), ("calibrate", "--stream", "none.csv")):
        done = semgate(*command)
        assert done.exit_code == 2
        assert "none.csv cannot be read: No such file" in done.stderr


def test_a_log_is_refused_with_its_lines(semgate: Semgate, routes: Path) -> None:
    (routes / "log.csv").write_text("text,cluster\nwhy?,\n,c\n")
    done = semgate("simulate", "log.csv")
    assert done.exit_code == 1
    assert "log.csv:2: `cluster` is empty\nlog.csv:3: `text` is empty\n" in done.stderr
    write_log(routes / "log.csv")
    assert semgate("judge", "log.csv").exit_code == 1


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ('{"verdict": "right", "similarity": 1.2}', "`similarity` is 1.2, and must be 0 to 1"),
        ('{"verdict": "fine", "similarity": 0.9}', "`verdict` is 'fine', and must be right, wrong or unsure"),
        ('{"similarity": 0.9}', "not a line of a shadow log: Object missing required field `verdict`"),
        ("verdict,similarity", "not a line of a shadow log"),
        ("[" * 2000, "not a line of a shadow log"),
    ],
)
def test_a_shadow_log_is_refused_with_its_lines(semgate: Semgate, routes: Path, line: str, wanted: str) -> None:
    (routes / "log.jsonl").write_text('{"verdict": "right", "similarity": 0.9}\n\n' + line + "\n")
    done = semgate("calibrate", "--shadow", "log.jsonl")
    assert done.exit_code == 1
    assert "log.jsonl:3: " in done.stderr
    assert wanted in done.stderr


def test_an_empty_shadow_log_has_nothing_yet(alone: Path) -> None:
    (alone / "log.jsonl").write_text("\n")
    with pytest.raises(Failed, match="has nothing yet"):
        read_comparisons("log.jsonl")


@settings(max_examples=60)
@given(st.lists(st.tuples(CELLS, CELLS, st.booleans()), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_what_a_csv_writer_writes_is_read_back(rows: list[tuple[str, str, bool]], ends: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=ends, quoting=csv.QUOTE_NONNUMERIC)  # else a lone CR is not quoted
    writer.writerow(("text_a", "text_b", "label"))
    writer.writerows([(a, b, int(label)) for a, b, label in rows])
    with tempfile.TemporaryDirectory() as folder:
        for data in (text.getvalue().encode(), gzip.compress(text.getvalue().encode())):
            (Path(folder) / "pairs.csv").write_bytes(data)
            assert read_pairs(f"{folder}/pairs.csv", labelled=True) == [Pair(*row) for row in rows]


@settings(max_examples=150)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=100).map(lambda tail: HEADER.encode() + tail)))
def test_any_bytes_are_pairs_or_are_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for content in (data, gzip.compress(data)):
            (Path(folder) / "pairs.csv").write_bytes(content)
            with contextlib.suppress(Failed):
                assert read_pairs(f"{folder}/pairs.csv", labelled=True)
            (Path(folder) / "log.jsonl").write_bytes(content)
            with contextlib.suppress(Failed):
                assert read_comparisons(f"{folder}/log.jsonl")


def test_a_folder_is_no_file(alone: Path) -> None:
    with pytest.raises(click.UsageError, match="cannot be read"):
        read_pairs(".", labelled=True)
