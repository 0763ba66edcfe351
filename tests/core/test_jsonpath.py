"""Plain paths take the short way and select what the library selects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.jsonpath import GeneralPath, PlainPath, compile_path

DOCUMENT = {"a": {"b": [{"c": 1}, {"c": 2}, {"c d": None}]}, "": 0, "x": [], "y": [[1, 2], "text"]}
PLAIN = [
    "$",
    "$.a",
    "$.a.b[0].c",
    "$.a.b[-1]['c d']",
    "$['']",
    "$.x[0]",
    "$.y[0][-2]",
    "$.y[1][0]",
    "$.missing.b",
    "$.a[0]",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_path_selects_what_the_library_selects(text):
    plain, general = compile_path(text), GeneralPath(text)
    assert isinstance(plain, PlainPath)
    assert plain.values([DOCUMENT]) == general.values([DOCUMENT])


@given(
    st.recursive(
        st.integers(0, 3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner)
    ),
    st.lists(st.sampled_from(["a", "b", "c", 0, 1, -1, -3]), max_size=4),
)
def test_plain_and_general_agree_on_every_document(document, steps):
    text = "$" + "".join(f".{step}" if isinstance(step, str) else f"[{step}]" for step in steps)
    plain, general = compile_path(text), GeneralPath(text)
    holder: list[object] = [document]
    assert plain.values(holder) == general.values(holder)
    assert [container[key] for container, key in plain.places(holder)] == plain.values(holder)
    assert [container[key] for container, key in general.places(holder)] == plain.values(holder)


@pytest.mark.parametrize("text", ["$.a[*].b", "$..c", "$.a.b[0:2].c", "$.a.b[?@.c > 1]", "$['a','x']"])
def test_other_paths_go_through_the_library(text):
    path = compile_path(text)
    holder: list[object] = [DOCUMENT]
    assert isinstance(path, GeneralPath)
    assert [container[key] for container, key in path.places(holder)] == path.values(holder)


@pytest.mark.parametrize(
    "text", ["", "a.b", "$.", "$.a[", "$[01]", "$.a | $.b", "$[?match(@.a, 'x')]", "$[?search(@.a,'(a+)+')]"]
)
def test_what_is_not_rfc_9535_or_has_no_bound_is_refused(text):
    with pytest.raises(ValueError):
        compile_path(text)


def test_a_string_is_never_read_as_a_document():
    path = compile_path("$[?@.a == 1]")
    assert path.values([[{"a": 1}]]) == [{"a": 1}]
    assert path.values(['[{"a": 1}]']) == []
    assert path.places(['[{"a": 1}]']) == []


def test_descendants_of_what_nests_without_end_are_not_looked_for():
    document: dict[str, object] = {}
    inner = document
    for _ in range(300):
        inner["a"] = inner = {}  # type: ignore[assignment]
    with pytest.raises(RecursionError, match="nests too deep"):
        compile_path("$..b").values([document])
