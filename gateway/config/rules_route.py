"""Rules for routes: paths and who wins them, extractors, what a preset leaves open, and options without effect."""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import File, Route
from gateway.config.preset import as_list, presets
from gateway.config.problem import Place
from gateway.config.rules_clients import has_meters
from gateway.config.rules_stores import check_reference
from gateway.config.rules_upstream import check_headers
from gateway.config.syntax import (
    answer_header_problem,
    covers,
    extractor_problem,
    header_name_problem,
    jsonpath_problem,
    path_names,
    path_problem,
    path_shape,
    plain_path_problem,
)
from gateway.core.extract import INSIDE

EXTRACTORS = ("query", "model", "role", "stream", "scope", "tags", "bypass", "exact_if")
JSONPATHS = (("vary", "ignore"), ("keep", "require"), ("keep", "reject"))
# The forms of `scope` that are words, not extractors.
SCOPE_WORDS = ("client", "public")
# What only nearness needs.
SEMANTIC_OPTIONS = (
    "thresholds",
    "verify",
    "top_k",
    "embedder",
    "role",
    "exact_if",
    "audit",
    "max_error",
    "compare",
    "synthesis",
)
CACHE_OPTIONS = (
    "match", "query", "role", "stream", "stream_default", "dialect", "vary", "bypass", "exact_if", "keep", "embedder",
    "thresholds", "verify", "audit", "max_error", "compare", "synthesis", "top_k", "max_body", "limits", "tags", "allow", "ttl", "stale_if_error", "stale_while_revalidate", "coalesce",
    "on_disconnect", "deny", "response.miss", "response.hit", "response.pace", "response.fresh_ids", "at_rest",
)  # fmt: skip
PARTIAL = 206


def check_routes(found: Findings, file: File) -> None:
    names: dict[str, int] = {}
    for index, route in enumerate(file.routes):
        place: Place = ("routes", index)
        _check_name(found, names, index, route)
        if route.upstream and route.kind != "cache":
            check_reference(found, (*place, "upstream"), route.upstream, file.upstreams, "upstream")
        if route.preset is not None:
            check_reference(found, (*place, "preset"), route.preset, presets(), "preset")
        _check_path(found, file, place, route)
        _check_extractors(found, place, route)
        _check_preset(found, place, route)
        _check_without_effect(found, file, place, route)
        _check_bounds(found, place, route)
    _check_order(found, file)


def _check_name(found: Findings, names: dict[str, int], index: int, route: Route) -> None:
    at = ("routes", index, "name")
    if found.is_broken(at):
        return
    first = names.setdefault(route.name, index)
    if first != index:
        hint = f"first on {found.where(('routes', first, 'name'), at)}"
        found.error(at, f"{found.shown(at, route.name)} is the name of two routes", hint)


def _check_path(found: Findings, file: File, place: Place, route: Route) -> None:
    at, to, strip = (*place, "path"), (*place, "upstream_path"), (*place, "strip_prefix")
    problem = path_problem(route.path)
    if problem is not None:
        found.error(at, f"`path`: {problem}")
    if route.upstream_path is not None:
        problem = plain_path_problem(route.upstream_path)
        if problem is None and "*" in route.upstream_path:
            problem = "it cannot hold `*`; `strip_prefix` keeps the rest of a path"
        if problem is not None:
            found.error(to, f"`upstream_path`: {problem}")
        else:
            for name in path_names(route.upstream_path):
                if name not in path_names(route.path):
                    found.error(to, f"`upstream_path`: the route's path has no `{{{name}}}`", judged_from=(at,))
    if route.strip_prefix is not None:
        problem = _strip_problem(route.strip_prefix, route.path)
        if problem is not None:
            found.error(strip, f"`strip_prefix`: {problem}", judged_from=(at,))
        if route.upstream_path is not None:
            text = "`strip_prefix` has no effect beside `upstream_path`"
            found.error(strip, text, "keep one of the two", (to,))
    upstream = file.upstreams.get(route.upstream)
    if upstream is not None and upstream.respond is not None:
        for option in ("upstream_path", "strip_prefix"):
            if found.is_written((*place, option)):
                text = f"`{option}` has no effect on an upstream with `respond`, which needs no path"
                found.error((*place, option), text, "leave it out", ((*place, "upstream"),))


