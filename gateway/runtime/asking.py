"""What an operator writes of a request or a scope -> what the engine reads. Nothing is looked up here.

A request that is only asked about is read as the gate reads one: the same path variables, the same caller, the same body.
"""

from __future__ import annotations

import re
import time

from gateway.core.body import Document
from gateway.core.extract import first_value
from gateway.core.messages import Request
from gateway.core.routing import compile_template, decode_variables, is_exact
from gateway.core.subject import CLIENT, PUBLIC, scopes_named
from gateway.errors import InvalidOrder, Unauthorized
from gateway.fronts.clients import CREDENTIALS, Clients
from gateway.runtime.compile import clients_of, upstream_path_of
from gateway.runtime.generation import CompiledRoute, Generation

DIGEST = re.compile(r"digest:([0-9a-fA-F]{64})")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def route_named(generation: Generation, name: str) -> CompiledRoute:
    """Raises InvalidOrder, naming the routes that there are."""
    route = generation.routes.get(name)
    if route is None:
        raise InvalidOrder(f"no route is named {name[:80]!r}; there is {', '.join(sorted(generation.routes))}")
    return route


def request_of(
    generation: Generation, route: CompiledRoute, body: bytes, headers: dict[str, str], path: str | None
) -> Request:
    """The request that a client would send. Raises InvalidOrder where there is none like this."""
    settings = route.settings
    raw, _, query = (settings.path if path is None else path).partition("?")
    if path is None and not is_exact(settings.path):
        raise InvalidOrder(f"the path of {settings.name} has variables ({settings.path}): say which `path` is meant")
    if not raw.isascii() or not query.isascii():
        raise InvalidOrder("`path` is percent-encoded where it is not ASCII")
    variables = {} if is_exact(settings.path) else compile_template(settings.path).match(raw.encode())
    if variables is None or (is_exact(settings.path) and raw != settings.path):
        raise InvalidOrder(f"{raw[:200]!r} is not a path of {settings.name}, which has {settings.path}")
    listed = [_header(name, value) for name, value in headers.items()]
    preferred = "POST" if body else "GET"
    return Request(
        method=preferred if preferred in settings.methods else sorted(settings.methods)[0],
        path=raw.encode(),
        query_string=query.encode(),
        headers=listed,
        body=body,
        path_params=decode_variables(variables),
        upstream_path=upstream_path_of(settings)(raw.encode(), variables),
        client=_caller(clients_of(generation.settings), listed),
        asked_at=time.time(),
    )


def goes_elsewhere(route: CompiledRoute, request: Request, document: Document) -> str:
    """Why such a request would not come to this route: its model is another's. Empty: it would."""
    if not route.models:
        return ""
    model = first_value(route.rule.model, request, document.holder)
    if any(each.pattern.fullmatch(str(model)) for each in route.models if model is not None):
        return ""
    return "the model of the request is none of this route's `models`: another route takes it, or none"


def scope_of(generation: Generation, route: CompiledRoute, values: str | list[str] | None) -> bytes | None:
    """The digest of the scope that is named; None where none is. Raises InvalidOrder."""
    if values is None:
        return None
    found = _scopes(generation, route, _listed(values))
    if not found:
        raise InvalidOrder(_no_scope(generation, route))
    return found[0]


def scopes_of(generation: Generation, route: CompiledRoute | None, values: str | list[str] | None) -> frozenset[bytes]:
    """All that may be meant, of this route or of any. Empty: none was named. Raises InvalidOrder."""
    if values is None:
        return frozenset()
    listed = _listed(values)
    if not listed:
        raise InvalidOrder("`scope` names nothing; leave it out for all scopes")
    routes = generation.routes.values() if route is None else [route]
    found = frozenset(scope for each in routes for scope in _scopes(generation, each, listed))
    if not found:
        raise InvalidOrder("no route has a scope of this kind" if route is None else _no_scope(generation, route))
    return found


def _scopes(generation: Generation, route: CompiledRoute, values: list[str]) -> tuple[bytes, ...]:
    if len(values) == 1 and (digest := DIGEST.fullmatch(values[0])):
        return (bytes.fromhex(digest[1]),)
    if route.rule.scope == CLIENT and not generation.settings.clients:
        callers = _callers(generation, values[0]) if len(values) == 1 else []
        return tuple(route.keyer.scope(b"client", caller) for caller in callers)
    return scopes_named(route.rule, route.keyer, values)


def _callers(generation: Generation, credential: str) -> list[bytes]:
    """Where no clients are declared a caller is the credentials that it sends: this one in each of the usual places, the
    likeliest first."""
    if any(each in credential for each in "\r\n\0") or not credential.strip():
        return []
    value = credential.strip().encode()
    schemes = [value] if b" " in value else [b"Bearer " + value, value]
    places = [(b"authorization", each) for each in schemes]
    places += [(name, value) for name in sorted(CREDENTIALS - {b"authorization"})]
    clients = clients_of(generation.settings)
    found = [clients.identify([place]).identity for place in places]
    return [caller for caller in found if caller is not None]


def _no_scope(generation: Generation, route: CompiledRoute) -> str:
    name = route.settings.name
    if route.rule.scope == PUBLIC:
        return f"the route {name} is public: its one scope is `public`"
    if route.rule.scope == CLIENT and not generation.settings.clients:
        return f"a scope of the route {name} is one credential as callers send it, or `digest:` and what a lookup shows"
    if route.rule.scope == CLIENT:
        return f"a scope of the route {name} is the name of one client"
    wanted = ", ".join(extractor.text for extractor in route.rule.scope if not isinstance(extractor, str))
    return f"a scope of the route {name} is one value for each of: {wanted}"


def _listed(values: str | list[str]) -> list[str]:
    return [values] if isinstance(values, str) else values


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    if not _TOKEN.fullmatch(name) or any(each in value for each in "\r\n\0"):
        raise InvalidOrder(f"{name[:60]!r} is no header, or its value has line breaks")
    return name.lower().encode(), value.strip().encode()


def _caller(clients: Clients, headers: list[tuple[bytes, bytes]]) -> bytes | None:
    try:
        return clients.identify(headers).identity
    except Unauthorized:
        return None  # such a request would be refused; a scope may be named instead
