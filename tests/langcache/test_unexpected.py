"""What goes wrong that should not is told in the API's shape, and is still the server's to log."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from langcache import errors

from gateway.core.body import Document
from gateway.core.events import Outcome, Served
from gateway.core.keys import Keyer
from gateway.core.messages import Request
from gateway.core.status import Expose
from gateway.core.subject import PUBLIC, Rule
from gateway.fronts.langcache.answering import LangCache
from gateway.fronts.langcache.operations import Operations
from gateway.fronts.langcache.telling import Told

RULE = Rule(
    scope=PUBLIC, query=(), model=(), role=(), stream=(), stream_default=False, bypass=(), exact_if=(), ignore=(),
    headers=(), exact_only=False, reads_body=False,
)  # fmt: skip


class Failing:
    async def flush(self, *_: Any) -> None:
        raise ZeroDivisionError


def test_a_mistake_of_the_server_is_a_500_and_is_raised() -> None:
    sent: list[dict[str, Any]] = []
    told: list[Any] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError

    operations = cast(Operations, Failing())
    keyer = Keyer(b"k" * 32, b"route")
    cache = LangCache("kv", RULE, keyer, operations, Told(Expose.ALL, []), told.append, depth=4, max_body=1)
    request = Request("POST", b"/v1/caches/a/flush", b"", [], b"", {"cache_id": "a"}, b"", None, 0.0)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(cache.serve(request, Document(b""), {"headers": []}, receive, send))
    head, body = sent
    assert head["status"] == 500
    data = errors.UnexpectedErrorResponseContentData.model_validate(json.loads(body["body"]))
    assert data.type.value == "/errors/unexpected-error"
    (served,) = told
    assert isinstance(served, Served)
    assert (served.outcome, served.status) == (Outcome.ERROR, 500)
