"""May it be looked up, is it near enough, may it be kept: the rules of freshness, policy and recording."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.freshness import (
    NO_WISHES,
    AllowedWishes,
    Wishes,
    parse_cache_control,
    read_wishes,
    seconds,
    upstream_ttl,
)
from gateway.core.jsonpath import compile_path
from gateway.core.messages import Cost, Entry, Form, Reason, Subject, Wanted
from gateway.core.policy import (
    CachePolicy,
    KeepRule,
    StaleUse,
    compile_terminal,
    examine_body,
    read_cost,
    reject_head,
    stale_time,
    stale_use,
    threshold,
    time_to_live,
    too_old,
)
from gateway.core.recording import Recording

ALL = AllowedWishes(frozenset({"no-cache", "no-store", "max-age", "only-if-cached"}), 0.9, 3600.0)
NONE = AllowedWishes(frozenset(), None, None)


def keep_rule(**changes: object) -> KeepRule:
    fields = {
        "statuses": frozenset({2}),
        "max_body": 1000,
        "require": (),
        "reject": (),
        "cookies": frozenset(),
        "vary": frozenset(),
    }
    return KeepRule(**(fields | changes))


def policy(**changes: object) -> CachePolicy:
    fields = {"hit": 0.95, "top_k": 5, "ttl": 100.0, "keep": keep_rule(), "allowed": ALL}
    return CachePolicy(**(fields | changes))


@pytest.mark.parametrize(
    ("value", "directives"),
    [
        (b"no-cache", {"no-cache": ""}),
        (b"Max-Age=60, no-STORE", {"max-age": "60", "no-store": ""}),
        (b'private="set-cookie, x", max-age=5', {"private": "set-cookie, x", "max-age": "5"}),
        (b" , ,no-store,", {"no-store": ""}),
        (b"???, no-store", {"no-store": ""}),
        (b"max-age=1, max-age=2", {"max-age": "1"}),
    ],
)
def test_cache_control_is_read_as_the_rfc_has_it(value, directives):
    assert parse_cache_control([value]) == directives


@given(st.lists(st.binary(max_size=40), max_size=3))
def test_no_cache_control_breaks_the_parser(values):
    parse_cache_control(values)


@pytest.mark.parametrize(("text", "value"), [("60", 60), ("-1", None), ("1.5", None), ("", None), ("9" * 30, 2**31)])
def test_delta_seconds(text, value):
    assert seconds(text) == value


def test_wishes_are_honoured_only_where_the_route_allows_them():
    headers = [
        (b"cache-control", b"no-cache, max-age=7"),
        (b"x-cache-threshold", b"0.97"),
        (b"x-cache-ttl", b"1h"),
    ]
    assert read_wishes(headers, ALL) == Wishes(no_cache=True, max_age=7, threshold=0.97, ttl=3600.0)
    assert read_wishes(headers, NONE) == NO_WISHES


@pytest.mark.parametrize("value", [b"1.2", b"-1", b"nan", b"near", b"", b"0.5, 0.6"])
def test_a_malformed_threshold_is_ignored(value):
    assert read_wishes([(b"x-cache-threshold", value)], ALL).threshold is None


@pytest.mark.parametrize(("value", "ttl"), [(b"90", 90.0), (b"250ms", 0.25), (b"2h", 3600.0), (b"soon", None)])
def test_a_wished_ttl_is_read_and_capped(value, ttl):
    assert read_wishes([(b"x-cache-ttl", value)], ALL).ttl == ttl


def test_pragma_counts_only_without_cache_control():
    assert read_wishes([(b"pragma", b"no-cache")], ALL).no_cache
    assert not read_wishes([(b"pragma", b"no-cache"), (b"cache-control", b"max-age=1")], ALL).no_cache


def test_a_client_can_only_raise_the_threshold():
    assert threshold(policy(), Wishes(threshold=0.97)) == 0.97
    assert threshold(policy(), Wishes(threshold=0.9)) == 0.95


def test_the_upstream_can_only_shorten_the_ttl():
    assert time_to_live(policy(), NO_WISHES, ((b"cache-control", b"max-age=10"),)) == 10
    assert time_to_live(policy(), NO_WISHES, ((b"cache-control", b"max-age=10, s-maxage=30"),)) == 30
    assert time_to_live(policy(), NO_WISHES, ((b"cache-control", b"max-age=1000"),)) == 100
    assert upstream_ttl(()) is None


def test_max_age_rules_older_entries_out():
    assert too_old(0.0, Wishes(max_age=10), 10.5)
    assert not too_old(0.0, Wishes(max_age=10), 10.0)
    assert not too_old(0.0, NO_WISHES, 1e9)


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (200, (), None),
        (201, (), None),
        (206, (), Reason.STATUS),
        (404, (), Reason.STATUS),
        (500, (), Reason.STATUS),
        (200, ((b"cache-control", b"no-store"),), Reason.CACHE_CONTROL),
        (200, ((b"cache-control", b'private="x"'),), Reason.CACHE_CONTROL),
        (200, ((b"cache-control", b"max-age=0"),), Reason.CACHE_CONTROL),
        (200, ((b"cache-control", b"no-cache"),), None),
        (200, ((b"set-cookie", b"session=1"),), Reason.SET_COOKIE),
        (200, ((b"set-cookie", b"__cf_bm=1; path=/"),), None),
        (200, ((b"vary", b"Accept-Encoding, Accept-Language"),), None),
        (200, ((b"vary", b"Origin"),), Reason.VARY),
        (200, ((b"vary", b"*"),), Reason.VARY),
        (200, ((b"content-type", b"text/event-stream; charset=utf-8"),), Reason.STREAM),
        (200, ((b"content-length", b"1001"),), Reason.TOO_LARGE),
    ],
)
def test_what_a_head_says_about_keeping(status, headers, reason):
    rule = keep_rule(cookies=frozenset({b"__cf_bm"}), vary=frozenset({"accept-language"}))
    assert reject_head(rule, None, status, headers) is reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"choices": [{"finish_reason": "stop"}]}', None),
        (b'{"choices": [{"finish_reason": "stop"}], "error": null}', None),
        (b'{"choices": [{"finish_reason": "length"}]}', Reason.REJECTED),
        (b'{"choices": [], "error": {"message": "no"}}', Reason.REJECTED),
        (b'{"other": 1}', Reason.REJECTED),
        (b'{"choices": [', Reason.NOT_JSON),
        (b"", Reason.NOT_JSON),
        (b'{"choices":[],"choices":[]}', Reason.AMBIGUOUS_JSON),
        (b'{"choices": "' + b"x" * 1000 + b'"}', Reason.TOO_LARGE),
    ],
)
def test_what_a_body_says_about_keeping(body, reason):
    rule = keep_rule(
        require=(compile_path("$.choices"),),
        reject=(compile_path("$.error"), compile_path("$.choices[?@.finish_reason=='length']")),
    )
    assert (None if isinstance(found := examine_body(rule, Form.SINGLE, body), list) else found) is reason


def test_what_an_answer_cost_is_read_where_usage_points():
    counting = policy(
        prompt_tokens=compile_path("$.usage.prompt_tokens"), completion_tokens=compile_path("$.usage.completion_tokens")
    )
    holders = [[{"usage": {"prompt_tokens": 9, "completion_tokens": "3"}}]]
    assert read_cost(counting, "gpt-4o", holders) == Cost("gpt-4o", 9, 0)
    assert read_cost(counting, None, holders) == Cost("", 9, 0)
    assert len(read_cost(counting, "x" * 10_000, holders).model) == 256


SSE = ((b"content-type", b"text/event-stream; charset=utf-8"),)
NDJSON = ((b"content-type", b"application/x-ndjson"),)


@pytest.mark.parametrize(
    ("wanted", "headers", "terminal", "reason"),
    [
        (None, SSE, "[DONE]", None),
        (None, SSE, "", Reason.STREAM),
        (Wanted(stream=True), SSE, "[DONE]", None),
        (Wanted(stream=True), NDJSON, "$.done", None),
        (Wanted(stream=True), (), "[DONE]", Reason.FORM),
        (Wanted(stream=False), SSE, "[DONE]", Reason.FORM),
        (Wanted(stream=False), (), "[DONE]", None),
    ],
)
def test_an_answer_in_the_other_form_than_asked_for_is_not_kept(wanted, headers, terminal, reason):
    rule = keep_rule(terminal=(compile_terminal(terminal),) if terminal else ())
    assert reject_head(rule, wanted, 200, headers) is reason


@pytest.mark.parametrize(
    ("terminal", "stream", "reason"),
    [
        ("[DONE]", b'data: {"a": 1}\n\ndata: [DONE]\n\n', None),
        ("[DONE]", b'data: {"a": 1}\r\n\r\ndata: [DONE]\r\n\r\n', None),
        ("[DONE]", b'data: {"a": 1}\n\ndata: [DONE]', None),
        ("[DONE]", b'data: {"a": 1}\n\ndata:[DONE]\n\n: bye\n\n', None),
        ("[DONE]", b'data: {"a": 1}\n\n', Reason.INCOMPLETE),
        ("[DONE]", b'data: [DONE]\n\ndata: {"a": 1}\n\n', Reason.INCOMPLETE),
        ("[DONE]", b": only a comment\n\n", Reason.INCOMPLETE),
        ("[DONE]", b"", Reason.INCOMPLETE),
        ("[DONE]", b'data: {"error": {"message": "no"}}\n\ndata: [DONE]\n\n', Reason.REJECTED),
        ("[DONE]", b'event: error\ndata: {"a": 1}\n\ndata: [DONE]\n\n', Reason.REJECTED),
        ("event:end", b'data: {"a": 1}\n\nevent: end\ndata: {}\n\n', None),
        ("event:end", b'event: end\ndata: {}\n\ndata: {"a": 1}\n\n', Reason.INCOMPLETE),
        ("$.done", b'data: {"a": 1}\n\ndata: {"done": true}\n\n', None),
        ("$.done", b'data: {"a": 1}\n\ndata: {"done": false}\n\n', Reason.INCOMPLETE),
        ("[DONE]", b'data: {"b": 1}\n\ndata: [DONE]\n\n', Reason.REJECTED),
    ],
)
def test_a_stream_is_kept_only_after_its_terminal_event(terminal, stream, reason):
    rule = keep_rule(
        terminal=(compile_terminal(terminal),), require=(compile_path("$.a"),), reject=(compile_path("$.error"),)
    )
    found = examine_body(rule, Form.SSE, stream)
    assert (None if isinstance(found, list) else found) is reason


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b'{"a": 1}\n{"done": true}\n', None),
        (b'{"a": 1}\n{"done": true}', None),
        (b'{"a": 1}\n{"done": tr', Reason.NOT_JSON),
        (b'{"a": 1}\n', Reason.INCOMPLETE),
        (b'{"error": "no"}\n{"done": true}\n', Reason.REJECTED),
    ],
)
def test_lines_of_json_are_a_stream_as_well(stream, reason):
    rule = keep_rule(terminal=(compile_terminal("$.done"),), reject=(compile_path("$.error"),))
    found = examine_body(rule, Form.NDJSON, stream)
    assert (None if isinstance(found, list) else found) is reason


def test_what_a_stream_said_last_is_what_it_cost():
    counting = policy(completion_tokens=compile_path("$.usage.out"))
    holders = [[{"usage": {"out": 1}}], [{"usage": {"out": 7}}], [{"usage": None}], [None]]
    assert read_cost(counting, "m", holders).completion == 7


@pytest.mark.parametrize(
    ("past", "wishes", "use"),
    [
        (-1, NO_WISHES, StaleUse.FRESH),
        (0, NO_WISHES, StaleUse.REVALIDATE),
        (9, NO_WISHES, StaleUse.REVALIDATE),
        (10, NO_WISHES, StaleUse.IF_ERROR),
        (59, NO_WISHES, StaleUse.IF_ERROR),
        (60, NO_WISHES, StaleUse.NONE),
        (30, Wishes(stale_if_error=20), StaleUse.NONE),
        (15, Wishes(stale_if_error=20), StaleUse.IF_ERROR),
        (70, Wishes(stale_if_error=1000), StaleUse.NONE),
    ],
)
def test_what_an_expired_entry_is_good_for(past, wishes, use):
    rules = policy(stale_if_error=60.0, stale_while_revalidate=10.0)
    entry = Entry("i", "r", b"s", b"p", b"e", 200, (), b"{}", 0.0, 0.0, 1000.0, stale=rules.stale)
    assert stale_use(rules, entry, wishes, 1000.0 + past) is use


def test_an_upstream_can_forbid_stale_answers():
    rules = policy(stale_if_error=60.0)
    assert stale_time(rules, ()) == 60.0
    assert stale_time(rules, ((b"cache-control", b"max-age=5, must-revalidate"),)) == 0.0


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
