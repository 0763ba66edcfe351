"""The recording of an answer on its way: whole within its bound, or given up with the first reason."""

from __future__ import annotations

import pytest
from policies import keep_rule

from gateway.core.freshness import NO_WISHES
from gateway.core.messages import Reason, Subject
from gateway.core.recording import Recording


def recording(**changes: object) -> Recording:
    subject = Subject(b"s", b"p", b"e", "text", False, None)
    return Recording(subject, keep_rule(**changes), NO_WISHES, 0.0, None, False)


def test_a_recording_gives_the_answer_whole():
    watched = recording()
    watched.start(200, ((b"content-length", b"4"),))
    for chunk in (b"ab", b"", b"cd"):
        watched.feed(chunk)
    answer = watched.finish()
    assert answer is not None
    assert (answer.status, answer.body) == (200, b"abcd")


@pytest.mark.parametrize("length", [b"3", b"5"])
def test_a_body_that_is_not_as_long_as_announced_is_no_answer(length):
    watched = recording()
    watched.start(200, ((b"content-length", length),))
    watched.feed(b"abcd")
    assert watched.finish() is None
    assert watched.reason is Reason.INCOMPLETE


def test_an_answer_without_a_head_is_no_answer():
    watched = recording()
    assert watched.finish() is None
    assert watched.reason is Reason.INCOMPLETE


def test_a_recording_over_its_bound_gives_up_and_holds_nothing():
    watched = recording(max_body=10)
    watched.start(200, ())
    for _ in range(100):
        watched.feed(b"12345")
    assert watched.reason is Reason.TOO_LARGE
    assert watched.finish() is None


def test_the_first_reason_to_give_up_stands():
    watched = recording()
    watched.start(500, ())
    watched.abandon(Reason.INCOMPLETE)
    assert watched.reason is Reason.STATUS
