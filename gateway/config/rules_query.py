"""Rules for routes of `kind: query`: how the upstream is asked, and what has no effect where requests have one small shape."""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import Ask, File, Route
from gateway.config.model_query import PLACEHOLDER
from gateway.config.problem import Place
from gateway.config.syntax import jsonpath_problem

_OWN_SHAPE = "its requests and answers have a shape of their own"
_ONE_ANSWER = "its answers are single ones"
# Option -> why it has no effect on these routes, and what to write instead.
IDLE_IN_A_QUERY = {
    "preset": (_OWN_SHAPE, "leave it out; `ask` says which API the upstream has"),
    "query": ("the question is `$.query`", "leave it out"),
    "role": (_OWN_SHAPE, "leave it out"),
    "stream": (_ONE_ANSWER, "leave it out"),
    "stream_default": (_ONE_ANSWER, "leave it out"),
    "dialect": (_ONE_ANSWER, "leave it out"),
    "vary.ignore": ("nothing of the body but the question goes upstream", "leave it out"),
    "keep.terminal": (_ONE_ANSWER, "leave it out"),
    "strip_prefix": (_OWN_SHAPE, "write the path to ask for as `upstream_path`"),
    "response.hit": (_ONE_ANSWER, "leave it out"),
    "response.pace": (_ONE_ANSWER, "leave it out"),
    "response.fresh_ids": (_OWN_SHAPE, "leave it out"),
}
EXAMPLE = "`ask: {model: gpt-4o-mini}`, or `ask: {body: ..., answer: ...}` for other APIs"


def check_queries(found: Findings, file: File) -> None:
    for index, route in enumerate(file.routes):
        place: Place = ("routes", index)
        kind, at = (*place, "kind"), (*place, "ask")
        if route.kind != "query":
            if route.ask is not None:
                text = f"`ask` has no effect with `kind: {route.kind}`"
                found.error(at, text, "write `kind: query` as well, or leave it out", (kind,))
            continue
        _check_idle(found, place, route)
        if route.ask is None:
            found.error(
                place, "the route has no `ask`: what is the upstream to be asked?", f"write {EXAMPLE}", (kind, at)
            )
        else:
            _check_ask(found, at, route.ask)
            _check_public(found, place, route, route.ask)


def _check_idle(found: Findings, place: Place, route: Route) -> None:
    kind = (*place, "kind")
    for option, (why, instead) in IDLE_IN_A_QUERY.items():
        at = (*place, *option.split("."))
        if found.is_written(at):
            found.error(at, f"`{option.split('.')[-1]}` has no effect with `kind: query`: {why}", instead, (kind,))
    if route.methods != ("POST",):
        text = "the one method of `kind: query` is POST: its question is in the body"
        found.error((*place, "methods"), text, "leave it out", (kind,))


def _check_ask(found: Findings, at: Place, ask: Ask) -> None:
    model, body, answer = (*at, "model"), (*at, "body"), (*at, "answer")
    if ask.body is None:
        if not ask.model and not found.is_filled_in(model):
            found.error(at, "`ask` has neither `model` nor `body`", f"write {EXAMPLE}", (model, body))
    elif found.is_written(model):
        found.error(model, "`model` has no effect beside `body`, which says it all", "keep one of the two", (body,))
    else:
        _check_body(found, body, ask.body)
        if not ask.answer:
            text = "`answer` is missing: where is the answer in what the upstream says?"
            found.error(at, text, "write its JSONPath, like `answer: $.generated_text`", (body, answer))
    problem = jsonpath_problem(ask.answer) if ask.answer else None
    if problem is not None:
        shown = "its value is not what belongs here" if found.is_filled_in(answer) else problem
        found.error(answer, f"`answer`: {shown}")


def _check_body(found: Findings, at: Place, body: object) -> None:
    if not any(PLACEHOLDER in text for text in _texts(body)):
        text = f"`body` holds no `{PLACEHOLDER}`: every question would be the same"
        hint = f'put it in quotes: "{PLACEHOLDER}" is text, without them YAML takes it for a mapping'
        found.error(at, text, hint if _is_unquoted(body) else f'write "{PLACEHOLDER}" where the question belongs')
    if isinstance(body, dict) and body.get("stream") is True:
        place = (*at, "stream")
        found.error(place, "an answer that is a stream cannot be given here", "leave `stream` out, or write `false`")


def _texts(value: object) -> list[str]:
    match value:
        case str(text):
            return [text]
        case dict(members):
            return [text for member in members.values() for text in _texts(member)]
        case tuple(items):
            return [text for item in items for text in _texts(item)]
        case _:
            return []


def _is_unquoted(value: object) -> bool:
    """`{query}` as YAML reads it: a mapping with one key and nothing in it."""
    match value:
        case dict(members) if members == {"query": None}:
            return True
        case dict(members):
            return any(_is_unquoted(member) for member in members.values())
        case tuple(items):
            return any(_is_unquoted(item) for item in items)
        case _:
            return False


def _check_public(found: Findings, place: Place, route: Route, ask: Ask) -> None:
    if ask.model and route.scope == "public" and route.mode != "off":
        text = "everybody shares the answers of this LLM route: what one user asks, another may be told"
        found.warning((*place, "scope"), text, "`scope: client` keeps callers apart")
