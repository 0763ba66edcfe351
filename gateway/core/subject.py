"""A request and its route's extraction rule -> the Subject: scope, partition, text and the keys made of them.

Everything is computed once, on the client's own body, and nothing is guessed: what cannot be read for certain is a
Bypass reason. The text is taken out of the body and everything that stays is the partition, so a member that nobody
named still keeps two requests apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from gateway.core.body import Document, Unreadable, parse
from gateway.core.extract import (
    Body,
    Extractor,
    Extractors,
    Given,
    Header,
    State,
    as_bytes,
    first_value,
    has_value,
    is_present,
)
from gateway.core.keys import PLACEHOLDER, Keyer, canonical
from gateway.core.messages import Reason, Request, Subject, Wanted
from gateway.core.subject_text import read_text
from gateway.core.synthesis_asks import read_text_only
from gateway.core.tags import read_tags

if TYPE_CHECKING:
    from gateway.core.dialects.base import Dialect
    from gateway.core.jsonpath import JsonPath

# How a header or a query parameter says yes or no.
_TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": None}
PUBLIC = "public"
CLIENT = "client"


class Rule(msgspec.Struct, frozen=True):
    """How one route reads requests. `scope` is PUBLIC, CLIENT or extractors that must all have a value; `reads_body` is
    what the function of that name says of the rest. With a `dialect` a question is the same whether it asks for a stream
    or not. `serves` are the forms that are looked up: single answers (False), streams (True); `tags` is what entries can
    be purged by. `synthesizes`: answers may be made of kept ones, of requests for which that will do."""

    scope: str | Extractors
    query: Extractors
    model: Extractors
    role: Extractors
    stream: Extractors
    stream_default: bool
    bypass: Extractors
    exact_if: Extractors
    ignore: tuple[JsonPath, ...]
    headers: tuple[bytes, ...]
    exact_only: bool
    reads_body: bool
    dialect: Dialect | None = None
    serves: tuple[bool, ...] = (False, True)
    tags: Extractors = ()
    synthesizes: bool = False


def reads_body(scope: str | Extractors, ignore: tuple[JsonPath, ...], *read: Extractors) -> bool:
    """Does anything look into the body? Otherwise it is compared byte by byte and need not be JSON."""
    everything = [extractor for extractors in read for extractor in extractors]
    if not isinstance(scope, str):
        everything += scope
    return bool(ignore) or any(isinstance(extractor, Body) for extractor in everything)


def read_subject(
    rule: Rule, keyer: Keyer, request: Request, document: Document, scope: bytes | None = None
) -> Subject | Reason:
    """Subject of a request, or the reason to bypass the cache. Consumes the document: the text and the ignored members
    are taken out of it. `scope`: an operator's, in place of the request's own."""
    if scope is None and rule.scope == CLIENT and request.client is None:
        return Reason.NO_SCOPE  # known without reading the body
    if rule.reads_body and document.reason is not None:
        return document.reason
    holder = document.holder if rule.reads_body or _is_given(rule) else None
    if is_present(rule.bypass, request, holder):
        return Reason.BYPASS_RULE
    wanted = _read_wanted(rule, request, holder)
    if isinstance(wanted, Reason):
        return wanted
    scope = scope or read_scope(rule, keyer, request, holder)
    if scope is None:
        return Reason.NO_SCOPE
    text = read_text(rule.query, request, holder)
    exact_only = (
        rule.exact_only
        or not text.pure
        or first_value(rule.role, request, holder) not in (None, "user")
        or is_present(rule.exact_if, request, holder)
    )
    if text.pure and not any(piece.strip() for piece in text.pieces):
        return Reason.NO_TEXT
    model = first_value(rule.model, request, holder)
    tags = read_tags(rule.tags, request, holder) if rule.tags else ()
    if not exact_only:
        for container, key in text.places:
            container[key] = PLACEHOLDER  # type: ignore[index]
    if rule.dialect is not None and holder is not None:
        _take_form_out(rule, rule.dialect, holder)
    partition = keyer.partition(
        scope,
        request.method.encode(),
        request.upstream_path,
        _query_string(request.query_string, None if exact_only else text.parameter),
        as_bytes(model),
        *_headers(rule.headers, request),
        b"exact" if exact_only else b"similar",
        b"any" if wanted is None or rule.dialect is not None else b"stream" if wanted.stream else b"single",
        _rest_of_body(rule, request, holder),
        *(() if text.template is None else (text.template,)),
    )
    return Subject(
        scope=scope,
        partition=partition,
        exact=keyer.exact(
            partition, [piece.encode("utf-8", "surrogateescape") for piece in (*text.pieces, *text.strings)]
        ),
        text="\n".join(text.pieces),
        exact_only=exact_only,
        model=None if model is None else str(model),
        wanted=wanted,
        tags=tags,
        text_only=read_text_only(rule.dialect, holder) if _may_be_written(rule, request, exact_only) else None,
    )


def _may_be_written(rule: Rule, request: Request, exact_only: bool) -> bool:
    return rule.synthesizes and not exact_only and request.method != "HEAD"


def _is_given(rule: Rule) -> bool:
    """Does a callable give the text? Then it is looked for in any body that can be read, and none need be."""
    return any(isinstance(extractor, Given) for extractor in rule.query)


def _read_wanted(rule: Rule, request: Request, holder: list[object] | None) -> Wanted | Reason | None:
    """The form asked for; None where the route does not say how. STREAM where the cache has no part in that form, or
    where the member says neither yes nor no."""
    if not rule.stream:
        return None
    value = first_value(rule.stream, request, holder)
    said_outside = isinstance(value, str) and not any(isinstance(extractor, Body) for extractor in rule.stream)
    stream = _TRUTHS.get(str(value).lower(), value) if said_outside else value
    if stream is None:
        stream = rule.stream_default
    if type(stream) is not bool or stream not in rule.serves:
        return Reason.STREAM
    usage = rule.dialect is not None and stream and _member(holder, rule.dialect.usage_option) is True
    return Wanted(stream, usage)


def _member(holder: list[object] | None, names: tuple[str, ...]) -> object:
    node = holder[0] if holder and names else None
    for name in names:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _take_form_out(rule: Rule, dialect: Dialect, holder: list[object]) -> None:
    """Take out what only asks for a form: the stream member, and the wish for usage with what held nothing else."""
    for extractor in rule.stream:
        if isinstance(extractor, Body):
            extractor.path.remove(holder)
    root = holder[0]
    if not dialect.usage_option or (isinstance(root, dict) and dialect.usage_option[0] not in root):
        return
    *outer, name = dialect.usage_option
    options = _member(holder, tuple(outer))
    if isinstance(options, dict):
        options.pop(name, None)
        if not options and isinstance(root, dict) and len(outer) == 1:
            root.pop(outer[0])
    elif options is None and isinstance(root, dict) and len(outer) == 1:
        root.pop(outer[0], None)


def read_scope(rule: Rule, keyer: Keyer, request: Request, holder: list[object] | None) -> bytes | None:
    """Who shares the answers to this request; None where something that says so is missing."""
    if rule.scope == PUBLIC:
        return keyer.scope(b"public")
    if rule.scope == CLIENT:
        return None if request.client is None else keyer.scope(b"client", request.client)
    parts: list[bytes] = [b"extracted"]
    for extractor in rule.scope:
        assert not isinstance(extractor, str)
        values = [value for value in extractor.values(request, holder) if has_value(value)]
        if not values:
            return None
        parts += [extractor.text.encode(), len(values).to_bytes(8, "big"), *(as_bytes(value) for value in values)]
    return keyer.scope(*parts)


def scopes_named(rule: Rule, keyer: Keyer, values: list[str]) -> tuple[bytes, ...]:
    """The scopes that an operator may mean by these values, one for each extractor of the route: `public` on a public
    route, a client's name under `scope: client`. The likeliest first, as a body may have said `7` or `"7"`; none where so
    many values are no scope of this route."""
    if rule.scope == PUBLIC:
        return (keyer.scope(b"public"),) if values == [PUBLIC] else ()
    if rule.scope == CLIENT:
        return (keyer.scope(b"client", values[0].encode()),) if len(values) == 1 else ()
    if len(values) != len(rule.scope):
        return ()
    listed: list[list[bytes]] = [[b"extracted"]]
    for extractor, value in zip(rule.scope, values, strict=True):
        assert not isinstance(extractor, str)
        one = [extractor.text.encode(), (1).to_bytes(8, "big")]
        listed = [[*parts, *one, meant] for parts in listed for meant in _meanings(extractor, value)]
    return tuple(keyer.scope(*parts) for parts in listed)


def _meanings(extractor: Extractor, text: str) -> list[bytes]:
    """The values that somebody may write like this: in a body the number or boolean as well, in a header its bytes."""
    meant: list[object] = [text]
    match extractor:
        case Body() | State() | Given():
            try:
                value = parse(text.encode())
            except Unreadable:
                value = None
            meant += [value] if isinstance(value, (bool, int, float)) else []
        case Header():
            meant = [text.encode().decode("latin-1"), *([] if text.isascii() else meant)]
        case _:
            pass
    return [as_bytes(each) for each in meant]


def _headers(names: tuple[bytes, ...], request: Request) -> list[bytes]:
    """Per header one part: its values, in order, each on a line of its own (a value holds no line break)."""
    found = dict.fromkeys(names, b"")
    for name, value in request.headers:
        if name in found:
            found[name] += value + b"\n"
    return list(found.values())


def _query_string(raw: bytes, text_parameter: str | None) -> bytes:
    """The raw query string without the parameter that is the text."""
    if text_parameter is None or not raw:
        return raw
    fields = raw.split(b"&")
    return b"&".join(field for field in fields if _field_name(field) != text_parameter)


def _field_name(field: bytes) -> str:
    pairs = parse_qsl(
        field.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="surrogateescape", separator="&"
    )
    return pairs[0][0] if pairs else ""


def _rest_of_body(rule: Rule, request: Request, holder: list[object] | None) -> bytes:
    if holder is None:
        return b"raw:" + request.body
    for path in rule.ignore:
        path.remove(holder)
    return b"json:" + canonical(holder)
