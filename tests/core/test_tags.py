"""Which tags an answer has, and when they are not fit to be stored."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.body import Document
from gateway.core.extract import compile_extractors
from gateway.core.jsonpath import compile_path
from gateway.core.keys import Keyer
from gateway.core.messages import Request, Subject
from gateway.core.subject import PUBLIC, Rule, read_subject
from gateway.core.tags import all_tags, answer_tags


def subject(body: object, *tags: str, ignore: tuple[str, ...] = (), query_string: bytes = b"") -> Subject:
    raw = json.dumps(body).encode()
    rule = Rule(
        scope=PUBLIC,
        query=compile_extractors("$.q"),
        model=(),
        role=(),
        stream=(),
        stream_default=False,
        bypass=(),
        exact_if=(),
        ignore=tuple(compile_path(path) for path in ignore),
        headers=(),
        exact_only=False,
        reads_body=True,
        tags=compile_extractors(tags) if tags else (),
    )
    request = Request("POST", b"/", query_string, [(b"x-tag", b"from header")], raw, {"id": "7"}, b"/", None, 1.0)
    read = read_subject(rule, Keyer(b"k" * 32), request, Document(raw))
    assert isinstance(read, Subject)
    return read


def test_every_value_of_every_extractor_is_a_tag_once() -> None:
    body = {"q": "?", "meta": {"document": "d1", "pages": [1, 2.5, "d1"], "none": None, "empty": ""}}
    read = subject(
        body, "$.meta.document", "$.meta.pages", "$.meta.none", "$.meta.empty", "header:X-Tag", "path:id", "query:t",
        query_string=b"t=a&t=b",
    )  # fmt: skip
    assert read.tags == ("d1", "1", "2.5", "from header", "7", "a", "b")


def test_other_values_are_tags_as_canonical_json() -> None:
    assert subject({"q": "?", "t": {"b": True, "a": 1}}, "$.t").tags == ('{"a":1,"b":true}',)
    assert subject({"q": "?", "t": True}, "$.t").tags == ("true",)


def test_a_tag_is_read_though_it_is_ignored_and_is_no_part_of_the_key() -> None:
    one = subject({"q": "?", "meta": {"d": "1"}}, "$.meta.d", ignore=("$.meta",))
    other = subject({"q": "?", "meta": {"d": "2"}}, "$.meta.d", ignore=("$.meta",))
    assert (one.tags, other.tags) == (("1",), ("2",))
    assert (one.exact, one.partition) == (other.exact, other.partition)


def test_a_text_that_is_a_tag_as_well_is_read_before_it_is_taken_out() -> None:
    assert subject({"q": "hello"}, "$.q").tags == ("hello",)


def test_a_route_without_tags_has_none() -> None:
    assert subject({"q": "?"}).tags == ()


def test_no_more_are_read_than_tell_that_they_are_too_many() -> None:
    read = subject({"q": "?", "t": list(range(1000))}, "$.t")
    assert len(read.tags) == 65
    assert all_tags(read.tags, ()) is None


def test_the_upstream_names_more_in_cache_tag() -> None:
    headers = ((b"cache-tag", b" a, b ,,c d"), (b"content-type", b"x"), (b"cache-tag", b"a,\xc3\xa9"))
    assert answer_tags(headers) == ("a", "b", "c d", "é")
    assert all_tags(("b", "z"), headers) == ("b", "z", "a", "c d", "é")


@pytest.mark.parametrize(
    ("tags", "fit"),
    [
        (tuple(map(str, range(64))), True),
        (tuple(map(str, range(65))), False),
        (("x" * 256,), True),
        (("x" * 257,), False),
        (("é" * 128,), True),
        (("é" * 129,), False),
        (("a\0b",), False),
        (("\udcff",), False),
    ],
)
def test_tags_that_cannot_all_be_stored_are_unfit(tags: tuple[str, ...], fit: bool) -> None:
    assert all_tags(tags, ()) == (tags if fit else None)


def test_bytes_that_are_no_text_are_unfit() -> None:
    assert all_tags((), ((b"cache-tag", b"a,\xff"),)) is None


@given(st.binary(max_size=400))
def test_any_header_gives_tags_that_can_be_stored_or_none(value: bytes) -> None:
    tags = all_tags((), ((b"cache-tag", value),))
    for tag in tags or ():
        assert 0 < len(tag.encode()) <= 256
