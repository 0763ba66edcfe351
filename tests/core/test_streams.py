"""Streams as they are recorded: events and their bytes, pieces and their pace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.freshness import NO_WISHES
from gateway.core.messages import Form, Reason, Subject
from gateway.core.pace import paced, pack
from gateway.core.policy import KeepRule, Terminal
from gateway.core.recording import Recording
from gateway.core.streams import form_of, last_data, split

LINES = st.sampled_from([b"data: x", b"data:", b"data", b": note", b"event: e", b"id: 1", b"", "data: é😀".encode()])
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
SSE = ((b"content-type", b"text/event-stream"),)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (b"text/event-stream", Form.SSE),
        (b"Text/Event-Stream; charset=utf-8", Form.SSE),
        (b"application/x-ndjson", Form.NDJSON),
        (b"application/json", Form.SINGLE),
        (b"", Form.SINGLE),
    ],
)
def test_a_stream_is_known_by_its_type(content_type, form):
    assert form_of(content_type) is form


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_are_read_as_the_standard_has_it(end):
    lines = [
        b": hello",
        b"",
        b"event: add",
        b"data: one",
        b"data:two",
        b"data:  three",
        b"id: 7",
        b"",
        b"data",
        b"",
        b"",
    ]
    comment, add, empty = split(end.join(lines), Form.SSE)
    assert comment.data is None
    assert (add.name, add.data) == (b"add", b"one\ntwo\n three")
    assert (empty.name, empty.data) == (b"", b"")


def test_a_last_event_without_its_empty_line_counts():
    events = split(b"data: a\n\ndata: [DONE]", Form.SSE)
    assert [event.data for event in events] == [b"a", b"[DONE]"]


def test_the_last_thing_said_is_not_a_comment():
    last = last_data(split(b"data: a\n\n: ping\n\nretry: 5\n\n", Form.SSE))
    assert last is not None
    assert last.data == b"a"
    assert last_data(split(b": ping\n\n", Form.SSE)) is None


@given(st.lists(st.tuples(LINES, ENDS), max_size=30))
def test_the_bytes_of_the_events_are_the_streams(lines):
    body = b"".join(line + end for line, end in lines)
    assert b"".join(event.raw for event in split(body, Form.SSE)) == body


@given(st.binary(max_size=300))
def test_any_bytes_are_taken_apart_without_loss(body):
    for form in (Form.SSE, Form.NDJSON):
        assert b"".join(event.raw for event in split(body, form)) == body


@given(st.lists(st.tuples(st.binary(max_size=9), st.floats(0, 5)), min_size=1, max_size=40))
def test_a_paced_replay_is_the_same_bytes_in_the_same_order_of_time(pieces):
    body, ends, at = b"", [], 100.0
    for piece, pause in pieces:
        body, at = body + piece, at + pause
        ends.append((len(body), at))
    replayed = list(paced(body, pack(ends)))
    assert b"".join(piece for _, piece in replayed) == body
    assert [due for due, _ in replayed] == sorted(due for due, _ in replayed)
    assert abs(replayed[-1][0] - (ends[-1][1] - ends[0][1])) < 0.01


def test_what_came_in_the_same_millisecond_goes_out_together():
    assert list(paced(b"abcdef", pack([(2, 1.0), (4, 1.0004), (6, 1.5)]))) == [(0.0, b"abcd"), (0.5, b"ef")]


def test_without_a_pace_everything_is_due_at_once():
    assert list(paced(b"abc", b"")) == [(0.0, b"abc")]


def test_ten_thousand_small_pieces_are_one_answer():
    rule = KeepRule(frozenset({2}), 1 << 20, (), (), frozenset(), frozenset(), None, (Terminal(data=b"[DONE]"),))
    watched = Recording(Subject(b"s", b"p", b"e", "t", False, None), rule, NO_WISHES, 0.0, None, False)
    watched.start(200, SSE)
    body = b"".join(b'data: {"n": %d}\n\n' % n for n in range(5000)) + b"data: [DONE]\n\n"
    for begin in range(0, len(body), 7):
        watched.feed(body[begin : begin + 7], begin / 1000)
    answer = watched.finish()
    assert answer is not None
    assert (answer.body, answer.form) == (body, Form.SSE)
    assert b"".join(piece for _, piece in paced(body, answer.pace)) == body


class Followers:
    """An Audience that remembers what it is told."""

    followed = True

    def __init__(self) -> None:
        self.told: list[object] = []

    def start(self, status, headers, form, so_far, *, synthesized=False):
        self.told.append(("start", status, b"".join(so_far())))

    def feed(self, chunk):
        self.told.append(chunk)

    def abandon(self, reason):
        self.told.append(reason)

    def finish(self):
        self.told.append("finish")

    def land(self, entry):
        self.told.append(entry)


def followed(max_body: int = 100) -> tuple[Recording, Followers]:
    rule = KeepRule(frozenset({2}), max_body, (), (), frozenset(), frozenset(), None, (Terminal(data=b"[DONE]"),))
    audience = Followers()
    subject = Subject(b"s", b"p", b"e", "t", False, None)
    return Recording(subject, rule, NO_WISHES, 0.0, None, False, audience=audience), audience


def test_followers_see_a_stream_to_its_end_though_it_is_too_long_to_be_kept():
    watched, audience = followed(max_body=3)
    watched.start(200, SSE)
    for piece in (b"ab", b"cd", b"ef"):
        watched.feed(piece)
    assert watched.finish() is None
    assert audience.told == [("start", 200, b""), b"ab", b"cd", Reason.TOO_LARGE, b"ef", "finish"]


def test_followers_never_see_the_head_of_what_cannot_be_shared():
    watched, audience = followed()
    watched.start(200, ((b"set-cookie", b"session=1"), *SSE))
    assert audience.told == [Reason.SET_COOKIE]


def test_an_answer_is_read_on_for_followers_though_its_client_left():
    watched, audience = followed()
    watched.start(500, ())
    assert watched.wanted(kept_without_client=False)
    audience.followed = False
    assert not watched.wanted(kept_without_client=True)
