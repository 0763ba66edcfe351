"""The form that a request asks for, a stream or a single answer, and which forms share an entry."""

from __future__ import annotations

import msgspec
import pytest
from subjects import KEY, rule, subject

from gateway.core.dialects.registry import by_name
from gateway.core.keys import Keyer
from gateway.core.messages import Reason, Subject, Wanted
from gateway.core.subject import Rule


@pytest.mark.parametrize(
    ("body", "default", "streams"),
    [
        ({"stream": True}, False, True),
        ({"stream": False}, True, False),
        ({"stream": None}, True, True),
        ({}, True, True),
        ({}, False, False),
    ],
)
def test_the_form_asked_for_is_known(body, default, streams):
    found = subject({"q": "question", **body}, rule(stream="$.stream", stream_default=default))
    assert isinstance(found, Subject)
    assert found.wanted == Wanted(stream=streams)


@pytest.mark.parametrize("value", ["true", 1, [], {}])
def test_a_stream_member_that_says_neither_yes_nor_no_is_not_guessed(value):
    assert subject({"q": "question", "stream": value}, rule(stream="$.stream")) is Reason.STREAM


@pytest.mark.parametrize(("value", "streams"), [(b"true", True), (b"1", True), (b"False", False), (b"0", False)])
def test_a_header_may_ask_for_a_stream(value, streams):
    found = subject({"q": "question"}, rule(stream="header:X-Stream"), headers=[(b"x-stream", value)])
    assert isinstance(found, Subject)
    assert found.wanted == Wanted(stream=streams)


@pytest.mark.parametrize(("serves", "bypassed"), [((False,), True), ((True,), False), ((False, True), False)])
def test_a_route_may_leave_a_form_alone(serves, bypassed):
    of = msgspec.structs.replace(rule(stream="$.stream"), serves=serves)
    assert (subject({"q": "question", "stream": True}, of) is Reason.STREAM) is bypassed


def keys(*bodies: dict[str, object], of: Rule) -> set[bytes]:
    subjects = [subject({"q": "question", **body}, of) for body in bodies]
    assert all(isinstance(each, Subject) for each in subjects)
    return {each.exact for each in subjects if isinstance(each, Subject)}


def test_without_a_dialect_stream_and_single_are_two_partitions():
    assert len(keys({"stream": True}, {"stream": False}, of=rule(stream="$.stream"))) == 2


def test_with_a_dialect_only_what_asks_for_a_form_is_left_out_of_the_key():
    both = msgspec.structs.replace(rule(stream="$.stream"), dialect=by_name("openai-chat"))
    usage = {"include_usage": True}
    same = [{}, {"stream": True}, {"stream": None}, {"stream": True, "stream_options": usage}, {"stream_options": None}]
    assert len(keys(*same, of=both)) == 1
    assert len(keys({}, {"stream": True, "stream_options": {**usage, "include_obfuscation": False}}, of=both)) == 2
    wishing = subject({"q": "question", "stream": True, "stream_options": usage}, both)
    assert isinstance(wishing, Subject)
    assert wishing.wanted == Wanted(stream=True, usage=True)


def test_what_cannot_be_turned_into_the_other_form_has_a_place_of_its_own():
    keyer = Keyer(KEY, b"route")
    both = msgspec.structs.replace(rule(stream="$.stream"), dialect=by_name("openai-chat"))
    stream, single = (subject({"q": "question", "stream": form}, both) for form in (True, False))
    assert isinstance(stream, Subject)
    assert isinstance(single, Subject)
    assert stream.exact == single.exact
    apart = {keyer.apart(each).exact for each in (stream, single)} | {
        keyer.apart(each).partition for each in (stream, single)
    }
    assert len(apart | {stream.exact, stream.partition}) == 6
