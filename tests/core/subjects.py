"""Rules and requests for the tests of what a request asks: of each only what a test is about is said."""

from __future__ import annotations

import json

from gateway.core.body import Document
from gateway.core.extract import compile_extractors
from gateway.core.jsonpath import compile_path
from gateway.core.keys import Keyer
from gateway.core.messages import Reason, Request, Subject
from gateway.core.subject import CLIENT, PUBLIC, Rule, read_subject, reads_body

KEY = b"k" * 32


def rule(**changes: object) -> Rule:
    texts = {"query": "$.q", "model": "$.model", "role": None, "stream": None} | {
        name: changes.pop(name) for name in ("query", "model", "role", "stream", "bypass") if name in changes
    }
    scope = changes.pop("scope", PUBLIC)
    read = {
        "scope": scope if scope in (PUBLIC, CLIENT) else compile_extractors(scope),
        "ignore": tuple(compile_path(text) for text in changes.pop("ignore", ())),
    }
    extractors = {name: compile_extractors(texts.get(name)) for name in ("query", "model", "role", "stream", "bypass")}
    extractors["exact_if"] = compile_extractors(changes.pop("exact_if", None))
    return Rule(
        **read,
        **extractors,
        stream_default=bool(changes.pop("stream_default", False)),
        headers=tuple(changes.pop("headers", ())),
        exact_only=bool(changes.pop("exact_only", False)),
        reads_body=reads_body(read["scope"], read["ignore"], *extractors.values()),
    )


def subject(body: object, of: Rule | None = None, *, static: bytes = b"route", **request: object) -> Subject | Reason:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {
        "method": "POST",
        "path": b"/p",
        "query_string": b"",
        "headers": [],
        "body": raw,
        "path_params": {},
        "upstream_path": b"/p",
        "client": None,
        "asked_at": 0.0,
    } | request
    return read_subject(of or rule(), Keyer(KEY, static), Request(**fields), Document(raw))
