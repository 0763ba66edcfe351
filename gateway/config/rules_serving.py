"""Rules for what routes serve: streams and their dialects, replays, coalescing, stale answers. Mostly: has it an effect?"""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import File, Route
from gateway.config.preset import presets
from gateway.config.problem import Place
from gateway.config.syntax import terminal_problem

# What has no effect with `followers: 0`.
IDLE_COALESCING = ("release", "uncacheable", "lock")
STREAM_HINT = "say which member asks for a stream, like `stream: $.stream`"


def check_serving(found: Findings, file: File) -> None:
    for index, route in enumerate(file.routes):
        place: Place = ("routes", index)
        _check_terminal(found, place, route)
        _check_dialect(found, place, route)
        _check_replay(found, place, route)
        _check_coalescing(found, file, place, route)
        _check_stale(found, place, route)


def _check_terminal(found: Findings, place: Place, route: Route) -> None:
    at = (*place, "keep", "terminal")
    if route.dialect is not None and found.is_written(at):
        text = "`terminal` has no effect beside `dialect`, which knows how a stream of its API ends"
        hint = "leave it out" if found.is_written((*place, "dialect")) else "leave it out: the preset has a dialect"
        found.error(at, text, hint, ((*place, "dialect"), (*place, "preset")))
        return
    for index, text in enumerate(route.keep.terminal):
        problem = terminal_problem(text)
        if problem is not None:
            shown = "its value is not what belongs here" if found.is_filled_in((*at, index)) else problem
            found.error((*at, index), f"`terminal`: {shown}")


def _check_dialect(found: Findings, place: Place, route: Route) -> None:
    at, stream, preset = (*place, "dialect"), (*place, "stream"), (*place, "preset")
    if route.dialect is None:
        return
    if not route.stream:
        text = "`dialect` has no effect without `stream`: nobody can ask for a stream"
        found.error(at if found.is_written(at) else stream, text, STREAM_HINT, (at, stream, preset))
    shipped = presets().get(route.preset or "")
    if shipped is not None and shipped.route.dialect not in (None, route.dialect):
        text = f"the preset's API is `{shipped.route.dialect}`: no stream of it can be read in another `dialect`"
        found.error(at, text, "leave it out: the preset has one", (preset,))


def _check_replay(found: Findings, place: Place, route: Route) -> None:
    response, preset = (*place, "response"), (*place, "preset")
    hit, pace, ids = ((*response, option) for option in ("hit", "pace", "fresh_ids"))
    stream, dialect, terminal = (*place, "stream"), (*place, "dialect"), (*place, "keep", "terminal")
    if route.response.fresh_ids and route.dialect is None:
        text = "`fresh_ids` has no effect without `dialect`, which knows where the ids of an API are"
        found.error(ids, text, "name the API, like `dialect: openai-chat`", (dialect, preset))
    if route.response.hit != "auto" and not route.stream:
        text = "`hit` has no effect without `stream`: requests for a stream look like all others"
        found.error(hit, text, STREAM_HINT, (stream, preset))
    no_stream_is_kept = route.dialect is None and not route.keep.terminal
    if route.response.hit == "stream" and no_stream_is_kept:
        text = "`hit: stream` never serves anything: no stream is kept where `keep.terminal` is empty"
        found.error(hit, text, "say how a stream ends, or leave `hit` out", (dialect, terminal, preset))
    if route.response.pace == "recorded":
        judged = (hit, dialect, terminal, preset)
        if route.response.hit == "single" and not found.is_filled_in(hit):
            text = "`pace: recorded` has no effect with `hit: single`: no stream comes from the cache"
            found.error(pace, text, "keep one of the two", judged)
        elif no_stream_is_kept:
            text = "`pace: recorded` has no effect: no stream is kept where `keep.terminal` is empty"
            found.error(pace, text, "say how a stream ends, or leave `pace` out", judged)


def _check_coalescing(found: Findings, file: File, place: Place, route: Route) -> None:
    at = (*place, "coalesce")
    followers, lock = (*at, "followers"), (*at, "lock")
    if route.coalesce.followers == 0 and not found.is_filled_in(followers):
        for option in IDLE_COALESCING:
            if found.is_written((*at, option)):
                text = f"`{option}` has no effect with `followers: 0`, where nobody follows a call"
                found.error((*at, option), text, "leave it out", (followers,))
    elif route.coalesce.lock == "redis" and not file.stores.redis.url:
        url = ("stores", "redis", "url")
        text = "`coalesce.lock` is `redis`, but there is no Redis: `stores.redis.url` is empty"
        found.error(lock, text, "write `stores.redis.url`, or `lock: postgres`", (url,))


def _check_stale(found: Findings, place: Place, route: Route) -> None:
    windows = ((*place, "stale_if_error"), (*place, "stale_while_revalidate"))
    if keeps_stale(route):
        return
    for index, directive in enumerate(route.allow.cache_control):
        at = (*place, "allow", "cache-control", index)
        if directive == "stale-if-error" and found.is_written(at):
            text = "`stale-if-error` has no effect: no answer of this route is kept longer than its `ttl`"
            found.error(at, text, "write `stale_if_error: 1h` as well, or take it out of the list", windows)


def keeps_stale(route: Route) -> bool:
    """Are answers kept past their ttl?"""
    return route.stale_if_error is not None or route.stale_while_revalidate is not None