def _strip_problem(prefix: str, path: str) -> str | None:
    if not prefix.startswith("/") or prefix.endswith("/"):
        return "it must begin with `/` and not end with one"
    if "{" in prefix or "*" in prefix:
        return "it must be plain text, without `{name}` and `*`"
    if not (path + "/").startswith(prefix + "/"):
        return "the route's path does not begin with it"
    return None


def _check_extractors(found: Findings, place: Place, route: Route) -> None:
    names = None if found.is_broken((*place, "path")) else path_names(route.path)
    for option in EXTRACTORS:
        written: str | tuple[str, ...] = getattr(route, option)
        for index, text in enumerate(as_list(written)):
            at = (*place, option) if isinstance(written, str) else (*place, option, index)
            if option == "scope" and text in SCOPE_WORDS:
                if not isinstance(written, str):
                    found.error(at, f"`{text}` stands alone", f"write `scope: {text}`, or a list of extractors")
                continue
            _check_extractor(found, at, option, text, names)
    for outer, inner in JSONPATHS:
        for index, text in enumerate(getattr(getattr(route, outer), inner)):
            at = (*place, outer, inner, index)
            problem = jsonpath_problem(text)
            if problem is not None:
                found.error(at, f"`{inner}`: {_hide(found, at, problem)}")
    for member in ("prompt", "completion"):
        text = getattr(route.usage, member)
        problem = jsonpath_problem(text) if text else None
        if problem is not None:
            at = (*place, "usage", member)
            found.error(at, f"`{member}`: {_hide(found, at, problem)}")
    for index, name in enumerate(route.vary.headers):
        problem = header_name_problem(name)
        if problem is not None:
            at = (*place, "vary", "headers", index)
            found.error(at, f"{found.shown(at, name)} {problem}")


def _check_extractor(found: Findings, at: Place, option: str, text: str, names: tuple[str, ...] | None) -> None:
    problem = extractor_problem(text, names)
    if text.startswith(INSIDE) and not found.is_given(at):
        problem = _inside_problem(found, text) or problem
    if problem is None:
        return
    hint = ""
    if option == "scope" and text.isalnum():
        hint = "write `client`, `public`, or where the value is, like `header:X-Tenant` or `$.user`"
    elif not found.is_written(at):
        hint = "the preset says so; write the path as the API does, or this key with another extractor"
    found.error(at, f"`{option}`: {_hide(found, at, problem)}", hint)


def _inside_problem(found: Findings, text: str) -> str | None:
    """What only programs have, and only where they say so themselves."""
    if text.startswith("given:"):
        return "`given:` cannot be written: put the callable itself there, in the settings of a program"
    if not found.inside:
        return (
            "`state:` is what a program's own authentication knows, and a gateway has none: name a header, or `client`"
        )
    return None


def _hide(found: Findings, at: Place, problem: str) -> str:
    """A grammar's complaint may quote what it read."""
    return "its value is not what belongs here" if found.is_filled_in(at) else problem


def _check_preset(found: Findings, place: Place, route: Route) -> None:
    preset = presets().get(route.preset or "")
    judged = ((*place, "preset"), (*place, "query"), (*place, "mode"))
    known = route.preset is None or preset is not None
    if not route.query and route.mode != "off" and known and route.kind != "cache":
        hint = "say where the text is, like `query: $.messages[-1].content`, or name a `preset`"
        text = "the route has no `query`: what may differ in wording?"
        found.error(place, text, hint, (*judged, (*place, "kind")))
    if route.models and not route.model and known:
        hint = "say where the model's name is, like `model: $.model`"
        found.error(
            (*place, "models"), "`models` has no effect on a route without `model`", hint, (*judged, (*place, "model"))
        )
    if preset is not None and preset.llm and route.scope == "public" and route.mode != "off":
        text = "everybody shares the answers of this LLM route: what one user asks, another may be told"
        found.warning((*place, "scope"), text, "`scope: client` keeps callers apart")


