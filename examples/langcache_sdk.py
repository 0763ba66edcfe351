"""Asks a model only what the cache does not know, with Redis LangCache's Python SDK against semgate.

    pip install langcache
    CACHE_KEY=... semgate serve examples/langcache.yaml
    CACHE_KEY=... python examples/langcache_sdk.py

The only change against a program that uses Redis' own service is `server_url`.
"""

from __future__ import annotations

import os

from langcache import LangCache


def ask_the_model(question: str) -> str:
    """Stands for a call that takes seconds and costs money."""
    return f"This is what a model says to {question!r}."


def answer(cache: LangCache, question: str) -> str:
    found = cache.search(prompt=question, attributes={"lang": "en"})
    if found.data:
        best = found.data[0]
        return f"cache ({best.similarity:.2f}): {best.response}"
    said = ask_the_model(question)
    cache.set(prompt=question, response=said, attributes={"lang": "en"}, ttl_millis=3_600_000)
    return f"model       : {said}"


url = os.environ.get("SEMGATE_URL", "http://127.0.0.1:8080")
with LangCache(server_url=url, cache_id="help-desk", api_key=os.environ["CACHE_KEY"]) as cache:
    for question in (
        "How do I reset my password?",
        "How can I reset my password?",
        "How do I change my e-mail address?",
    ):
        print(answer(cache, question))
    cache.flush()
