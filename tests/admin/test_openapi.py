"""The description of the API: valid OpenAPI 3.1, complete, and true to what the handlers answer."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from scripted import GUARDED, OPEN, Scripted, app_for

from gateway.fronts.admin import deny_shapes, examples, judged, operations
from gateway.fronts.admin.openapi import document


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return json.loads(document())


def test_it_is_valid_openapi(described: dict[str, Any]):
    assert described["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(described).validate()


def test_it_names_every_path_and_method_that_there_is(described: dict[str, Any]):
    served = {
        (method, re.sub(r"\{\w+_id:str\}", "{id}", route.path))
        for route in app_for(Scripted()).routes
        if not route.path.startswith("/-/ui")
        for method in route.methods
        if method not in ("OPTIONS", "HEAD")
    }
    named = {
        (method.upper(), path) for path, item in described["paths"].items() for method in item if method != "parameters"
    }
    assert named == served
    assert len(named) == len(GUARDED) + len(OPEN)


def test_only_probes_go_without_the_token(described: dict[str, Any]):
    assert described["components"]["securitySchemes"]["token"] == {
        "type": "http",
        "scheme": "bearer",
        "description": "server.admin.token",
    }
    assert described["security"] == [{"token": []}]
    without = {
        path
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method != "parameters" and operation.get("security") == []
    }
    assert without == {path for _, path in OPEN}


def test_every_guarded_operation_says_what_may_go_wrong(described: dict[str, Any]):
    for path, item in described["paths"].items():
        for method, operation in item.items():
            if method != "parameters" and "security" not in operation:
                assert {"401", "404", "429"} <= operation["responses"].keys(), path


@pytest.mark.parametrize(
    ("example", "shape"),
    [
        (examples.READINESS, operations.Readiness),
        (examples.RUNNING, operations.Running),
        (examples.RELOADED, operations.Reloaded),
        (examples.STATS, operations.Stats),
        (examples.QUESTION, operations.LookupQuestion),
        (examples.ANSWER, operations.LookupAnswer),
        (examples.PAGE, operations.EntriesPage),
        (examples.ENTRY, operations.EntryWhole),
        (examples.ORDER, operations.PurgeOrder),
        (examples.PURGED, operations.PurgeResult),
        (examples.IMPORTED, operations.Imported),
        (examples.REPORT, judged.ShadowReport),
        (json.loads(examples.JUDGED_LINES), judged.ShadowLine),
        (examples.RESET, judged.ShadowReset),
        (examples.FEEDBACK, judged.FeedbackOrder),
        (examples.FEEDBACK_TAKEN, judged.FeedbackResult),
        (examples.DENY, deny_shapes.DenyOrder),
        (examples.DENIED_PAGE, deny_shapes.DeniedPage),
        (examples.FALSE_POSITIVE, deny_shapes.FalsePositive),
        (examples.SPARED, deny_shapes.SparedShown),
    ],
)
def test_examples_fit_their_shapes(example: Any, shape: type):
    read = msgspec.json.decode(msgspec.json.encode(example), type=shape)
    if shape is not operations.LookupQuestion:  # its body is kept as bytes
        shown = json.loads(msgspec.json.encode(read))
        assert {name: shown[name] for name in example} == example


def test_it_is_served_and_litestars_own_pages_are_not(client: TestClient, described: dict[str, Any]):
    answer = client.get("/-/openapi")
    assert answer.headers["content-type"] == "application/vnd.oai.openapi+json;version=3.1"
    assert answer.json() == described
    for path in ("/schema", "/schema/openapi.json", "/-/schema"):
        assert client.get(path).status_code == 404
