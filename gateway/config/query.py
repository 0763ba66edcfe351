"""What a route of `kind: query` leaves open, filled in: the upstream's request, its path, and which similarity clients may ask for."""

from __future__ import annotations

from gateway.config.model_query import PLACEHOLDER, Ask
from gateway.config.model_routes import Route, Thresholds
from gateway.config.model_serving import Allow, AllowThreshold

OPENAI_PATH = "/v1/chat/completions"
OPENAI_ANSWER = "$.choices[0].message.content"


def query_fields(route: Route, thresholds: Thresholds, *, verified: bool) -> dict[str, object]:
    """`ask` with its body and its `answer`; `upstream_path`; and `allow`, which lets clients ask for nearer questions than the
    route would serve unless it says more."""
    assert route.ask is not None
    fields: dict[str, object] = {"ask": _filled(route.ask)}
    if route.ask.model and route.upstream_path is None:
        fields["upstream_path"] = OPENAI_PATH
    least = thresholds.candidate if verified else thresholds.hit
    if route.allow.threshold is None and route.match == "semantic" and least is not None:
        fields["allow"] = Allow(route.allow.cache_control, AllowThreshold(least), route.allow.ttl)
    return fields


def _filled(ask: Ask) -> Ask:
    if not ask.model:
        return ask
    body = {"model": ask.model, "messages": ({"role": "user", "content": PLACEHOLDER},)}
    return Ask(ask.model, body, ask.answer or OPENAI_ANSWER)
