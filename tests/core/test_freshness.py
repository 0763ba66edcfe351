"""May it be looked up, is it near enough, is it fresh: what clients and upstreams say, and what a route lets them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import ALL, policy

from gateway.core.freshness import (
    NO_WISHES,
    AllowedWishes,
    Wishes,
    parse_cache_control,
    read_wishes,
    seconds,
    upstream_ttl,
)
from gateway.core.messages import Entry
from gateway.core.policy import StaleUse, stale_time, stale_use, threshold, time_to_live, too_old

NONE = AllowedWishes(frozenset(), None, None)


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
