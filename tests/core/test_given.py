"""A text that a callable gave is taken out of the body by value, and nothing else is."""

from __future__ import annotations

import json

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from subjects import rule, subject

from gateway.core.given import MOST_PARTS, find_given, plain
from gateway.core.messages import Reason, Subject

GIVEN = rule(query="given:query", model=None)
# Few words, so that strings are often parts of others by chance.
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=7).map(" ".join)
VALUES = st.recursive(
    WORDS | st.integers(0, 2) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2),
    max_leaves=5,
)


def asked(body: object, text: str, **request: object) -> Subject:
    found = subject(body, GIVEN, given={"query": text}, **request)
    assert isinstance(found, Subject)
    return found


def test_other_words_are_the_same_partition_and_another_question() -> None:
    one = asked({"ask": "How do I log in?", "top": 3}, "How do I log in?")
    other = asked({"ask": "how can I sign in", "top": 3}, "how can I sign in")
    assert one.partition == other.partition
    assert one.exact != other.exact
    assert one.text == "How do I log in?"


def test_case_and_space_do_not_hide_the_text() -> None:
    one = asked({"ask": "  How do I\nlog in? "}, "how do i log in?")
    assert one.partition == asked({"ask": "something else entirely"}, "something else entirely").partition


def test_a_text_put_together_from_several_strings_is_taken_out_of_all_of_them() -> None:
    def ask(first: str, second: str, **more: object) -> Subject:
        return asked({"turns": [{"t": first}, {"t": second}], **more}, f"User: {first}\nThen: {second}")

    one = ask("what is a large cat", "and where does it live")
    assert one.partition == ask("tell me about tigers please", "where can they be found").partition
    assert one.partition != ask("what is a large cat", "and where does it live", k=1).partition


def test_short_strings_that_stand_in_the_text_by_chance_stay_in_the_body() -> None:
    one = asked(
        {"ask": "is red paint dearer than blue paint", "colour": "red paint"}, "is red paint dearer than blue paint"
    )
    other = asked(
        {"ask": "is red paint dearer than blue paint", "colour": "blue paint"}, "is red paint dearer than blue paint"
    )
    assert one.partition != other.partition


def test_a_part_of_the_text_that_another_string_is_too_tells_requests_apart() -> None:
    text = "compare the first of these plans and the second of these plans"
    bodies = [{"choice": choice, "n": 1} for choice in ("the first of these", "the second of these")]
    assert asked(bodies[0], text).partition != asked(bodies[1], text).partition


def test_a_text_that_is_not_in_the_body_needs_equal_bodies() -> None:
    one = asked({"id": 7}, "what the program knows of seven")
    assert one.partition == asked({"id": 7}, "what is known about number seven").partition
    assert one.partition != asked({"id": 8}, "what the program knows of seven").partition


def test_the_query_parameter_that_is_the_text_is_taken_out_unless_it_says_more() -> None:
    def ask(query_string: bytes) -> Subject:
        return asked(b"", "hello there", query_string=query_string)

    assert ask(b"q=Hello+there&n=1").partition == ask(b"q=hello%20there&n=1").partition
    assert ask(b"q=hello+there&n=1").partition != ask(b"q=hello+there&n=2").partition
    assert ask(b"q=hello+there&q=other").partition != ask(b"q=hello+there&q=another").partition


def test_a_body_that_is_no_json_is_compared_byte_by_byte() -> None:
    one = asked(b"ask=hello+there", "hello there")
    assert one.partition == asked(b"ask=hello+there", "hello there").partition
    assert one.partition != asked(b"ask=hello+you", "hello you").partition


def test_no_text_is_no_question() -> None:
    assert subject({"q": 1}, GIVEN, given={"query": "  "}) is Reason.NO_TEXT


def test_parts_beyond_the_bound_stay_in_the_body() -> None:
    parts = [f"part number {index} of many" for index in range(MOST_PARTS + 5)]
    assert len(find_given(" ".join(parts), [parts]).places) == MOST_PARTS


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS, VALUES, VALUES)
def test_two_bodies_that_differ_outside_a_string_of_the_text_never_share_a_partition(
    one: str, other: str, beside: object, elsewhere: object
) -> None:
    mine, its = _marked(beside, one), _marked(elsewhere, other)
    assume(mine != its)
    assert asked({"q": one, "o": beside}, one).partition != asked({"q": other, "o": elsewhere}, other).partition


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=3), st.lists(WORDS, min_size=1, max_size=3), VALUES, VALUES)
def test_two_bodies_that_differ_outside_the_parts_of_a_text_never_share_a_partition(
    one: list[str], other: list[str], beside: object, elsewhere: object
) -> None:
    texts = [f"f g h {' i '.join(parts)}" for parts in (one, other)]
    assume(json.dumps(beside, sort_keys=True) != json.dumps(elsewhere, sort_keys=True))
    first = asked({"p": one, "o": beside}, texts[0])
    second = asked({"p": other, "o": elsewhere}, texts[1])
    assert first.partition != second.partition


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES, WORDS)
def test_the_same_text_with_another_body_is_never_an_exact_hit(one: object, other: object, text: str) -> None:
    assume(json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True))
    assert asked({"v": one}, text).exact != asked({"v": other}, text).exact


def _marked(value: object, text: str) -> object:
    """The value with the strings that are the text set apart, as one that can be compared."""

    def mark(node: object) -> object:
        match node:
            case str():
                return ["the text"] if plain(node) == plain(text) else node
            case list():
                return [mark(each) for each in node]
            case dict():
                return {name: mark(each) for name, each in node.items()}
            case _:
                return node

    return json.dumps(mark(value), sort_keys=True)