def _check_without_effect(found: Findings, file: File, place: Place, route: Route) -> None:
    match_place, mode_place = (*place, "match"), (*place, "mode")
    if route.match == "exact":
        for option in (*SEMANTIC_OPTIONS, "allow.threshold"):
            at = (*place, *option.split("."))
            if found.is_written(at) and not found.is_filled_in(match_place):
                text = f"`{option}` has no effect with `match: exact`, where only the same words count"
                found.error(at, text, "leave it out, or use `match: semantic`", (match_place, (*place, "preset")))
    if route.mode == "off" and not found.is_filled_in(mode_place):
        idle = [option for option in CACHE_OPTIONS if found.is_written((*place, *option.split(".")))]
        if found.is_written((*place, "usage")) and not has_meters(file):
            idle.append("usage")
        if idle:
            text = "with `mode: off` these have no effect: " + ", ".join(f"`{option}`" for option in idle)
            found.warning(mode_place, text)
    if route.stream_default and not route.stream:
        at = (*place, "stream_default")
        hint = "say which member asks for a stream, like `stream: $.stream`"
        found.error(
            at, "`stream_default` has no effect without `stream`", hint, ((*place, "stream"), (*place, "preset"))
        )


def _check_bounds(found: Findings, place: Place, route: Route) -> None:
    for at, size in (
        ((*place, "max_body"), route.max_body),
        ((*place, "keep", "max_body"), route.keep.max_body),
        ((*place, "limits", "max_bytes"), route.limits.max_bytes),
    ):
        if size == 0:
            found.error(at, f"`{at[-1]}` must be more than 0", "`mode: off` turns a route's cache off")
    for index, status in enumerate(route.keep.status):
        if str(status) == str(PARTIAL):
            at = (*place, "keep", "status", index)
            found.error(at, "a part of an answer (206) is never kept", "leave it out")
    check_headers(found, (*place, "response", "headers"), route.response.headers)
    for name in route.response.headers:
        problem = answer_header_problem(name)
        if problem is not None:
            found.error((*place, "response", "headers", name), f"`{name[:40]}` {problem}", "leave it out")


def _check_order(found: Findings, file: File) -> None:
    """Routes that share a path: is each still reached?"""
    shapes: dict[str, int] = {}
    for later, route in enumerate(file.routes):
        at: Place = ("routes", later, "path")
        if found.is_broken(at) or path_problem(route.path) is not None:
            continue
        first = shapes.setdefault(path_shape(route.path), later)
        if file.routes[first].path != route.path:
            other = found.where(("routes", first, "path"), at)
            hint = f"write it as on {other}, or make them differ in more than names"
            found.error(at, "another route has this path with other names in it, so neither is more specific", hint)
            continue
        left = set[str](route.methods)
        for earlier in range(first, later):
            if "cache" in (file.routes[earlier].kind, route.kind):
                continue  # such a route stands alone, which rules_kind tells
            taken = left & _shadowed(file.routes[earlier], route)
            if taken:
                _note_unreachable(found, earlier, later, taken, whole=taken == set(route.methods))
            left -= taken
            if not left:
                break


def _shadowed(earlier: Route, later: Route) -> set[str]:
    """The methods of `later` for which `earlier` takes every request that `later` would match."""
    if earlier.path != later.path:
        return set()
    covered = not earlier.models or (
        bool(later.models) and all(any(covers(pattern, name) for pattern in earlier.models) for name in later.models)
    )
    return {method for method in later.methods if covered and method in earlier.methods}


def _note_unreachable(found: Findings, earlier: int, later: int, taken: set[str], *, whole: bool) -> None:
    judged = tuple(
        ("routes", index, key) for index in (earlier, later) for key in ("path", "methods", "models", "preset")
    )
    at: Place = ("routes", later, "path")
    other = found.where(("routes", earlier, "path"), at)
    what = "is never reached" if whole else "is never reached by " + " and ".join(sorted(taken))
    hint = "put the one with `models` first, or narrow its `models`"
    found.error(at, f"this route {what}: the one on {other} answers first", hint, judged)
