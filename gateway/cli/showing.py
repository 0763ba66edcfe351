"""How results are printed: tables for a terminal, aligned plain text for a pipe, JSON for programs; and numbers for people.

What comes from stored questions or from the network goes through `visible`: a question may hold escape sequences, and a
terminal would obey them.
"""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

# Categories of characters that a terminal acts on or that hide others: controls, formats (bidi overrides), surrogates.
_ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = frozenset("\u200c\u200d")  # of many scripts and of emoji; harmless
_GAP = 3  # between the columns of rich's tables
_NARROWEST_WRAPPED = 16
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


class Column(NamedTuple):
    """`wraps`: its text may go on in the next line; `spare`: left out of a terminal that is too narrow, the highest
    first (0: never)."""

    name: str
    right: bool = False
    wraps: bool = False
    spare: int = 0


def write(text: str) -> None:
    """To stdout, ending with a line break."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def write_json(value: object) -> None:
    """Indented JSON to stdout."""
    write(visible_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()))


def write_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """A table to stdout. Cells are taken as they are: what is foreign has gone through `visible`."""
    if sys.stdout.isatty():
        _write_rich_table(columns, rows)
    else:
        write(plain_table(columns, rows))


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, two spaces between, nothing cut off: for pipes and logs."""
    lines = [[column.name for column in columns], *rows]
    widths = [max(map(_width, cells)) for cells in zip(*lines, strict=True)]
    return "".join("  ".join(map(_padded, cells, widths, columns)).rstrip() + "\n" for cells in lines)


def _padded(cell: str, width: int, column: Column) -> str:
    room = " " * (width - _width(cell))
    return room + cell if column.right else cell + room


def _width(cell: str) -> int:
    """Columns of a terminal that it takes: East Asian characters take two."""
    if cell.isascii():
        return len(cell)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in cell
    )


def _write_rich_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    widths = _widths_that_fit(columns, rows, console.width)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for place, width in widths.items():
        column = columns[place]
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            min_width=width,
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
        )
    for row in rows:
        table.add_row(*(Text(row[place]) for place in widths))
    console.print(table)


def _widths_that_fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> dict[int, int]:
    """The places of the columns that are shown, and the least width of each."""
    widths = {
        place: max(_width(column.name), *(_width(row[place]) for row in rows)) for place, column in enumerate(columns)
    }
    for place, column in enumerate(columns):
        if column.wraps:
            widths[place] = min(widths[place], _NARROWEST_WRAPPED)
    for place in sorted(widths, key=lambda each: -columns[each].spare):
        if sum(widths.values()) + _GAP * (len(widths) - 1) <= room or not columns[place].spare:
            break
        del widths[place]
    return widths


def visible(text: str) -> str:
    """On one line, with every character that a terminal would act on written as an escape."""
    return "".join(_shown(each) for each in text)


def visible_lines(text: str) -> str:
    """The same with its line breaks and tabs left in."""
    return "".join(each if each in "\n\t" else _shown(each) for each in text)


def visible_json(text: str) -> str:
    """The same JSON; what a terminal would act on is in its texts only, and there every character may be an escape."""
    if text.isascii():
        return text
    return "".join(each if each.isascii() or _shown(each) == each else json.dumps(each)[1:-1] for each in text)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _ACTING or character in _JOINERS:
        return character
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    code = ord(character)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"


def things(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2 entries`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int | None) -> str:
    """Bytes, with one decimal."""
    if number is None:
        return "?"
    amount = float(number)
    for unit in _SIZES:
        if amount < 1024 or unit == _SIZES[-1]:
            return f"{number} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError


def share(part: float, whole: float) -> str:
    """Per cent; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def dollars(amount: float | None) -> str:
    if amount is None:
        return "-"
    sign = "-" if amount < 0 else ""
    return f"{sign}${abs(amount):,.2f}" if abs(amount) >= 1 or amount == 0 else f"{sign}${abs(amount):.4f}"


def span(seconds: float) -> str:
    """`850 ms`, `42 s`, `12 min`, `3 h 12 min`, `5 d 2 h`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))} ms"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 120:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def moment(unix: float, form: str = "%Y-%m-%d %H:%M:%S%z") -> str:
    """Local time; unless told otherwise to the second, with its offset from UTC."""
    try:
        local = time.localtime(unix)
    except (OverflowError, ValueError, OSError):
        return f"{unix:.0f}"
    return time.strftime(form, local)


def in_order(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """The largest first."""
    return sorted(counts, key=lambda each: (-each[1], each[0]))
