"""How `semgate top` looks: figures in, something that rich can draw out. No waiting, no asking, no clock.

It fits what room there is: a narrow terminal loses columns, a low one the routes with the least traffic.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gateway.cli.showing import count, dollars, share, size, span, visible
from gateway.cli.top_figures import Figures, Latency, Line

_CURVE = "▁▂▃▄▅▆▇█"
_OUTCOME_STYLES = {
    "hit": "green",
    "synthesis": "green",
    "stale": "cyan",
    "collapsed": "cyan",
    "miss": "yellow",
    "bypass": "blue",
    "refused": "magenta",
    "error": "red",
}
# Columns of the table of routes; all but the first can be left out, the last of `_FIRST_OUT` only where nothing else helps.
_COLUMNS = ("route", "req/s", "hit rate", "", "hits", "misses", "bypassed", "errors", "entries", "size", "saved")
_FIRST_OUT = ("", "size", "entries", "bypassed", "errors", "saved", "misses", "hits", "hit rate", "req/s")
_BAR = _COLUMNS.index("")
_GAP = 3  # between two columns, as rich draws them
_SHORTEST_NAME = 12
_SHORTEST_CURVE = 4
_WIDE_ENOUGH_FOR_WHEN = 62


class Frame(msgspec.Struct, frozen=True):
    """One picture: `figures` None before the first answer; `lost` says why the gateway does not answer, and when it is
    asked again; `wall` is the time in Unix seconds; `keys`: a key ends it."""

    url: str
    figures: Figures | None
    wall: float
    lost: str = ""
    keys: bool = True


def draw(frame: Frame, width: int, height: int) -> RenderableType:
    if frame.figures is None:
        return Group(_head(frame), Text(frame.lost or "asking …", style="red" if frame.lost else "dim"))
    figures = frame.figures
    states = _states(frame, figures)
    # The head, the curves in their frame, and the table of routes with its own head and sum.
    fixed = 1 + len(states) + 3 + 1 + 4 + (2 if frame.keys else 0)
    latencies = len(figures.latencies) + 3 if figures.latencies else 0
    if fixed + latencies + min(3, len(figures.routes)) > height:
        latencies = 0
    parts: list[RenderableType] = [_head(frame), *states, _curves(figures, width), Text("")]
    parts.append(_routes(figures, width, max(1, height - fixed - latencies)))
    if latencies:
        parts += [Text(""), _latencies(figures, width)]
    if frame.keys:
        parts += [Text(""), Text("q quits", style="dim")]
    return Group(*parts)


def _head(frame: Frame) -> Text:
    text = Text.assemble(("semgate top", "bold"), "  ", (visible(frame.url), "cyan"), no_wrap=True, overflow="ellipsis")
    if frame.figures is not None:
        text.append(f"  up {span(max(0.0, frame.wall - frame.figures.now.stats.since))}", "dim")
    return text


def _states(frame: Frame, figures: Figures) -> list[Text]:
    ready, running = figures.now.readiness, figures.now.running
    if frame.lost:
        state = Text(f"● {frame.lost}", style="bold red")
    else:
        fine = ready.status == "ready"
        state = Text(f"● {visible(ready.status)}", style="bold green" if fine else "bold yellow")
        for name, said in ready.parts.items():
            state.append(f"  {visible(name)} ", "default not bold")
            state.append(visible(said), "not bold green" if said == "ok" else "bold yellow")
    loaded = span(max(0.0, frame.wall - running.loaded_at))
    config = Text(f"configuration {visible(running.digest)[:12]}, loaded {loaded} ago", style="dim")
    lines = [state, config]
    if running.last_error:
        lines.append(Text(f"the last reload failed: {visible(running.last_error)}", style="bold red"))
    if running.restart_needed:
        lines.append(
            Text(f"changed, but only a restart applies it: {visible(', '.join(running.restart_needed))}", "yellow")
        )
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return lines


def _curves(figures: Figures, width: int) -> Panel:
    whole, saved = figures.whole, figures.whole.so_far.saved
    rate, hit_rate = f"{whole.rate:,.1f}", _percent(whole.hit_rate)
    told = [
        Text.assemble(("requests/s ", "dim"), (rate, "bold")),
        Text.assemble(("hit rate ", "dim"), (hit_rate, "bold")),
        Text.assemble(
            ("saved ", "dim"),
            (f"{_short(saved.prompt_tokens + saved.completion_tokens)} tokens", "bold"),
            ("" if saved.dollars is None else f"  {dollars(saved.dollars)}", "bold green"),
        ),
    ]
    room = (width - 4 - sum(text.cell_len + 3 for text in told)) // 2 - 1
    if room >= _SHORTEST_CURVE:
        told[0].append(" " + curve(figures.rates, room), "cyan")
        told[1].append(" " + curve(figures.hit_rates, room, top=1.0), "green")
    line = Text("   ", no_wrap=True, overflow="ellipsis").join(told)
    return Panel(line, box=box.ROUNDED, border_style="dim", padding=(0, 1))


def _routes(figures: Figures, width: int, rows: int) -> Table:
    busiest = sorted(figures.routes, key=lambda line: (-line.rate, -line.so_far.requests, line.name))
    left_out = 0 if len(busiest) <= rows else len(busiest) - rows + 1
    lines = [_cells(line) for line in busiest[: len(busiest) - left_out]]
    more = Text(f"+ {left_out} more" if left_out else "", style="dim")
    whole = _cells(figures.whole)
    widths = _widths_that_fit([*lines, whole], more, width)
    shown = list(widths)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for place, room in widths.items():
        left = place in (0, _BAR)
        table.add_column(_COLUMNS[place], justify="left" if left else "right", width=room, no_wrap=True)
    for cells in lines:
        table.add_row(*[cells[place] for place in shown])
    if left_out:
        table.add_row(more)
    table.add_section()
    table.add_row(*[whole[place] for place in shown], style="bold")
    return table


def _widths_that_fit(rows: Sequence[Sequence[Text]], more: Text, width: int) -> dict[int, int]:
    """Places of columns, and their widths. Names are cut before a column goes."""
    widths = {place: max(len(name), *(row[place].cell_len for row in rows)) for place, name in enumerate(_COLUMNS)}
    longest = max(widths[0], more.cell_len)
    widths[0] = min(longest, _SHORTEST_NAME)
    for name in _FIRST_OUT:
        if _taken(widths) <= width:
            break
        del widths[_COLUMNS.index(name)]
    widths[0] = max(1, min(longest, widths[0] + width - _taken(widths)))
    return widths


def _taken(widths: dict[int, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _cells(line: Line) -> list[Text]:
    route = line.so_far
    tokens = route.saved.prompt_tokens + route.saved.completion_tokens
    saved = _short(tokens) if route.saved.dollars is None else f"{_short(tokens)} {dollars(route.saved.dollars)}"
    return [
        Text(visible(line.name)),
        Text(f"{line.rate:,.1f}", style="" if line.rate else "dim"),
        Text(_percent(line.hit_rate), style="dim" if line.hit_rate is None else ""),
        _bar(line.hit_rate),
        _counted(sum(route.hits.values()), "green"),
        _counted(route.misses, "yellow"),
        _counted(sum(route.bypasses.values()), "blue"),
        _counted(route.errors, "bold red"),
        Text(count(route.entries)),
        Text(size(route.bytes)),
        Text(saved),
    ]


def _counted(number: int, style: str) -> Text:
    return Text(count(number), style=style if number else "dim")


def _latencies(figures: Figures, width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    table.add_column("latency")
    for name in ("p50", "p95", "requests"):
        table.add_column(name, justify="right", no_wrap=True)
    told = width >= _WIDE_ENOUGH_FOR_WHEN
    if told:
        table.add_column("", no_wrap=True)
    for each in figures.latencies:
        when = [Text(_when(each, figures.seconds), style="dim")] if told else []
        table.add_row(
            Text(visible(each.outcome), style=_OUTCOME_STYLES.get(each.outcome, "")),
            milliseconds(each.p50),
            milliseconds(each.p95),
            count(each.requests),
            *when,
        )
    return table


def _when(latency: Latency, seconds: float) -> str:
    return f"in the last {span(seconds)}" if latency.late and seconds else "since the start"


def milliseconds(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 10 else f"{1000 * seconds:,.{2 if seconds < 0.01 else 0}f} ms"


def curve(values: Sequence[float], room: int, top: float | None = None) -> str:
    """The last `room` values as blocks; `top` is the height of the tallest block, else the largest value is."""
    latest = values[-room:]
    highest = max(latest, default=0.0) if top is None else top
    if highest <= 0:
        return _CURVE[0] * len(latest)
    return "".join(_CURVE[min(7, int(max(0.0, value) / highest * 7.999))] for value in latest)


def _bar(part: float | None) -> Text:
    filled = round(10 * (part or 0.0))
    return Text.assemble(("━" * filled, "green"), ("━" * (10 - filled), "bright_black"))


def _percent(part: float | None) -> str:
    return "-" if part is None else share(part, 1.0)


def _short(number: int) -> str:
    """`950`, `12.3k`, `4.6M`."""
    for limit, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if number >= limit:
            return f"{number / (1000 if unit == 'k' else limit):.1f}{unit}"
    return count(number)
