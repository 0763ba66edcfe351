"""What the charts show, from what was counted."""

from __future__ import annotations

import pytest

from gateway.fronts.admin.operations import Distribution, Moment, RouteStats, Saved
from gateway.fronts.admin.ui import formats
from gateway.fronts.admin.ui.figures import (
    add_up,
    edges,
    growth,
    histogram,
    in_order,
    over_time,
    quantile,
    used_classes,
)


def moments(*counts: tuple[float, int]) -> list[Moment]:
    return [Moment(at, requests, 0, 0, 0, 0, 0.0) for at, requests in counts]


def requests(sample: Moment) -> float:
    return sample.requests


def route(**given: object) -> RouteStats:
    usual: dict[str, object] = {
        "requests": 10, "hits": {"exact": 4}, "stale": 0, "collapsed": 1, "misses": 3, "bypasses": {"no-text": 2},
        "refused": 0, "errors": 0, "not_kept": {}, "saved": Saved(100, 50, 0.5), "entries": 7, "bytes": 70,
    }  # fmt: skip
    return RouteStats(**{**usual, **given})  # type: ignore[arg-type]


def test_totals_are_of_all_routes() -> None:
    totals = add_up([route(), route(hits={"exact": 1, "verified": 3})])
    assert totals.requests == 20
    assert totals.hits == {"exact": 5, "verified": 3}
    assert totals.hit_rate == 8 / 20
    assert totals.found_rate == 8 / 16  # bypassed ones were not looked up
    assert (totals.tokens, totals.dollars, totals.entries, totals.bytes) == (300, 1.0, 14, 140)


def test_without_requests_there_is_no_rate() -> None:
    totals = add_up([])
    assert (totals.hit_rate, totals.found_rate, totals.dollars) == (None, None, None)


def test_what_is_not_known_of_one_route_is_not_known_of_all() -> None:
    assert add_up([route(), route(entries=None)]).entries is None
    assert add_up([route(), route(saved=Saved(1, 1, None))]).dollars == 0.5  # of those with a price


def test_growth_is_read_at_the_edges_wherever_the_samples_lie() -> None:
    history = moments((0, 100), (10, 110), (30, 150))
    assert growth(history, requests, [0, 10, 20, 30]) == [10, 20, 20]
    assert growth(history, requests, [5, 15]) == [15]


def test_outside_the_samples_nothing_is_known() -> None:
    assert growth(moments((10, 1), (20, 2)), requests, [0, 10, 20, 30]) == [None, 1, None]
    assert growth(moments((10, 1)), requests, [0, 10, 20]) == [None, None]
    assert growth([], requests, [0, 10]) == [None]


def test_a_gateway_that_was_started_anew_counts_from_nothing() -> None:
    assert growth(moments((0, 500), (10, 510), (20, 4)), requests, [0, 10, 20]) == [10, 4]


def test_net_savings_may_shrink_without_a_start() -> None:
    history = [Moment(0, 1, 0, 0, 0, 0, 5.0), Moment(10, 2, 0, 0, 0, 0, 4.5)]
    assert growth(history, lambda sample: sample.dollars, [0, 10]) == [-0.5]


def test_edges_stay_where_they_are_within_a_step() -> None:
    assert edges(1000.0, 60, 15) == edges(1004.0, 60, 15) == [930, 945, 960, 975, 990]


def test_a_chart_over_time_is_a_table_with_a_row_for_each_step() -> None:
    chart = over_time("traffic", "Requests", "rate", [0, 60, 120], {"requests": [1, None], "hit": [0.5, None]}, "said")
    assert [(row.x, row.label, row.values) for row in chart.rows] == [
        (60, "00:01", (1, 0.5)),
        (120, "00:02", (None, None)),
    ]
    assert chart.known
    assert not over_time("traffic", "Requests", "rate", [0, 60], {"requests": [None]}, "said").known


def test_a_histogram_leaves_out_what_is_empty_at_both_ends() -> None:
    shape = Distribution([1, 2, 3, 4, 5], [0, 0, 7, 0, 2, 0])
    assert used_classes([shape]) == (1, 4)
    assert used_classes([Distribution([1, 2], [0, 0, 3])]) == (1, 2)
    chart = histogram("h", "H", {"hit": shape}, str, "said", used_classes([shape]))
    assert [(row.label, row.values) for row in chart.rows] == [
        ("≤ 2", (0,)), ("≤ 3", (7,)), ("≤ 4", (0,)), ("≤ 5", (2,)),
    ]  # fmt: skip


def test_quantiles_are_estimated_within_their_class() -> None:
    shape = Distribution([1, 2, 4], [10, 10, 20, 0])
    assert quantile(shape, 0.5) == 2
    assert quantile(shape, 0.75) == 3
    assert quantile(shape, 0.125) == 0.5
    assert quantile(Distribution([1, 2], [0, 0, 5]), 0.5) == 2  # above the last bound: at least that
    assert quantile(Distribution([1], [0, 0]), 0.5) is None


def test_outcomes_are_listed_from_the_best_on_and_empty_ones_not_at_all() -> None:
    some, none = Distribution([1], [1, 0]), Distribution([1], [0, 0])
    assert list(in_order({"error": some, "new": some, "miss": some, "stale": none, "hit": some})) == [
        "hit",
        "miss",
        "error",
        "new",
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (formats.compact(9_999), "9,999"),
        (formats.compact(12_345), "12.3 k"),
        (formats.compact(999_999), "1,000 k"),
        (formats.compact(15_470_000), "15.5 M"),
        (formats.compact(None), "–"),
        (formats.percent(0.5), "50 %"),
        (formats.percent(0.9999), "> 99.9 %"),
        (formats.percent(0.0001), "< 0.1 %"),
        (formats.percent(0.0), "0 %"),
        (formats.dollars(0.0), "$0.00"),
        (formats.dollars(0.0031), "$0.0031"),
        (formats.dollars(-2.5), "−$2.50"),
        (formats.dollars(1234.5), "$1,234"),
        (formats.size(1011), "1011 B"),
        (formats.size(48_300_112), "46.1 MiB"),
        (formats.duration(0.00008), "80 µs"),
        (formats.duration(0.25), "250 ms"),
        (formats.duration(2.5), "2.5 s"),
        (formats.span(5400), "1 h 30 min"),
        (formats.span(200_000), "2 d 7 h"),
        (formats.span(59), "59 s"),
        (formats.span(-3), "0 s"),
        (formats.moment(0), "1970-01-01 00:00:00"),
    ],
)
def test_figures_are_written_for_reading(written: str, expected: str) -> None:
    assert written.replace("\u00a0", " ") == expected
