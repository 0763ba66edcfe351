"""Scopes by their names: what an operator writes is the scope that requests with these values have."""

from __future__ import annotations

import json

import pytest

from gateway.core.body import Document
from gateway.core.extract import compile_extractors
from gateway.core.keys import Keyer
from gateway.core.messages import Request, Subject
from gateway.core.subject import CLIENT, PUBLIC, Rule, read_subject, scopes_named

KEYER = Keyer(b"k" * 32, b"route")


def rule(scope: str | tuple[str, ...]) -> Rule:
    return Rule(
        scope=scope if isinstance(scope, str) else compile_extractors(scope),
        query=compile_extractors("$.q"),
        model=(),
        role=(),
        stream=(),
        stream_default=False,
        bypass=(),
        exact_if=(),
        ignore=(),
        headers=(),
        exact_only=False,
        reads_body=True,
    )


def scope_of(
    made: Rule, body: dict[str, object], headers: dict[str, bytes] | None = None, client: bytes | None = None
) -> bytes:
    text = json.dumps({"q": "?", **body}).encode()
    listed = [(name.encode(), value) for name, value in (headers or {}).items()]
    request = Request("POST", b"/", b"", listed, text, {}, b"/", client, 0.0)
    subject = read_subject(made, KEYER, request, Document(text))
    assert isinstance(subject, Subject)
    return subject.scope


@pytest.mark.parametrize(
    ("value", "written"), [("7", "7"), (7, "7"), (7.5, "7.5"), (True, "true"), ("true", "true"), ("acme", "acme")]
)
def test_a_value_of_a_body_is_meant_however_it_was_typed(value: object, written: str) -> None:
    made = rule(("$.team",))
    assert scope_of(made, {"team": value}) in scopes_named(made, KEYER, [written])


def test_the_text_is_meant_first() -> None:
    made = rule(("$.team",))
    assert scopes_named(made, KEYER, ["7"])[0] == scope_of(made, {"team": "7"})
    assert len(scopes_named(made, KEYER, ["null"])) == len(scopes_named(made, KEYER, ['{"a": 1}'])) == 1


@pytest.mark.parametrize("value", ["acme", "åcme", "7"])
def test_a_header_is_meant_by_its_bytes(value: str) -> None:
    made = rule(("header:X-Tenant",))
    assert scope_of(made, {}, {"x-tenant": value.encode()}) == scopes_named(made, KEYER, [value])[0]
    assert scope_of(made, {}, {"x-tenant": value.encode("latin-1")}) in scopes_named(made, KEYER, [value])


def test_several_extractors_need_a_value_each() -> None:
    made = rule(("header:X-Org", "$.team"))
    assert scope_of(made, {"team": 7}, {"x-org": b"acme"}) in scopes_named(made, KEYER, ["acme", "7"])
    assert scopes_named(made, KEYER, ["acme"]) == ()
    assert scopes_named(made, KEYER, ["acme", "7", "8"]) == ()
    assert set(scopes_named(made, KEYER, ["7", "acme"])).isdisjoint(scopes_named(made, KEYER, ["acme", "7"]))


def test_public_and_clients_have_one_name() -> None:
    assert scopes_named(rule(PUBLIC), KEYER, ["public"]) == (scope_of(rule(PUBLIC), {}),)
    assert scopes_named(rule(PUBLIC), KEYER, ["web"]) == ()
    assert scopes_named(rule(CLIENT), KEYER, ["web"]) == (scope_of(rule(CLIENT), {}, client=b"web"),)
    assert scopes_named(rule(CLIENT), KEYER, ["web", "app"]) == ()


def test_an_operators_scope_takes_the_place_of_the_requests() -> None:
    made = rule(("header:X-Tenant",))
    text = b'{"q": "?"}'
    request = Request("POST", b"/", b"", [], text, {}, b"/", None, 0.0)
    [scope] = scopes_named(made, KEYER, ["acme"])
    subject = read_subject(made, KEYER, request, Document(text), scope)
    with_header = Request("POST", b"/", b"", [(b"x-tenant", b"acme")], text, {}, b"/", None, 0.0)
    assert subject == read_subject(made, KEYER, with_header, Document(text))


def test_a_fingerprint_tells_digests_of_another_making() -> None:
    assert KEYER.fingerprint == Keyer(b"k" * 32, b"route").fingerprint
    others = {Keyer(b"k" * 32, b"other").fingerprint, Keyer(b"l" * 32, b"route").fingerprint}
    assert len(others | {KEYER.fingerprint}) == 3
    assert len(KEYER.fingerprint) == 16
