"""The forms that the description of the API is put together from: operations, shapes, and what may go wrong."""

from __future__ import annotations

from typing import TypeAlias

from gateway.fronts.admin import examples

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

SHAPE = "#/components/schemas/"
ROUTE: tuple[str, str, dict[str, Json]] = ("route", "Name of a route; all without it.", {"type": "string"})


def open_(name: str, summary: str, content: dict[str, Json]) -> dict[str, Json]:
    """A probe: no token."""
    answer: Json = {"description": "As asked", "content": content}
    return {"tags": ["probes"], "operationId": name, "summary": summary, "security": [], "responses": {"200": answer}}


def operation(
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


def shape(name: str, example: Json) -> dict[str, Json]:
    return json_({"$ref": SHAPE + name}, example)


def json_(schema: dict[str, Json], example: Json) -> dict[str, Json]:
    return {"application/json": {"schema": schema, "example": example}}


def lines(example: str = examples.LINES, schema: dict[str, Json] | None = None) -> dict[str, Json]:
    """JSON lines; each of this schema, where it has one."""
    return {"application/x-ndjson": {"schema": schema or {"type": "string"}, "example": example}}


def problem(text: str) -> Json:
    return {"description": text, "content": {"application/problem+json": {"schema": {"$ref": f"{SHAPE}Problem"}}}}
