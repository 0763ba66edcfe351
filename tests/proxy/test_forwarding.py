"""Who called: told to the upstream as it is seen here; what peers say of others is believed of trusted ones alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_client import MakeProxy
from raw_upstream import RawUpstream, always

from gateway.proxy.forwarding import Introducer, Introduction

LOOPBACK = ["127.0.0.0/8"]


def scope(client: str | None, *headers: tuple[str, str], scheme: str = "http") -> dict[str, Any]:
    return {
        "client": None if client is None else (client, 4711),
        "scheme": scheme,
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }


def told(introduction: Introduction) -> dict[str, str]:
    assert introduction.fields[-1] == ("via", "1.1 semgate")
    return dict(introduction.fields[:-1])


def test_a_caller_is_told_in_all_the_usual_ways() -> None:
    told_of = Introducer().introduce(scope("192.0.2.7", scheme="https"), "api.example.com:8443")
    assert told(told_of) == {
        "forwarded": 'for=192.0.2.7;host="api.example.com:8443";proto=https',
        "x-forwarded-for": "192.0.2.7",
        "x-forwarded-proto": "https",
        "x-forwarded-host": "api.example.com:8443",
    }


@pytest.mark.parametrize(
    ("mode", "names"),
    [
        ("both", {"forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}),
        ("forwarded", {"forwarded"}),
        ("x-forwarded", {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"}),
        ("none", set()),
    ],
)
def test_the_operator_chooses_how_and_strangers_words_never_pass(mode: Any, names: set[str]) -> None:
    said = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "1.1.1.1"), ("x-forwarded-port", "1"), ("x-other", "o")]
    introduction = Introducer(["10.0.0.0/8"], mode).introduce(scope("192.0.2.7", *said), "g")
    assert set(told(introduction)) == names
    assert introduction.replaced >= {b"forwarded", b"x-forwarded-for", b"x-forwarded-port"}
    assert b"x-other" not in introduction.replaced
    assert "1.1.1.1" not in str(introduction.fields)


def test_what_a_trusted_proxy_says_is_added_to() -> None:
    said = [
        ("forwarded", 'for="[2001:db8::1]";proto=https'),
        ("forwarded", "for=10.0.0.1"),
        ("x-forwarded-for", "2001:db8::1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "public.example"),
        ("x-forwarded-prefix", "/api"),
    ]
    introduction = Introducer(["10.0.0.0/8"]).introduce(scope("10.0.0.2", *said), "inner")
    assert told(introduction) == {
        "forwarded": 'for="[2001:db8::1]";proto=https, for=10.0.0.1, for=10.0.0.2;host=inner;proto=http',
        "x-forwarded-for": "2001:db8::1, 10.0.0.1, 10.0.0.2",
    }
    assert introduction.replaced == {b"forwarded", b"x-forwarded-for"}, "what is not written anew passes"


def test_with_none_a_trusted_proxys_words_pass_untouched() -> None:
    said = [("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "1.1.1.1")]
    introduction = Introducer(["10.0.0.0/8"], "none").introduce(scope("10.0.0.2", *said), "g")
    assert (told(introduction), introduction.replaced) == ({}, frozenset())


def test_hops_that_were_told_the_old_way_are_told_the_new_way_too() -> None:
    said = [
        ("x-forwarded-for", "192.0.2.7, 2001:db8::1, [2001:db8::2]:443, 10.1.1.1:99, _hidden, evil;for=x, "),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", 'a"b'),
    ]
    introduction = Introducer(["10.0.0.2"]).introduce(scope("10.0.0.2", *said), "")
    assert told(introduction)["forwarded"] == (
        'for=192.0.2.7;host="a\\"b";proto=https, for="[2001:db8::1]", for="[2001:db8::2]", for=10.1.1.1, for=_hidden, '
        "for=unknown, for=10.0.0.2;proto=http"
    )


@pytest.mark.parametrize(
    ("address", "node", "plain"),
    [
        ("2001:db8::1", '"[2001:db8::1]"', "2001:db8::1"),
        ("2001:DB8:0:0::1", '"[2001:db8::1]"', "2001:db8::1"),
        ("fe80::1%eth0", '"[fe80::1]"', "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
    ],
)
def test_addresses_are_written_in_their_usual_form(address: str, node: str, plain: str) -> None:
    fields = told(Introducer().introduce(scope(address), ""))
    assert fields["forwarded"] == f"for={node};proto=http"
    assert fields["x-forwarded-for"] == plain


@pytest.mark.parametrize("client", [None, "", "/run/semgate.sock"])
def test_a_peer_without_an_address_is_unknown_and_not_trusted(client: str | None) -> None:
    introducer = Introducer(["0.0.0.0/0", "::/0"])
    introduction = introducer.introduce(scope(client, ("x-forwarded-for", "1.1.1.1")), "")
    assert told(introduction) == {"forwarded": "for=unknown;proto=http", "x-forwarded-proto": "http"}
    assert b"x-forwarded-for" in introduction.replaced


@pytest.mark.parametrize(
    ("trusted", "peer", "is_trusted"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.1.2.3/8", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("2001:db8::/32", "2001:db8:1::1", True),
        ("2001:db8::/32", "10.0.0.1", False),
        ("::/0", "10.0.0.1", False),
    ],
)
def test_trust_goes_by_the_network(trusted: str, peer: str, is_trusted: bool) -> None:
    introduction = Introducer([trusted]).introduce(scope(peer, ("x-forwarded-for", "1.1.1.1")), "")
    assert ("1.1.1.1" in told(introduction)["x-forwarded-for"]) is is_trusted


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="proxies"):
        Introducer(["proxies.example"])


@given(st.text(st.characters(blacklist_categories=("Cs",), min_codepoint=33), min_size=1))
def test_no_host_can_break_out_of_its_place(host: str) -> None:
    written = told(Introducer().introduce(scope("192.0.2.7"), host))["forwarded"]
    inner = written.removeprefix("for=192.0.2.7;host=").removesuffix(";proto=http")
    if inner.startswith('"'):
        rest = iter(inner[1:-1])
        unquoted = "".join(next(rest) if character == "\\" else character for character in rest)
        assert '"' not in inner[1:-1].replace("\\\\", "").replace('\\"', "")
        assert unquoted == host
    else:
        assert inner == host
        assert not set(host) & set('",;=\\ ')


def test_on_the_wire_a_stranger_is_told_as_the_server_sees_it(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url}, forwarded="both")
    proxy.raw(
        b"/",
        b"Forwarded: for=6.6.6.6",
        b"X-Forwarded-For: 6.6.6.6",
        b"X-Forwarded-For: 7.7.7.7",
        b"X-Forwarded-Host: bank.example",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Port: 443",
        b"Via: 1.0 fred",
        b"Connection: x-forwarded-for, forwarded, via",
    )
    assert [(name.lower(), value) for name, value in upstream.seen[0].headers][1:] == [
        (b"forwarded", b"for=127.0.0.1;host=gateway;proto=http"),
        (b"x-forwarded-for", b"127.0.0.1"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"gateway"),
        (b"via", b"1.1 semgate"),
    ]


def test_on_the_wire_a_trusted_proxys_words_are_kept(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url}, forwarded="both", trusted=LOOPBACK)
    proxy.raw(b"/", b"X-Forwarded-For: 192.0.2.7", b"X-Forwarded-Proto: https", b"Via: 1.0 fred, 1.1 p.example")
    seen = upstream.seen[0]
    assert seen.values(b"x-forwarded-for") == [b"192.0.2.7, 127.0.0.1"]
    assert seen.values(b"x-forwarded-proto") == [b"https"]
    assert seen.values(b"forwarded") == [b"for=192.0.2.7;proto=https, for=127.0.0.1;host=gateway;proto=http"]
    assert seen.values(b"via") == [b"1.0 fred, 1.1 p.example", b"1.1 semgate"]


def test_what_the_operator_sets_for_an_upstream_stands(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url, "headers": [["x-forwarded-host", "fixed"]]}, forwarded="x-forwarded")
    proxy.raw(b"/", b"X-Forwarded-Host: bank.example")
    assert upstream.seen[0].values(b"x-forwarded-host") == [b"fixed"]


def test_every_try_and_every_stand_in_is_told_the_same(
    make_proxy: MakeProxy, upstream: RawUpstream, other_upstream: RawUpstream
) -> None:
    upstream.behaviour = always(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
    proxy = make_proxy(
        {"url": upstream.url, "attempts": 2}, {"url": other_upstream.url, "name": "second"}, forwarded="both"
    )
    proxy.raw(b"/")
    assert len(upstream.seen) == 2
    for exchange in upstream.seen + other_upstream.seen:
        assert exchange.values(b"x-forwarded-for") == [b"127.0.0.1"]
        assert exchange.values(b"via") == [b"1.1 semgate"]


@pytest.mark.parametrize(("line", "mark"), [(b"HTTP/1.1", b"1.1 semgate"), (b"HTTP/1.0", b"1.0 semgate")])
def test_an_answer_tells_how_it_came(line: bytes, mark: bytes, make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    upstream.behaviour = always(line + b" 200 OK\r\nVia: 1.1 theirs\r\nContent-Length: 0\r\n\r\n")
    assert make_proxy({"url": upstream.url}).raw(b"/").values(b"via") == [b"1.1 theirs", mark]


def test_a_fixed_answer_came_by_nobody(make_proxy: MakeProxy) -> None:
    page = {"name": "page", "status": 200, "headers": [], "body": "sorry"}
    assert make_proxy(page).raw(b"/").values(b"via") == []
