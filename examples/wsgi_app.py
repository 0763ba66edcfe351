"""A help desk in Flask that answers each question once, and the same question in other words from the cache.

    pip install semgate flask
    python examples/wsgi_app.py

    curl -i localhost:8000/ask -H 'Authorization: Bearer alice-key' -H 'Content-Type: application/json' \
        -d '{"query": "How do I reset my password?"}'

Ask twice, the second time in other words, and look at the header `x-cache`. Who asks is known before the cache is asked:
the authentication stands around it, and says whose answers may be shared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Flask, Response, request

from gateway import Config, SemanticCacheWSGIMiddleware

TEAMS = {"Bearer alice-key": "sales", "Bearer bob-key": "sales", "Bearer carol-key": "support"}

CONFIG: Config = {
    "routes": [
        {
            "name": "help-desk",
            "path": "/ask",
            "preset": "json-query",
            "scope": "state:team",  # a team shares its answers, and no other sees them
            "vary": {"headers": ["Accept-Language"]},
            "ttl": "1h",
        },
    ],
}


class Authentication:
    """Around the cache: strangers get no further, and the team of the others is put where `state:team` finds it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        team = TEAMS.get(environ.get("HTTP_AUTHORIZATION", ""))
        if team is None:
            return Response("who are you?", 401)(environ, start_response)
        environ["semgate.state"] = {"team": team}
        return self.app(environ, start_response)


app = Flask(__name__)
app.wsgi_app = Authentication(SemanticCacheWSGIMiddleware(app.wsgi_app, CONFIG))


@app.post("/ask")
def ask() -> Any:
    """A slow and dear model would be asked here."""
    question = request.get_json()
    words = f"You asked: {question['query']} Here is how it is done.".split()
    if not question.get("stream"):
        return {"answer": " ".join(words)}

    def events() -> Iterator[str]:
        for word in words:
            yield f'data: {{"word": "{word}"}}\n\n'
            time.sleep(0.01)
        yield "data: [DONE]\n\n"

    return Response(events(), mimetype="text/event-stream")


if __name__ == "__main__":
    app.run(port=8000, threaded=True)
