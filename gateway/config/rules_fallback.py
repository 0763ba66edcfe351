"""Rules for fallbacks: whom an upstream falls back on, what for, and that no chain of them comes back to its start."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.config.findings import Findings
from gateway.config.model import Fallback, File, Route, Upstream
from gateway.config.problem import Place
from gateway.config.rules_stores import check_reference
from gateway.config.syntax import path_names, target_problem


def check_fallbacks(found: Findings, file: File) -> None:
    for name, upstream in file.upstreams.items():
        _check_list(found, file, ("upstreams", name), name, upstream)
        for index, fallback in enumerate(upstream.fallback):
            if fallback.path is not None:
                _check_path(found, file, name, index, fallback, fallback.path)
    _check_cycles(found, file)


def _check_list(found: Findings, file: File, place: Place, name: str, upstream: Upstream) -> None:
    seen: set[str] = set()
    for index, fallback in enumerate(upstream.fallback):
        at = (*place, "fallback", index, "upstream")
        check_reference(found, at, fallback.upstream, file.upstreams, "upstream")
        if fallback.upstream == name:
            found.error(at, f"the upstream `{name}` cannot fall back on itself", "`retry` tries the same one again")
        if fallback.upstream in seen:
            found.error(at, f"{found.shown(at, fallback.upstream)} is in this list already", "keep one")
        seen.add(fallback.upstream)


def _check_path(found: Findings, file: File, name: str, index: int, fallback: Fallback, path: str) -> None:
    """A path of the fallback's own: its variables are those of every route that asks this upstream first."""
    entry: Place = ("upstreams", name, "fallback", index)
    at = (*entry, "path")
    problem = target_problem(path)
    if problem is not None:
        found.error(at, f"`path`: {problem}")
        return
    other = file.upstreams.get(fallback.upstream)
    if other is not None and other.respond is not None:
        judged = ((*entry, "upstream"), ("upstreams", fallback.upstream))
        text = "`path` has no effect on an upstream with `respond`, which needs no path"
        found.error(at, text, "leave it out", judged)
    for number, route in enumerate(file.routes):
        place: Place = ("routes", number)
        for variable in path_names(path):
            if route.upstream == name and variable not in path_names(route.path):
                what = "a variable that it names" if found.is_filled_in(at) else f"`{{{variable}}}`"
                text = f"`path`: the path of the route {found.shown((*place, 'name'), route.name)} has no {what}"
                hint = f"every route with `upstream: {name}` must have it; give this one an upstream of its own"
                found.error(at, text, hint, tuple((*place, key) for key in ("name", "path", "upstream")))


def _check_cycles(found: Findings, file: File) -> None:
    """Report a chain of fallbacks that comes back to its start, once, at its first upstream in the file."""
    reported: set[str] = set()
    for start in file.upstreams:
        chain = _chain_back(file, start)
        if chain and not reported.intersection(chain):
            reported.update(chain)
            shown = " -> ".join(f"`{name}`" for name in (*chain, start))
            place = ("upstreams", start, "fallback")
            judged = tuple(("upstreams", name, "fallback") for name in chain)
            found.error(place, f"the fallbacks go in a circle: {shown}", "let the last one have no fallback", judged)


def _chain_back(file: File, start: str) -> tuple[str, ...]:
    """The shortest chain of at least two upstreams from `start` back to it; empty if there is none."""
    chains: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    while chains:
        chain = chains.pop(0)
        for name in fallbacks_of(file, chain[-1]):
            if name == start and len(chain) > 1:
                return chain
            if name not in seen:
                seen.add(name)
                chains.append((*chain, name))
    return ()


def fallbacks_of(file: File, name: str) -> tuple[str, ...]:
    """The names of the upstreams that this one falls back on, in order."""
    upstream = file.upstreams.get(name)
    return () if upstream is None else tuple(fallback.upstream for fallback in upstream.fallback)


def asked_by(file: File, route: Route) -> Iterator[str]:
    """Every upstream that requests of this route may set off a call to."""
    yield from reachable(file, route.upstream)
    if route.synthesis is not None and route.synthesis.upstream in file.upstreams:
        yield route.synthesis.upstream


def reachable(file: File, name: str) -> Iterator[str]:
    """An upstream and everything it may fall back on."""
    waiting, seen = [name], {name}
    while waiting:
        current = waiting.pop()
        if current in file.upstreams:
            yield current
        for each in fallbacks_of(file, current):
            if each not in seen:
                seen.add(each)
                waiting.append(each)
