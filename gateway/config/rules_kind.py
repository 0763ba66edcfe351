"""Rules for the kinds of routes: what each kind needs, and what has no effect on a cache, which asks no upstream.

A cache has no answers but those that programs put into it: whatever speaks of requests that are forwarded, or of answers
that come back, says nothing there.
"""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.kinds import type_of
from gateway.config.model import File, Route
from gateway.config.preset import as_list
from gateway.config.problem import Place
from gateway.config.syntax import is_loopback, listen_host, listen_problem
from gateway.config.words import describe

_ASKS_NOBODY = "a cache asks no upstream"
_OWN_SHAPE = "its requests have a shape of their own"
_NOTHING_COMES = "nothing comes from an upstream that could be kept"
# Option -> why it has no effect on a cache, and what to write instead.
IDLE_IN_A_CACHE = {
    "upstream": (_ASKS_NOBODY, "leave it out, or write `kind: proxy`"),
    "upstream_path": (_ASKS_NOBODY, "leave it out"),
    "strip_prefix": (_ASKS_NOBODY, "leave it out"),
    "preset": (_OWN_SHAPE, "leave it out, or write `kind: proxy`"),
    "methods": ("its operations have their methods, POST and DELETE", "leave it out"),
    "models": (_OWN_SHAPE, "leave it out: programs keep models apart by `attributes`, or by caches"),
    "model": (_OWN_SHAPE, "leave it out: programs keep models apart by `attributes`, or by caches"),
    "query": (_OWN_SHAPE, "leave it out"),
    "role": (_OWN_SHAPE, "leave it out"),
    "stream": (_OWN_SHAPE, "leave it out"),
    "stream_default": (_OWN_SHAPE, "leave it out"),
    "dialect": (_OWN_SHAPE, "leave it out"),
    "vary": (_OWN_SHAPE, "leave it out, or name the header in `scope`: `scope: [path:cache_id, header:X-Tenant]`"),
    "bypass": (_OWN_SHAPE, "leave it out"),
    "exact_if": (_OWN_SHAPE, "leave it out: a search says which strategies it wants"),
    "keep": (_NOTHING_COMES, "leave it out: `max_body` bounds what is put in"),
    "usage": (_NOTHING_COMES, "leave it out"),
    "coalesce": (_ASKS_NOBODY, "leave it out"),
    "on_disconnect": (_ASKS_NOBODY, "leave it out"),
    "stale_if_error": (_ASKS_NOBODY, "leave it out, or write a longer `ttl`"),
    "stale_while_revalidate": (_ASKS_NOBODY, "leave it out, or write a longer `ttl`"),
    "audit": (_ASKS_NOBODY + " whose answer could be compared", "leave it out"),
    "max_error": (_ASKS_NOBODY + " whose answer could be compared", "leave it out"),
    "compare": (_ASKS_NOBODY + " whose answer could be compared", "leave it out"),
    "response.miss": (_ASKS_NOBODY, "leave it out"),
    "response.hit": (_OWN_SHAPE, "leave it out"),
    "response.pace": (_OWN_SHAPE, "leave it out"),
    "response.fresh_ids": (_OWN_SHAPE, "leave it out"),
    "allow.cache-control": (_ASKS_NOBODY, "leave it out"),
}
EXAMPLE = "`/v1/caches/{cache_id}/*`"


def check_kinds(found: Findings, file: File) -> None:
    _check_upstreams(found, file)
    for index, route in enumerate(file.routes):
        place: Place = ("routes", index)
        if route.kind == "cache":
            _check_cache(found, place, route)
            _check_alone(found, file, index, route)
            _check_door(found, file, place)
        elif not route.upstream:
            _say_missing(found, place, Route, "upstream", ((*place, "kind"),))


def _check_upstreams(found: Findings, file: File) -> None:
    """Is there an upstream at all, where somebody needs one?"""
    needed = [
        index
        for index, route in enumerate(file.routes)
        if route.kind != "cache" and not found.is_broken(("routes", index, "kind"))
    ]
    if (needed or not file.routes) and not found.is_written(("upstreams",)):
        _say_missing(found, (), File, "upstreams", (("upstreams",),))


def _say_missing(
    found: Findings, place: Place, struct: type[File | Route], name: str, judged_from: tuple[Place, ...]
) -> None:
    """In the words that a missing key has everywhere."""
    wanted = next(each.type for each in type_of(struct).fields if each.name == name)
    found.error(place, f"`{name}` is missing", f"write `{name}:` with {describe(wanted)}", judged_from)


def _check_cache(found: Findings, place: Place, route: Route) -> None:
    kind, path = (*place, "kind"), (*place, "path")
    for option, (why, instead) in IDLE_IN_A_CACHE.items():
        at = (*place, *option.split("."))
        if found.is_written(at):
            found.error(at, f"`{option}` has no effect with `kind: cache`: {why}", instead, (kind,))
    if route.mode == "shadow":
        text = f"`mode: shadow` has no effect with `kind: cache`: {_ASKS_NOBODY} whose answer could be compared"
        found.error((*place, "mode"), text, "write `serve`, or `off`", (kind,))
    if not route.path.endswith("/*"):
        text = "the path of a cache must end in `/*`: its operations are below it"
        found.error(path, text, f"write {EXAMPLE}", (kind,))
    elif route.path.endswith("/caches/*"):
        text = "the path of a cache must say where its id is: what follows it are the operations"
        found.error(path, text, f"write {EXAMPLE}", (kind,))
    for number, text in enumerate(as_list(route.scope)):
        if text.startswith("$"):
            at = (*place, "scope") if isinstance(route.scope, str) else (*place, "scope", number)
            what = (
                f"`scope` of a cache cannot be in the body, which most operations have none of: {found.shown(at, text)}"
            )
            hint = (
                "write `path:NAME`, `header:NAME`, `client`, or `public` (each cache id is a cache of its own anyway)"
            )
            found.error(at, what, hint, (kind,))


def _check_door(found: Findings, file: File, place: Place) -> None:
    """Who may put answers in decides what others are told."""
    listen = file.server.listen
    if file.clients or file.server.open or is_loopback(listen_host(listen)) or listen_problem(listen) is not None:
        return
    text = "anybody who reaches the listen address can put answers into this cache, and empty it"
    hint = "declare `clients`, listen on 127.0.0.1, or write `server.open: true` if others guard the door"
    judged = (("server", "listen"), ("server", "open"), ("clients",))
    found.warning((*place, "kind"), text, hint, judged)


def _check_alone(found: Findings, file: File, index: int, route: Route) -> None:
    """A cache answers whatever comes under its path."""
    for other, each in enumerate(file.routes):
        if other != index and each.path == route.path and (each.kind != "cache" or other < index):
            at: Place = ("routes", index, "path")
            text = "a cache takes every request of its path, and another route has the same one"
            hint = f"the other is on {found.where(('routes', other, 'path'), at)}: give one of them another path"
            judged = (("routes", index, "kind"), ("routes", other, "kind"), ("routes", other, "path"))
            found.error(at, text, hint, judged)
            return
