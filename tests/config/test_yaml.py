"""Bytes -> tree: YAML 1.2's scalars, positions, and bounds that hold for any input."""

import pytest

from gateway.config.tree import Mapping, Node, Scalar, find, kind_of, position
from gateway.config.yaml import MAX_BYTES, parse


def only_problem(data: bytes) -> str:
    document = parse(data)
    assert len(document.problems) == 1
    problem = document.problems[0]
    return f"{problem.line}:{problem.column}: {problem.text}"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *((text, "null") for text in ("", "~", "null", "Null", "NULL")),
        *((text, "bool") for text in ("true", "False", "TRUE")),
        *((text, "int") for text in ("0", "-7", "+7", "012", "0o17", "0xfF")),
        *((text, "float") for text in ("1.", ".5", "1e3", "-.inf", ".nan", "1.5e-3")),
        *((text, "text") for text in ("on", "off", "yes", "No", "y", "1_000", "12:30", "0b1", "2026-01-01", "=", "<<")),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_quoted_scalars_are_text() -> None:
    root = parse(b"""{a: "1", b: 'true', c: 1}""").root
    assert isinstance(root, Mapping)
    kinds = [member.kind() for member in root.members.values() if isinstance(member, Scalar)]
    assert kinds == ["text", "text", "int"]


def test_every_node_knows_its_line_and_column() -> None:
    root = parse("a:\n  - b: é\n    c: {d: x}\n".encode()).root
    assert root is not None
    assert position(root, ("a", 0, "b")) == (2, 8, "")
    assert position(root, ("a", 0, "c")) == (3, 5, "")
    assert position(root, ("a", 0, "c", "d")) == (3, 12, "")
    assert position(root, ("a", 0, "not", "there")) == (2, 5, "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a: 1\nb: \xff\n", "2:4: the file is not UTF-8: byte 0xFF"),
        ("a: 1".encode("utf-16"), "1:1: the file is UTF-16 text"),
        ("a: 1".encode("utf-32-be"), "1:1: the character U+0000 cannot be part of a routes file"),
        (b"\x00\x00\xfe\xff\x00\x00\x00a", "1:1: the file is UTF-32 text"),
        (b"a: 1\nb: \x07\n", "2:4: the character U+0007 cannot be part of a routes file"),
        (b"a: \xc2\x85b\n", "1:4: the character U+0085 cannot be part of a routes file"),
        (b"#" * (MAX_BYTES + 1), "0:0: the file is larger than 1 MiB"),
    ],
)
def test_what_is_no_text_of_a_sensible_size_is_refused(data: bytes, problem: str) -> None:
    assert only_problem(data) == problem


def test_a_byte_order_mark_of_utf_8_is_no_part_of_the_text() -> None:
    root = parse(b"\xef\xbb\xbfa: 1\n").root
    assert root is not None
    assert position(root, ("a",)) == (1, 4, "")


def test_an_alias_bomb_is_stopped_before_it_is_walked() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 200)]
    assert "with its aliases written out" in only_problem("\n".join(lines).encode()) or "nested" in only_problem(
        "\n".join(lines).encode()
    )


def test_nesting_through_aliases_is_bounded_too() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 100)]
    assert "nested more than 40 levels" in only_problem("\n".join(lines).encode())


def test_deep_nesting_is_stopped_at_once() -> None:
    assert "nested more than 40 levels" in only_problem(b"[" * 200_000)


def test_a_large_file_within_the_bound_is_read() -> None:
    lines = b"".join(b"key%d: value\n" % number for number in range(40_000))
    root = parse(lines).root
    assert isinstance(root, Mapping)
    assert len(root.members) == 40_000


def test_an_alias_is_the_same_value_as_its_anchor() -> None:
    root: Node | None = parse(b"a: &x {b: [1, 2]}\nc: *x\n").root
    assert root is not None
    assert find(root, ("c", "b", 1)) == find(root, ("a", "b", 1))
