"""How figures are written on the dashboard's pages: counts, shares, money, sizes, times. All times are UTC, as in the logs."""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "–"
_GAP = "\u00a0"  # a figure and its unit stay on one line
_COMPACT = ((1e9, "G"), (1e6, "M"), (1e4, "k"))
_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def count(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.0f}"


def compact(value: float | None) -> str:
    """Up to 9,999 in full, then `12.3 k`, `1.23 M`."""
    if value is None:
        return NOTHING
    for unit, letter in _COMPACT:
        if value >= unit:
            scaled = value / (1e3 if letter == "k" else unit)
            return f"{_three_digits(scaled)}{_GAP}{letter}"
    return count(value)


def rate(value: float | None) -> str:
    """A rate or another figure that may be small: three digits."""
    return NOTHING if value is None else _three_digits(value)


def percent(share: float | None) -> str:
    """Never `100 %` or `0 %` unless it is that."""
    if share is None:
        return NOTHING
    if 0 < share < 0.001:
        return f"<{_GAP}0.1{_GAP}%"
    if 0.999 < share < 1:
        return f">{_GAP}99.9{_GAP}%"
    return f"{_three_digits(share * 100)}{_GAP}%"


def dollars(value: float | None) -> str:
    if value is None:
        return NOTHING
    sign = "−" if value < 0 else ""
    size = abs(value)
    return (
        f"{sign}${size:,.0f}"
        if size >= 1000
        else f"{sign}${size:,.2f}"
        if size >= 1 or not size
        else f"{sign}${size:.4f}"
    )


def size(value: float | None) -> str:
    if value is None:
        return NOTHING
    for unit, name in _SIZES:
        if value >= unit:
            return f"{_three_digits(value / unit)}{_GAP}{name}"
    return f"{value:.0f}{_GAP}B"


def duration(seconds: float | None) -> str:
    """`340 µs`, `1.2 ms`, `3.4 s`."""
    if seconds is None:
        return NOTHING
    if seconds < 1e-3:
        return f"{_three_digits(seconds * 1e6)}{_GAP}µs"
    return f"{_three_digits(seconds * 1e3)}{_GAP}ms" if seconds < 1 else f"{_three_digits(seconds)}{_GAP}s"


def span(seconds: float) -> str:
    """`2 d 7 h`, `1 h 30 min`, `12 min`, `4 s`."""
    for nth, (unit, name) in enumerate(_SPANS):
        if seconds >= unit:
            whole, rest = divmod(seconds, unit)
            smaller, its_name = _SPANS[min(nth + 1, len(_SPANS) - 1)]
            more = (
                f"{_GAP}{rest // smaller:.0f}{_GAP}{its_name}"
                if unit >= 3600 and whole < 10 and rest >= smaller
                else ""
            )
            return f"{whole:.0f}{_GAP}{name}{more}"
    return f"0{_GAP}s"


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def machine_time(at: float) -> str:
    """For the `datetime` attribute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def similarity(value: float) -> str:
    """Four decimals, as in `X-Cache-Similarity`."""
    return f"{value:.4f}"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
