"""The API under `/-/` described in OpenAPI 3.1. Shapes come from the types of `operations`, so they cannot differ.

Written here rather than generated from the handlers: these read their bodies themselves, to name what is wrong in them.
Tests hold that every path is here, and that every example fits its shape.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

import msgspec

from gateway.fronts.admin import deny_shapes, examples, judged, operations
from gateway.fronts.admin.openapi_forms import ROUTE, SHAPE, Json, json_, lines, open_, operation, problem, shape
from gateway.fronts.admin.openapi_judged import JUDGED

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
    deny_shapes.DenyOrder,
    deny_shapes.DeniedPage,
    deny_shapes.FalsePositive,
    judged.ShadowReport,
    judged.ShadowLine,
    judged.ShadowReset,
    judged.FeedbackOrder,
    judged.FeedbackResult,
)
PROBLEM: dict[str, Json] = {
    "title": "Problem",
    "description": "RFC 9457: what is wrong and what would be right, without secrets.",
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "problems": {"type": "array", "items": {"$ref": f"{SHAPE}FileProblem"}},
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


@cache
def document() -> bytes:
    """The document as JSON."""
    _, shapes = msgspec.json.schema_components(SHAPES, ref_template=SHAPE + "{name}")
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
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer", "description": "server.admin.token"},
                    "clientKey": {"type": "http", "scheme": "bearer", "description": "clients.key"},
                },
                "responses": {code: problem(text) for code, text in _ERRORS.items()},
            },
        }
    )


def _paths() -> dict[str, Json]:
    running, stored = "what runs", "what is stored"
    entry_id: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "/-/live": {"get": open_("live", "This worker answers.", json_({"type": "object"}, {"status": "live"}))},
        "/-/ready": {
            "get": open_("ready", "Routes are served; what is degraded.", shape("Readiness", examples.READINESS))
        },
        "/-/metrics": {
            "get": open_(
                "metrics", "Prometheus metrics of all workers.", {"text/plain": {"schema": {"type": "string"}}}
            )
        },
        "/-/config": {
            "get": operation(running, "config", "The configuration that runs.", shape("Running", examples.RUNNING))
        },
        "/-/reload": {
            "post": operation(
                running,
                "reload",
                "Load the routes file again, in every worker. 422 lists every problem, and changes nothing.",
                shape("Reloaded", examples.RELOADED),
                query=[("force", "Even if something new in the file cannot be reached.", {"type": "boolean"})],
                errors=("422",),
            )
        },
        "/-/stats": {
            "get": operation(
                running, "stats", "Figures since the start.", shape("Stats", examples.STATS), errors=("503",)
            )
        },
        "/-/openapi": {
            "get": operation(
                running,
                "openapi",
                "This document.",
                {"application/vnd.oai.openapi+json": {"schema": {"type": "object"}}},
            )
        },
        "/-/lookup": {
            "post": operation(
                stored,
                "lookup",
                "What would be served to this request, and why. Leaves no trace.",
                shape("LookupAnswer", examples.ANSWER),
                body=shape("LookupQuestion", examples.QUESTION),
                errors=("400", "413", "422", "503"),
            )
        },
        "/-/entries": {
            "get": operation(
                stored,
                "listEntries",
                "The stored entries, newest first, page by page: give `next` as `after`.",
                shape("EntriesPage", examples.PAGE),
                query=[
                    ROUTE,
                    ("limit", "At most so many; 50 without it, never above 1000.", {"type": "integer", "minimum": 1}),
                    ("after", "`next` of the page before.", {"type": "string"}),
                ],
                errors=("422", "503"),
            )
        },
        "/-/entries/{id}": {
            "parameters": [entry_id],
            "get": operation(
                stored, "showEntry", "One entry with its answer.", shape("EntryWhole", examples.ENTRY), errors=("503",)
            ),
            "delete": operation(stored, "removeEntry", "Remove one entry, everywhere.", None, errors=("503",)),
        },
        "/-/purge": {
            "post": operation(
                stored,
                "purge",
                "Remove what fits everything given; counts only, unless `dry_run` is false.",
                shape("PurgeResult", examples.PURGED),
                body=shape("PurgeOrder", examples.ORDER),
                optional_body=True,
                errors=("400", "413", "422", "503"),
            )
        },
        "/-/deny": {
            "get": operation(
                stored,
                "listDenied",
                "Denied questions: those of the routes file, then those that were added, page by page.",
                shape("DeniedPage", examples.DENIED_PAGE),
                query=[
                    ROUTE,
                    (
                        "limit",
                        "At most so many; 1000 without it, never above 10000.",
                        {"type": "integer", "minimum": 1},
                    ),
                    ("after", "`next` of the page before.", {"type": "string"}),
                ],
                errors=("422", "503"),
            ),
            "post": operation(
                stored,
                "deny",
                "Never answer a question from the cache, or refuse it; on one route or on all.",
                shape("DeniedShown", examples.DENIED),
                body=shape("DenyOrder", examples.DENY),
                errors=("400", "413", "422", "503"),
            ),
        },
        "/-/deny/{id}": {
            "parameters": [entry_id],
            "delete": operation(
                stored,
                "allow",
                "Take back a denied question that was added, or a false positive.",
                None,
                errors=("422", "503"),
            ),
        },
        "/-/deny/{id}/false-positive": {
            "parameters": [entry_id],
            "post": operation(
                stored,
                "reportFalsePositive",
                "A question was taken for this denied one, and does not mean it: from now on it is not.",
                shape("SparedShown", examples.SPARED),
                body=shape("FalsePositive", examples.FALSE_POSITIVE),
                errors=("400", "413", "422", "503"),
            ),
        },
        **JUDGED,
        "/-/export": {
            "get": operation(
                stored, "export", "All entries, one a line.", lines(), query=[ROUTE], errors=("422", "503")
            )
        },
        "/-/import": {
            "post": operation(
                stored,
                "import",
                "Store a batch of lines, at most 1000 and 32 MiB: exported ones, or requests with their answers.",
                shape("Imported", examples.IMPORTED),
                body=lines(),
                query=[("route", "The route of lines that name none.", {"type": "string"})],
                errors=("413", "422", "503"),
            )
        },
    }
