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
from gateway.core.messages import Candidate, Cost, Reason, Subject
from gateway.core.negotiate import GZIP, IDENTITY, choose_encoding
from gateway.core.policy import (
    CachePolicy,
    KeepRule,
    choose,
    compile_model,
    examine_body,
    read_cost,
    reject_head,
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


@pytest.mark.parametrize(("similarity", "served"), [(0.95, True), (0.9499, False), (1.0, True)])
def test_the_nearest_is_served_at_the_threshold_or_above(similarity, served):
    candidates = [Candidate("a", similarity, None), Candidate("b", 0.1, None)]
    assert (choose(candidates, 0.95) is candidates[0]) is served
    assert choose([], 0.0) is None


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
    assert reject_head(rule, status, headers) is reason


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
    assert (None if isinstance(found := examine_body(rule, body), list) else found) is reason


@pytest.mark.parametrize(
    ("model", "label"), [("gpt-4o", "gpt-*"), ("o3", "o3"), ("o3-mini", "other"), ("GPT-4o", "other"), (None, "other")]
)
def test_what_an_answer_cost_is_counted_under_a_name_of_the_routes_file(model, label):
    counting = policy(
        models=(compile_model("gpt-*"), compile_model("o3")),
        prompt_tokens=compile_path("$.usage.prompt_tokens"),
        completion_tokens=compile_path("$.usage.completion_tokens"),
    )
    cost = read_cost(counting, model, [{"usage": {"prompt_tokens": 9, "completion_tokens": "3"}}])
    assert cost == Cost(label, 9, 0)


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


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [
        ([], IDENTITY),
        ([b"gzip, br"], IDENTITY),
        ([b"br;q=1.0, *;q=0.5"], IDENTITY),
        ([b"identity;q=0, gzip"], GZIP),
        ([b"*;q=0, gzip;q=0.5"], GZIP),
        ([b"gzip", b"*;q=0"], GZIP),
        ([b"*;q=0, identity;q=0.1"], IDENTITY),
        ([b"gzip;q=0"], IDENTITY),
        ([b"identity;q=0, gzip;q=0"], None),
        ([b"br, *;q=0"], None),
        ([b"identity;q=0.000, br"], None),
    ],
)
def test_a_hit_goes_out_in_a_coding_the_client_accepts(accepts, encoding):
    assert choose_encoding([(b"accept-encoding", value) for value in accepts]) == encoding
