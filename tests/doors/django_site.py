"""One Django site for all tests of doors: settings can be configured once in a process. Use `prepared()` before anything of Django."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import django
from django.conf import settings

CALLS: list[dict[str, Any]] = []
"""The body of each request that reached a view."""


def prepared() -> None:
    """Django, set up with these views, once."""
    if settings.configured:
        return
    sys.modules["django_site"] = sys.modules[__name__]
    settings.configure(
        ROOT_URLCONF="django_site",
        ALLOWED_HOSTS=["*"],
        SECRET_KEY="no secret",
        DEBUG=False,
        USE_TZ=True,
        LOGGING_CONFIG=None,
        MIDDLEWARE=["django.middleware.gzip.GZipMiddleware", "django_site.translating_errors"],
    )
    django.setup()


class Refused(Exception):
    """What the site's own middleware makes a 409 of."""


def translating_errors(get_response: Any) -> Any:
    """Django's way to handle exceptions: a middleware with `process_exception`."""

    class Translating:
        sync_capable = async_capable = True

        def __new__(cls) -> Any:
            from asgiref.sync import iscoroutinefunction, markcoroutinefunction

            made = super().__new__(cls)
            if iscoroutinefunction(get_response):
                markcoroutinefunction(made)
            return made

        def __call__(self, request: Any) -> Any:
            return get_response(request)

        def process_exception(self, _request: Any, error: Exception) -> Any:
            from django.http import JsonResponse

            return JsonResponse({"error": str(error)}, status=409) if isinstance(error, Refused) else None

    return Translating()


async def ask(request: Any) -> Any:
    from django.http import JsonResponse

    body = json.loads(request.body)
    CALLS.append(body)
    if body.get("refuse"):
        raise Refused("refused")
    if body.get("crash"):
        raise RuntimeError("crashed")
    return JsonResponse({"answer": len(CALLS), "padding": "words " * 100})


def ask_sync(request: Any) -> Any:
    from django.http import JsonResponse

    body = json.loads(request.body)
    CALLS.append(body)
    return JsonResponse({"answer": len(CALLS)})


async def stream(request: Any) -> Any:
    from django.http import StreamingHttpResponse

    CALLS.append(json.loads(request.body))

    async def events() -> AsyncIterator[bytes]:
        yield b'data: {"piece": 1}\n\n'
        yield b"data: [DONE]\n\n"

    return StreamingHttpResponse(events(), content_type="text/event-stream")


def stream_sync(request: Any) -> Any:
    from django.http import StreamingHttpResponse

    CALLS.append(json.loads(request.body))
    events = (piece for piece in (b'data: {"piece": 1}\n\n', b"data: [DONE]\n\n"))
    return StreamingHttpResponse(events, content_type="text/event-stream")


def private(request: Any) -> Any:
    """A view that looks itself at who asks."""
    from django.http import JsonResponse

    known = request.headers.get("authorization") in {"Bearer alice-key", "Bearer alice-other-key", "Bearer bob-key"}
    return JsonResponse({"answer": 1}) if known else JsonResponse({"error": "who are you?"}, status=401)


def __getattr__(name: str) -> Any:
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.urls import path

    return [
        path("ask", ask),
        path("ask-sync", ask_sync),
        path("private", private),
        path("stream", stream),
        path("stream-sync", stream_sync),
    ]
