"""Durations and sizes as people write them: `250ms`, `24h`, `10MiB`. Text in, numbers out, and back.

A number without a unit is refused (a bare `0` as a size aside): `ttl: 60` is read as minutes by half its readers.
"""

from __future__ import annotations

import re
from decimal import Decimal

from gateway.config.model import Duration, Interval, Share, Size

DURATION = r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"
INTERVAL = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d)|0)$"
SHARE = r"^([0-9]+(\.[0-9]+)?%|0(\.[0-9]+)?|1(\.0+)?)$"
SIZE = r"^([0-9]+(B|KiB|MiB|GiB|TiB)|0)$"
DURATION_WANTED = "a duration like `250ms`, `5s`, `10m`, `24h` or `7d`"
INTERVAL_WANTED = "a duration like `250ms`, `5s` or `10m`, or 0"
SHARE_WANTED = "a share like `1%` or `0.01`, up to `100%`"
SIZE_WANTED = "a size like `512B`, `64KiB`, `10MiB` or `1GiB`"

# Decimals: 0.001 is no binary fraction, and a duration should come back as it was written.
_SECONDS = {"ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
LONGEST = 3650 * 86400.0
LARGEST = 1 << 50
_LENGTH = 24  # more digits than any duration or size that is allowed


def parse_duration(text: str) -> Duration:
    """Seconds. Raises ValueError saying what would be right."""
    found = re.fullmatch(DURATION, text) if len(text) <= _LENGTH else None
    if found is None:
        raise ValueError(DURATION_WANTED)
    unit = found.group(2)
    seconds = round(float(Decimal(text.removesuffix(unit)) * _SECONDS[unit]), 9)
    if not 0 < seconds <= LONGEST:
        raise ValueError("a duration above 0 and up to 3650d")
    return Duration(seconds)


def parse_interval(text: str) -> Interval:
    """Seconds; 0 without a unit says never. Raises ValueError saying what would be right."""
    if text == "0":
        return Interval(0)
    try:
        return Interval(parse_duration(text))
    except ValueError:
        raise ValueError(INTERVAL_WANTED) from None


def parse_share(text: str) -> Share:
    """0 to 1. Raises ValueError saying what would be right."""
    if len(text) > _LENGTH or re.fullmatch(SHARE, text) is None:
        raise ValueError(SHARE_WANTED)
    share = float(Decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1))
    if share > 1:
        raise ValueError(SHARE_WANTED)
    return Share(share)


def parse_size(text: str) -> Size:
    """Bytes. Raises ValueError saying what would be right."""
    found = re.fullmatch(SIZE, text) if len(text) <= _LENGTH else None
    if found is None:
        raise ValueError(SIZE_WANTED)
    unit = found.group(2)
    size = 0 if unit is None else int(text.removesuffix(unit)) * _BYTES[unit]
    if size > LARGEST:
        raise ValueError("a size up to 1024TiB")
    return Size(size)


def write_duration(seconds: float) -> str:
    """The shortest exact way to write it in whole units, else milliseconds with decimals; 0 for never."""
    if seconds == 0:
        return "0"
    exact = Decimal(repr(float(seconds)))
    for unit in ("d", "h", "m", "s"):
        count = exact / _SECONDS[unit]
        if count >= 1 and count == int(count):
            # 24h reads better than 1d, and so does 90s than 1.5m
            return "24h" if seconds == 86400 else f"{int(count)}{unit}"
    text = f"{exact * 1000:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}ms"


def write_share(share: float) -> str:
    """In percent, without needless digits."""
    text = f"{Decimal(repr(float(share))) * 100:f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}%"


def write_size(size: int) -> str:
    """The largest unit that divides it."""
    if size == 0:
        return "0"
    unit = next(unit for unit, count in reversed(_BYTES.items()) if size % count == 0)
    return f"{size // _BYTES[unit]}{unit}"
