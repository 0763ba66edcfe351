"""Routes of `kind: query`, compiled: the settings of `ask` as what fronts and engine take."""

from __future__ import annotations

from gateway.config.model import Ask as AskSettings
from gateway.config.model_query import PLACEHOLDER
from gateway.config.preset import FilledRoute
from gateway.core.asking import Ask
from gateway.core.jsonpath import JsonPath, compile_path
from gateway.encodings import decode
from gateway.errors import StoreError
from gateway.fronts.query import Form
from gateway.runtime.generation import CompiledRoute


def form_of(compiled: CompiledRoute) -> Form:
    """How this route's questions and answers are translated."""
    route, entries = compiled.settings, compiled.entries
    answer = answer_of(route)
    assert route.ask is not None
    assert answer is not None

    def dimension() -> int | None:
        try:
            return None if entries is None else entries.known_space().dimensions
        except StoreError:
            return None  # a remote model tells it with its first answer

    return Form(
        ask=Ask(route.ask.body, PLACEHOLDER, answer),
        upstream=route.upstream,
        most=route.keep.max_body,
        added=frozenset(name.lower().encode() for name in route.response.headers),
        dimension=dimension,
        decode=decode,
    )


def answer_of(route: FilledRoute) -> JsonPath | None:
    """Where the upstream's answers say what counts; None where the route does not know."""
    return None if route.ask is None else compile_path(route.ask.answer)


def model_asked(route: FilledRoute) -> str:
    """The model that every question goes to, as far as the body of `ask` tells."""
    match route.ask:
        case AskSettings(body={"model": str(name)}):
            return name
        case _:
            return ""
