"""Rules for clients: keys and names that are theirs alone, routes that are there, limits that can be reached."""

from __future__ import annotations

import hashlib

from gateway.config.findings import Findings
from gateway.config.model import Client, File, Route
from gateway.config.problem import Place
from gateway.config.rules_prices import counts_tokens, judging_tokens
from gateway.config.syntax import covers, is_visible_ascii
from gateway.config.words import did_you_mean

# The limits that go by what answers say they used.
METERED = ("tokens_per_minute", "dollars_per_month")
_MOST_NAMED = 5


def check_clients(found: Findings, file: File) -> None:
    names: dict[str, Place] = {}
    keys: dict[str, Place] = {}
    for index, client in enumerate(file.clients):
        place = ("clients", index)
        shown = found.shown((*place, "name"), client.name)
        _note_double(found, names, client.name, (*place, "name"), f"{shown} is the name of two clients")
        both = ((*place, "key"), (*place, "key_sha256"))
        if bool(client.key) == bool(client.key_sha256):
            what = "has both `key` and `key_sha256`" if client.key else "has neither `key` nor `key_sha256`"
            empty = found.is_filled_in(both[0]) and not client.key
            hint = "the variable of `key` is empty" if empty else "write exactly one of them"
            found.error(place, f"the client {what}", hint, both)
            continue
        if client.key and not is_visible_ascii(client.key):
            found.error(both[0], "`key` must be visible ASCII characters, as it travels in a header")
        digest = client.key_sha256 or hashlib.sha256(client.key.encode()).hexdigest()
        _note_double(found, keys, digest, both[0] if client.key else both[1], "two clients have this key", both)
    counted = frozenset(route.name for route in file.routes if counts_tokens(route))
    for index, client in enumerate(file.clients):
        _check_allowed(found, file, index, client)
        _check_limits(found, file, index, client, counted)
    _check_unreachable(found, file)


def _note_double(
    found: Findings, seen: dict[str, Place], value: str, place: Place, text: str, judged_from: tuple[Place, ...] = ()
) -> None:
    """Report a second use of what must be unique; `seen` collects the first ones."""
    if any(found.is_broken(each) for each in (place, *judged_from)):
        return
    first = seen.setdefault(value, place)
    if first != place:
        found.error(place, text, f"first on {found.where(first, place)}", judged_from)


def may_use(client: Client, route: str) -> bool:
    """Is the route, by its name, one of the client's?"""
    return not client.routes or any(covers(pattern, route) for pattern in client.routes)


def has_meters(file: File) -> bool:
    """Does it matter to anybody's limits what answers used?"""
    return any(getattr(client.limits, name) is not None for client in file.clients for name in METERED)


def _check_allowed(found: Findings, file: File, index: int, client: Client) -> None:
    names = [route.name for route in file.routes]
    for number, pattern in enumerate(client.routes):
        at = ("clients", index, "routes", number)
        if any(covers(pattern, name) for name in names):
            continue
        close = None if found.is_filled_in(at) else did_you_mean(pattern, names)
        hint = f"did you mean `{close}`?" if close else "declared: " + ", ".join(f"`{name}`" for name in names)
        what = "matches no route" if "*" in pattern else "is not the name of a route"
        found.error(at, f"{found.shown(at, pattern)} {what}", hint, _judging_names(file))


def _check_limits(found: Findings, file: File, index: int, client: Client, counted: frozenset[str]) -> None:
    """Limits on tokens and money go by what answers say of them: is there a route whose answers do?"""
    allowed = [route for route in file.routes if may_use(client, route.name)]
    used = [route.name for route in allowed if not _is_free(file, route)]
    missed = [name for name in used if name not in counted]
    judged = (("clients", index, "routes"), ("prices",), *judging_tokens(file))
    for name in METERED:
        at = ("clients", index, "limits", name)
        if not allowed or getattr(client.limits, name) is None:
            continue
        if name == "dollars_per_month" and not file.prices:
            text = "`dollars_per_month` has no effect without `prices`, which say what tokens cost"
            found.error(at, text, 'write them, like `prices: {"gpt-4o*": {prompt: 2.5, completion: 10}}`', judged)
        elif len(missed) == len(used):
            text = f"`{name}` has no effect: no route that this client may use says where an answer's tokens are"
            found.error(at, text, "write `usage: {prompt: $..., completion: $...}` in the route", judged)
        elif missed:
            names = ", ".join(f"`{each}`" for each in missed[:_MOST_NAMED]) + ", ..." * (len(missed) > _MOST_NAMED)
            text = f"`{name}` does not count what this client uses of {names}"
            hint = "write `usage: {prompt: $..., completion: $...}` there, or narrow the client's `routes`"
            found.warning(at, text, hint, judged)


def _is_free(file: File, route: Route) -> bool:
    """Does it cost nothing, as no upstream is asked?"""
    upstream = file.upstreams.get(route.upstream)
    return route.kind == "cache" or (upstream is not None and upstream.respond is not None)


def _check_unreachable(found: Findings, file: File) -> None:
    """Where every client has a list of routes, is each route in one of them?"""
    lists = [client.routes for client in file.clients]
    names = [route.name for route in file.routes]
    if not all(any(covers(pattern, name) for name in names) for patterns in lists for pattern in patterns):
        return  # a mistyped name would have its route called unused
    judged = (*_judging_names(file), ("clients",), *(("clients", index, "routes") for index in range(len(lists))))
    for index, name in enumerate(names):
        if lists and not any(may_use(client, name) for client in file.clients):
            at = ("routes", index, "name")
            found.warning(at, f"no client may use the route {found.shown(at, name)}", judged_from=judged)


def _judging_names(file: File) -> tuple[Place, ...]:
    return (("routes",), *(("routes", index, "name") for index in range(len(file.routes))))
