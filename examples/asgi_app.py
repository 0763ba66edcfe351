"""A help desk in FastAPI that answers each question once, and the same question in other words from the cache.

    pip install semgate fastapi uvicorn
    python examples/asgi_app.py

    curl -i localhost:8000/ask -H 'Authorization: Bearer alice-key' -H 'Content-Type: application/json' \
        -d '{"query": "How do I reset my password?"}'

Ask twice, the second time in other words, and look at the header `x-cache`. Who asks is known before the cache is asked:
the authentication stands around it, and says whose answers may be shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from gateway import Config, SemanticCacheMiddleware

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

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            team = TEAMS.get(dict(scope["headers"]).get(b"authorization", b"").decode("latin-1"))
            if team is None:
                await JSONResponse({"detail": "who are you?"}, 401)(scope, receive, send)
                return
            scope.setdefault("state", {})["team"] = team
        await self.app(scope, receive, send)


app = FastAPI()
app.add_middleware(SemanticCacheMiddleware, config=CONFIG)
app.add_middleware(Authentication)  # added last, so it stands outermost


class Question(BaseModel):
    query: str
    stream: bool = False


@app.post("/ask")
async def ask(question: Question) -> Any:
    """A slow and dear model would be asked here."""
    words = f"You asked: {question.query} Here is how it is done.".split()
    if not question.stream:
        return {"answer": " ".join(words)}

    async def events() -> AsyncIterator[str]:
        for word in words:
            yield f'data: {{"word": "{word}"}}\n\n'
            await asyncio.sleep(0.01)
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


if __name__ == "__main__":
    uvicorn.run(app, port=8000)
