"""Examples of what passes through the admin API, for its description. Tests hold them against the types."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_ID = "01a1fd2e-0ee4-7a1e-88fa-ed17bc9d7566"
_SHOWN: dict[str, Json] = {
    "id": _ID,
    "route": "chat",
    "created_at": 1763712996.567,
    "expires_at": 1763799396.567,
    "hits": 12,
    "bytes": 1874,
    "tags": ["handbook"],
    "question": "How do I reset my password?",
}
_CHAT: dict[str, Json] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "How can I reset my password?"}],
}

READINESS: Json = {"status": "ready", "parts": {"postgres": "ok", "embedders.default": "ok"}}
RUNNING: Json = {
    "digest": "5f0a3c1d7b",
    "loaded_at": 1763712990.1,
    "last_error": None,
    "routes": [{"name": "chat", "path": "/v1/chat/completions", "upstream": "openai", "mode": "serve"}],
    "restart_needed": [],
}
RELOADED: Json = {"digest": "5f0a3c1d7b", "changed": True}
STATS: Json = {
    "since": 1763712990.1,
    "routes": {
        "chat": {
            "requests": 1000,
            "hits": {"exact": 310, "semantic": 120},
            "stale": 0,
            "collapsed": 20,
            "misses": 540,
            "bypasses": {"no-scope": 8},
            "refused": 0,
            "errors": 2,
            "not_kept": {"rejected": 3},
            "saved": {"prompt_tokens": 5400, "completion_tokens": 81000, "dollars": 0.8235},
            "entries": 537,
            "bytes": 1006338,
            "seconds": {"hit": {"bounds": [0.001, 0.01], "counts": [290, 138, 2]}},
            "similarities": {},
            "proof": None,
            "would_be": {},
            "judged": {"audit": {"right": 118, "wrong": 1, "unsure": 6}},
            "synthesis": {"served": 31, "not-enough": 12},
        }
    },
    "seconds": {},
    "similarities": {},
}
QUESTION: Json = {"route": "chat", "body": _CHAT, "scope": "web"}
ANSWER: Json = {
    "verdict": "hit",
    "reason": None,
    "candidates": [
        {
            "entry": _ID,
            "similarity": 0.9731,
            "verifier_score": None,
            "served": True,
            "question": "How do I reset my password?",
            "why": "near enough, and nearest of all",
        }
    ],
    "subject": {"model": "gpt-4o", "form": "single", "exact_only": False, "text_length": 28},
    "steps": [{"step": "memory", "result": "nothing under these words", "ms": 0.01}],
}
PAGE: Json = {"entries": [_SHOWN], "next": None}
ENTRY: Json = {
    **_SHOWN,
    "status": 200,
    "headers": [["content-type", "application/json"]],
    "body": '{"choices": [{"message": {"content": "Choose Forgot password."}}]}',
    "encoding": "utf-8",
    "form": "json",
    "last_used": 1763713996.0,
    "asked_at": 1763712995.2,
    "synthesized": False,
    "attributes": {},
}
ORDER: Json = {"route": "chat", "tags": ["handbook"], "older_than": "24h", "dry_run": True}
PURGED: Json = {"matched": 12, "purged": 0}
SPARED: Json = {"id": "spared-5f0a3c1d7b", "question": "How do I cancel my other subscription?"}
DENIED: Json = {
    "id": "api-77c19e0b2d",
    "route": "chat",
    "text": "How do I cancel my contract?",
    "name": "cancelling",
    "source": "api",
    "at_least": 0.9,
    "verify": True,
    "then": "refuse",
    "answer": "Please call us: 555 0100.",
    "compared": "similarity",
    "hits": 4,
    "created_at": 1763712996.567,
    "false_positives": [SPARED],
}
DENIED_PAGE: Json = {"denied": [DENIED], "next": None}
DENY: Json = {
    "text": "How do I cancel my contract?",
    "route": "chat",
    "at_least": 0.9,
    "then": "refuse",
    "answer": "Please call us: 555 0100.",
    "name": "cancelling",
}
FALSE_POSITIVE: Json = {"question": "How do I cancel my other subscription?"}
IMPORTED: Json = {"kept": 998, "known": 1, "problems": [[7, "no route is named 'chta'"]]}
LINES = (
    '{"route": "chat", "scope": "web", "body": {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}, '
    '"answer": {"choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}}\n'
)
_FINDINGS: dict[str, Json] = {
    "right": 396,
    "wrong": 3,
    "unsure": 1,
    "decided": {"rate": 0.0075188, "low": 0.0025603, "high": 0.0218684},
    "at_best": {"rate": 0.0075, "low": 0.0025539, "high": 0.0218143},
    "at_worst": {"rate": 0.01, "low": 0.0038963, "high": 0.0254212},
}
REPORT: Json = {
    "since": 0.0,
    "routes": {
        "chat": {
            "mode": "shadow",
            "looked_up": 1000,
            "would_be": {"exact": 120, "verified": 400},
            "saved": {"prompt_tokens": 5400, "completion_tokens": 81000, "dollars": 0.8235},
            "compared": _FINDINGS,
            "origins": {"shadow": _FINDINGS},
            "kinds": {"verified": _FINDINGS},
            "similarities": [{"least": 0.94, "below": 0.96, "findings": _FINDINGS}],
            "scores": [{"least": 0.9, "below": 0.95, "findings": _FINDINGS}],
            "how": {"prose": _FINDINGS},
            "told": {"clients": {"right": 4, "wrong": 1}},
            "synthesized": None,
        }
    },
    "errors": {
        "prose": {
            "right_found_wrong": {"rate": 0.0, "low": 0.0, "high": 0.0377},
            "right_found_unsure": {"rate": 0.306, "low": 0.224, "high": 0.403},
            "wrong_found_right": {"rate": 0.036, "low": 0.017, "high": 0.072},
            "wrong_found_unsure": {"rate": 0.306, "low": 0.246, "high": 0.374},
        }
    },
}
RESET: Json = {"removed": 400}
JUDGED_LINES = (
    '{"at": 1763712996.5, "route": "chat", "origin": "shadow", "finding": "wrong", "how": "prose", "kind": "verified", '
    '"similarity": 0.9731, "verifier_score": 0.91, "verdict": "wrong", "text_a": "How do I turn it on?", '
    f'"text_b": "How do I turn it off?", "served": false, "entry": "{_ID}"}}\n'
)
FEEDBACK: Json = {"entry": _ID, "verdict": "wrong", "question": "How can I reset my password?"}
FEEDBACK_TAKEN: Json = {"entry": _ID, "verdict": "wrong", "evicted": True, "noted": True}
