"""The API under `/-/` described in OpenAPI 3.1. Shapes come from the types of `operations`, so they cannot differ.

Written here rather than generated from the handlers: these read their bodies themselves, to name what is wrong in them.
Tests hold that every path is here, and that every example fits its shape.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from typing import TypeAlias

import msgspec

from gateway.fronts.admin import examples, operations

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

SHAPES = (
    operations.Readiness,
    operations.Running,
    operations.Reloaded,
    operations.FileProblem,
    operations.LookupQuestion,
    operations.LookupAnswer,
    operations.EntryWhole,
    operations.EntriesPage,
    operations.PurgeOrder,
    operations.PurgeResult,
    operations.Stats,
    operations.Imported,
)
_SHAPE = "#/components/schemas/"
PROBLEM: dict[str, Json] = {
    "title": "Problem",
    "description": "RFC 9457: what is wrong and what would be right, without secrets.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "problems": {"type": "array", "items": {"$ref": f"{_SHAPE}FileProblem"}},
    },
    "required": ["type", "title", "status", "detail"],
}
_ERRORS: dict[str, str] = {
    "400": "The body is not JSON",
    "401": "No token, or a wrong one",
    "404": "No such entry, or no admin token is set: then no path but the probes exists",
    "413": "The body is too large",
    "422": "The request cannot be carried out: an unknown route, a parameter that is wrong, ...",
    "429": "Too many wrong tokens; `Retry-After` says when to try again",
    "503": "PostgreSQL or the embedder is needed and does not answer",
}
_ROUTE: tuple[str, str, dict[str, Json]] = ("route", "Name of a route; all without it.", {"type": "string"})


@cache
def document() -> bytes:
    """The document as JSON."""
    _, shapes = msgspec.json.schema_components(SHAPES, ref_template=_SHAPE + "{name}")
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "semgate: operating a running gateway",
                "version": version("semgate"),
                "description": "Times are Unix seconds, similarities cosine from 0 to 1, sizes bytes. See docs/admin.md.",
            },
            "security": [{"token": []}],
            "paths": _paths(),
            "components": {
                "schemas": {**shapes, "Problem": PROBLEM},
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "server.admin.token"}},
                "responses": {code: _problem(text) for code, text in _ERRORS.items()},
            },
        }
    )


def _paths() -> dict[str, Json]:
    running, stored = "what runs", "what is stored"
    entry_id: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/-/live": {"get": _open("live", "This worker answers.", _json({"type": "object"}, {"status": "live"}))},
        "/-/ready": {
            "get": _open("ready", "Routes are served; what is degraded.", _shape("Readiness", examples.READINESS))
        },
        "/-/metrics": {
            "get": _open(
                "metrics", "Prometheus metrics of all workers.", {"text/plain": {"schema": {"type": "string"}}}
            )
        },
        "/-/config": {
            "get": _operation(running, "config", "The configuration that runs.", _shape("Running", examples.RUNNING))
        },
        "/-/reload": {
            "post": _operation(
                running,
                "reload",
                "Load the routes file again, in every worker. 422 lists every problem, and changes nothing.",
                _shape("Reloaded", examples.RELOADED),
                query=[("force", "Even if something new in the file cannot be reached.", {"type": "boolean"})],
                errors=("422",),
            )
        },
        "/-/stats": {
            "get": _operation(
                running, "stats", "Figures since the start.", _shape("Stats", examples.STATS), errors=("503",)
            )
        },
        "/-/openapi": {
            "get": _operation(
                running,
                "openapi",
                "This document.",
                {"application/vnd.oai.openapi+json": {"schema": {"type": "object"}}},
            )
        },
        "/-/lookup": {
            "post": _operation(
                stored,
                "lookup",
                "What would be served to this request, and why. Leaves no trace.",
                _shape("LookupAnswer", examples.ANSWER),
                body=_shape("LookupQuestion", examples.QUESTION),
                errors=("400", "413", "422", "503"),
            )
        },
        "/-/entries": {
            "get": _operation(
                stored,
                "listEntries",
                "The stored entries, newest first, page by page: give `next` as `after`.",
                _shape("EntriesPage", examples.PAGE),
                query=[
                    _ROUTE,
                    ("limit", "At most so many; 50 without it, never above 1000.", {"type": "integer", "minimum": 1}),
                    ("after", "`next` of the page before.", {"type": "string"}),
                ],
                errors=("422", "503"),
            )
        },
        "/-/entries/{id}": {
            "parameters": [entry_id],
            "get": _operation(
                stored, "showEntry", "One entry with its answer.", _shape("EntryWhole", examples.ENTRY), errors=("503",)
            ),
            "delete": _operation(stored, "removeEntry", "Remove one entry, everywhere.", None, errors=("503",)),
        },
        "/-/purge": {
            "post": _operation(
                stored,
                "purge",
                "Remove what fits everything given; counts only, unless `dry_run` is false.",
                _shape("PurgeResult", examples.PURGED),
                body=_shape("PurgeOrder", examples.ORDER),
                optional_body=True,
                errors=("400", "413", "422", "503"),
            )
        },
        "/-/export": {
            "get": _operation(
                stored, "export", "All entries, one a line.", _lines(), query=[_ROUTE], errors=("422", "503")
            )
        },
        "/-/import": {
            "post": _operation(
                stored,
                "import",
                "Store a batch of lines, at most 1000 and 32 MiB: exported ones, or requests with their answers.",
                _shape("Imported", examples.IMPORTED),
                body=_lines(),
                query=[("route", "The route of lines that name none.", {"type": "string"})],
                errors=("413", "422", "503"),
            )
        },
    }


def _open(name: str, summary: str, content: dict[str, Json]) -> dict[str, Json]:
    """A probe: no token."""
    answer: Json = {"description": "As asked", "content": content}
    return {"tags": ["probes"], "operationId": name, "summary": summary, "security": [], "responses": {"200": answer}}


def _operation(
    tag: str,
    name: str,
    summary: str,
    content: dict[str, Json] | None,
    *,
    query: list[tuple[str, str, dict[str, Json]]] | None = None,
    body: dict[str, Json] | None = None,
    optional_body: bool = False,
    errors: tuple[str, ...] = (),
) -> dict[str, Json]:
    """`content` None: there is nothing to say but that it was done (204)."""
    done: dict[str, Json] = (
        {"description": "Done"} if content is None else {"description": "As asked", "content": content}
    )
    responses: dict[str, Json] = {"204" if content is None else "200": done}
    responses |= {code: {"$ref": f"#/components/responses/{code}"} for code in sorted({"401", "404", "429", *errors})}
    operation: dict[str, Json] = {"tags": [tag], "operationId": name, "summary": summary, "responses": responses}
    if query:
        operation["parameters"] = [
            {"name": parameter, "in": "query", "description": text, "schema": schema}
            for parameter, text, schema in query
        ]
    if body is not None:
        operation["requestBody"] = {"required": not optional_body, "content": body}
    return operation


def _shape(name: str, example: Json) -> dict[str, Json]:
    return _json({"$ref": _SHAPE + name}, example)


def _json(schema: dict[str, Json], example: Json) -> dict[str, Json]:
    return {"application/json": {"schema": schema, "example": example}}


def _lines() -> dict[str, Json]:
    return {"application/x-ndjson": {"schema": {"type": "string"}, "example": examples.LINES}}


def _problem(text: str) -> Json:
    return {"description": text, "content": {"application/problem+json": {"schema": {"$ref": f"{_SHAPE}Problem"}}}}
