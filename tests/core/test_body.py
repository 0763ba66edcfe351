"""A body has one meaning or none: what two readers could read differently is ambiguous."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.body import MAX_DEPTH, Document, Unreadable, parse
from gateway.core.messages import Reason


def reason_of(body: bytes) -> Reason | None:
    return Document(body).reason


@pytest.mark.parametrize("body", [b"plain words", b"{", b'{"a":1} x', b"{'a':1}", b"\x1f\x8b\x08zip", b'{"a":01}'])
def test_what_is_not_json_is_named_so(body):
    assert reason_of(body) is Reason.NOT_JSON


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"deep":[{"x":{"b":1,"b":2}}]}',
        b'{"quoted \\u0022":1,"b":2,"b":3}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":NaN}',
    ],
)
def test_what_readers_could_read_differently_is_ambiguous(body):
    assert reason_of(body) is Reason.AMBIGUOUS_JSON


def test_nesting_within_the_bound_is_read():
    assert reason_of(b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH) is None


def test_brackets_inside_text_are_not_nesting():
    assert reason_of(json.dumps({"code": "[{" * 500}).encode()) is None


def test_an_empty_body_is_no_document_and_no_fault():
    document = Document(b"")
    assert (document.holder, document.reason) == (None, None)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    ),
    st.booleans(),
)
def test_every_unambiguous_value_is_read_as_it_is(value, ascii_only):
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.text(), st.text(), st.integers(0, 2))
def test_a_repeated_member_is_always_found(name, text, depth):
    member = json.dumps(name)
    body = f'{{{member}:{json.dumps(text)},"other":"\\u0022",{member}:1}}'
    for _ in range(depth):
        body = f'[{{"outer":{body}}}]'
    if name == "other":
        return
    with pytest.raises(Unreadable) as raised:
        parse(body.encode())
    assert raised.value.reason is Reason.AMBIGUOUS_JSON


@given(st.binary())
def test_no_bytes_break_the_reader(body):
    document = Document(body)
    assert (document.holder is None) or (document.reason is None)
