"""The most specific path wins, on the bytes as they came."""

from __future__ import annotations

import pytest

from gateway.core.routing import Router, compile_template, decode_variables, fill_template

PATHS = [
    "/v1/chat/completions",
    "/v1/{name}/completions",
    "/v1/chat/*",
    "/v1/*",
    "/models/{model}:generate",
    "/models/{model}",
    "/files/{a}/{b}",
    "/files/{a}/x-{b}",
]
ROUTER = Router({path: path for path in PATHS})


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"/v1/chat/completions", "/v1/chat/completions"),
        (b"/v1/text/completions", "/v1/{name}/completions"),
        (b"/v1/chat/other", "/v1/chat/*"),
        (b"/v1/other", "/v1/*"),
        (b"/v1/", "/v1/*"),
        (b"/v1", None),
        (b"/models/gemini-pro:generate", "/models/{model}:generate"),
        (b"/models/gemini-pro", "/models/{model}"),
        (b"/models/a/b", None),
        (b"/models/", None),
        (b"/models/a%2Fb", "/models/{model}"),
        (b"/files/1/x-2", "/files/{a}/x-{b}"),
        (b"/files/1/2", "/files/{a}/{b}"),
        (b"/V1/chat/completions", None),
        (b"/v1/chat/completions/", "/v1/chat/*"),
        (b"/", None),
    ],
)
def test_the_most_specific_path_wins(path, found):
    match = ROUTER.find(path)
    assert (None if match is None else match[0]) == found


def test_variables_are_raw_bytes_and_decoded_for_extractors():
    _, variables = ROUTER.find(b"/models/a%2Fb%20c:generate") or (None, {})
    assert variables == {"model": b"a%2Fb%20c"}
    assert decode_variables(variables) == {"model": "a/b c"}


def test_an_upstream_path_takes_the_clients_bytes():
    assert fill_template("/api/{model}/x", {"model": b"a%2Fb"}) == b"/api/a%2Fb/x"


def test_literal_text_is_not_a_pattern():
    assert compile_template("/a.b/{x}").match(b"/aXb/1") is None


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/../admin",
        b"/v1/%2e%2E/admin",
        b"/v1/.",
        b"/v1/a/..",
        b"/v1/..;x/admin",
        b"/v1/..%3bx/admin",
        b"/v1/.%2e/a",
        b"/v1/..%2Fadmin",
        b"/v1/a%2f..%2fadmin",
        b"/v1/..\\admin",
        b"/v1/a%5C%2e%2e%5cadmin",
    ],
)
def test_dot_segments_never_leave_a_route(path):
    router = Router({"/v1/*": "rest", "/v1/{name}": "one", "/v1/..": "written so"})
    assert router.find(path) is None
    assert router.find(b"/v1/..") == ("written so", {})
    assert router.find(b"/v1/a..b/.c") is not None
    assert router.find(b"/v1/org%2Fmodel-1.5") is not None
    assert router.find(b"/v1/.../x") is not None
