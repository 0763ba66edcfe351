"""Two requests share an entry exactly when everything but the text is equal: the properties that isolation rests on."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from subjects import KEY, rule, subject

from gateway.core.body import Document
from gateway.core.keys import Keyer, frame
from gateway.core.messages import Request, Subject
from gateway.core.subject import read_subject

NAMES = st.text(max_size=5)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=5)


def shuffled(value: object, rng: random.Random) -> object:
    if isinstance(value, dict):
        members = list(value.items())
        rng.shuffle(members)
        return {name: shuffled(child, rng) for name, child in members}
    return [shuffled(child, rng) for child in value] if isinstance(value, list) else value


def same_json(one: object, other: object) -> bool:
    """Equal as JSON with 1, 1.0 and true kept apart, as the keys keep them."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(BODIES, st.randoms(use_true_random=False), st.sampled_from([None, 1, "\t "]))
def test_key_order_and_white_space_never_change_a_key(body, rng, indent):
    body["q"] = "question"
    other = json.dumps(shuffled(body, rng), indent=indent, ensure_ascii=rng.random() < 0.5).encode()
    assert subject(body) == subject(other)


@given(BODIES, VALUES, VALUES)
def test_ignored_members_never_change_a_key(body, one, other):
    body["q"] = "question"
    ignoring = rule(ignore=["$.user", "$.meta.trace"])
    first = subject({**body, "user": one, "meta": {"trace": one, "kept": 1}}, ignoring)
    second = subject({**body, "user": other, "meta": {"kept": 1}}, ignoring)
    assert first == second


@given(BODIES, BODIES)
def test_any_other_difference_changes_the_partition(one, other):
    one["q"] = other["q"] = "question"
    assume(not same_json(one, other))
    first, second = subject(one), subject(other)
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.partition != second.partition
    assert first.exact != second.exact


@given(BODIES, st.text(min_size=1), st.text(min_size=1))
def test_another_text_is_the_same_partition_and_another_exact_key(body, one, other):
    assume(one != other and one.strip() and other.strip())
    assume("model" not in body or body["model"] is None)
    first, second = subject({**body, "q": one}), subject({**body, "q": other})
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.partition == second.partition
    assert first.exact != second.exact


@given(st.lists(st.text(max_size=6), min_size=1, max_size=3), st.lists(st.text(max_size=6), min_size=1, max_size=3))
def test_no_two_scopes_ever_share(one, other):
    assume(one != other and all(one) and all(other))
    scoped = rule(scope=tuple(f"$.scope[{index}]" for index in range(3)), ignore=["$.scope"])
    first = subject({"q": "question", "scope": [*one, *["pad"] * (3 - len(one))]}, scoped)
    second = subject({"q": "question", "scope": [*other, *["pad"] * (3 - len(other))]}, scoped)
    same = [*one, *["pad"] * (3 - len(one))] == [*other, *["pad"] * (3 - len(other))]
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert (first.scope == second.scope) is same
    assert (first.partition == second.partition) is same
    assert (first.exact == second.exact) is same


@given(st.lists(st.binary(max_size=6), max_size=4), st.lists(st.binary(max_size=6), max_size=4))
def test_frames_of_different_parts_differ(one, other):
    assert (frame(*one) == frame(*other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"method": "POST"}, {"method": "PUT"}),
        ({"upstream_path": b"/a"}, {"upstream_path": b"/b"}),
        ({"upstream_path": b"/a%2Fb"}, {"upstream_path": b"/a/b"}),
        ({"query_string": b"a=1"}, {"query_string": b"a=2"}),
        ({"static": b"route one"}, {"static": b"route two"}),
        ({"headers": [(b"accept-language", b"de")]}, {"headers": [(b"accept-language", b"en")]}),
        ({"headers": [(b"accept-language", b"de")]}, {"headers": []}),
    ],
)
def test_whatever_frames_the_question_keeps_partitions_apart(one, other):
    varying = rule(headers=[b"accept-language"])
    first, second = (subject({"q": "question"}, varying, **request) for request in (one, other))
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert first.partition != second.partition


def test_another_digest_key_changes_every_digest():
    request = Request("POST", b"/", b"", [], b"", {}, b"/", None, 0.0)
    one, other = (
        read_subject(rule(), Keyer(key * 32, b"route"), request, Document(b'{"q": "question"}')) for key in (b"a", b"b")
    )
    assert isinstance(one, Subject)
    assert isinstance(other, Subject)
    assert not {one.scope, one.partition, one.exact} & {other.scope, other.partition, other.exact}


def test_the_text_of_a_query_parameter_is_not_part_of_the_partition():
    asking = rule(query="query:q", model=None)
    first = subject(b"", asking, query_string=b"q=one&lang=en")
    second = subject(b"", asking, query_string=b"q=two+words&lang=en")
    third = subject(b"", asking, query_string=b"q=one&lang=de")
    assert isinstance(first, Subject)
    assert isinstance(second, Subject)
    assert isinstance(third, Subject)
    assert (first.text, second.text) == ("one", "two words")
    assert first.partition == second.partition != third.partition


def test_a_body_that_no_extractor_reads_is_compared_byte_by_byte():
    asking = rule(query="query:q", model=None)
    assert not asking.reads_body
    request = Request("POST", b"/p", b"q=x", [], b"<xml/>", {}, b"/p", None, 0.0)
    other = Request("POST", b"/p", b"q=x", [], b"<xml></xml>", {}, b"/p", None, 0.0)
    one, two = (read_subject(asking, Keyer(KEY), each, Document(each.body)) for each in (request, other))
    assert isinstance(one, Subject)
    assert isinstance(two, Subject)
    assert one.partition != two.partition
