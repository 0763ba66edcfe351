"""Header fields: the end-to-end ones pass as they are, the others end at the gateway, and nothing is invented."""

from __future__ import annotations

from raw_client import MakeProxy, Proxied
from raw_upstream import RawUpstream, always


def test_end_to_end_request_headers_pass_in_order_with_duplicates(proxy: Proxied, upstream: RawUpstream) -> None:
    proxy.raw(b"/", b"X-B: 1", b"X-A: one", b"x-b: 2", b'Cookie: a=b; c="d e"', b"Authorization: Bearer k", b"X-Empty:")
    assert [(name.lower(), value) for name, value in upstream.seen[0].headers] == [
        (b"host", f"127.0.0.1:{upstream.port}".encode()),
        (b"x-b", b"1"),
        (b"x-b", b"2"),  # the server hands over fields of one name together
        (b"x-a", b"one"),
        (b"cookie", b'a=b; c="d e"'),
        (b"authorization", b"Bearer k"),
        (b"x-empty", b""),
        (b"via", b"1.1 semgate"),
    ]


def test_nothing_but_the_gateways_own_mark_is_added_to_a_request(proxy: Proxied, upstream: RawUpstream) -> None:
    proxy.raw(b"/")
    assert [name.lower() for name, _ in upstream.seen[0].headers] == [b"host", b"via"]


def test_utf_8_header_values_pass_as_they_are(proxy: Proxied, upstream: RawUpstream) -> None:
    value = "caf\u00e9 \u4e2d".encode()
    upstream.behaviour = always(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Back: \xe9" + value + b"\r\n\r\n")
    answer = proxy.raw(b"/", b"x-there: " + value)
    assert upstream.seen[0].values(b"x-there") == [value]
    assert answer.values(b"x-back") == [b"\xe9" + value]


def test_headers_of_16_kb_pass_both_ways(proxy: Proxied, upstream: RawUpstream) -> None:
    value = b"v" * 16384
    upstream.behaviour = always(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: " + value + b"\r\n\r\n")
    answer = proxy.raw(b"/", b"x-long: " + value)
    assert upstream.seen[0].values(b"x-long") == [value]
    assert answer.values(b"x-long") == [value]


def test_many_response_headers_pass(proxy: Proxied, upstream: RawUpstream) -> None:
    lines = b"".join(b"X-%d: v\r\n" % n for n in range(300))
    upstream.behaviour = always(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + lines + b"\r\n")
    answer = proxy.raw(b"/")
    assert sum(name.startswith(b"x-") for name, _ in answer.headers) == 300


def test_hop_by_hop_request_headers_end_at_the_gateway(proxy: Proxied, upstream: RawUpstream) -> None:
    proxy.raw(
        b"/",
        b"Connection: keep-alive, X-Secret , x-other",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"Proxy-Authorization: Basic eA==",
        b"TE: trailers",
        b"Trailer: X-T",
        b"X-Secret: s",
        b"X-Other: o",
        b"X-Kept: k",
    )
    assert [name.lower() for name, _ in upstream.seen[0].headers] == [b"host", b"x-kept", b"via"]


def test_a_client_cannot_strip_the_headers_that_the_gateway_sets(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url, "headers": [["authorization", "Bearer ours"], ["x-set", "1"]]})
    proxy.raw(b"/", b"Connection: authorization, x-set", b"Authorization: Bearer theirs", b"X-Set: 2", b"X-Set: 3")
    assert upstream.seen[0].values(b"authorization") == [b"Bearer ours"]
    assert upstream.seen[0].values(b"x-set") == [b"1"]


def test_a_host_header_of_the_operators_is_sent(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url, "headers": [["host", "api.example.com"]]})
    proxy.raw(b"/")
    assert upstream.seen[0].values(b"host") == [b"api.example.com"]


def test_credentials_in_the_url_become_a_header(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url.replace("//", "//us%40er:pa%3Ass@")})
    assert proxy.raw(b"/", b"Authorization: Bearer theirs").status == 200
    assert upstream.seen[0].values(b"authorization") == [b"Basic dXNAZXI6cGE6c3M="]
    assert upstream.seen[0].values(b"host") == [f"127.0.0.1:{upstream.port}".encode()]


def test_the_gateways_own_request_headers_are_not_forwarded(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url}, drop=["x-api-key", "x-cache-ttl"])
    proxy.raw(b"/", b"X-Api-Key: k", b"X-Cache-TTL: 1h", b"X-Kept: k")
    assert [name.lower() for name, _ in upstream.seen[0].headers] == [b"host", b"x-kept", b"via"]


def test_response_headers_pass_in_order_and_hop_by_hop_ones_do_not(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(
        b"HTTP/1.1 201 Made Up\r\nSet-Cookie: a=1\r\nX-Kept: k\r\nSet-Cookie: b=2; Path=/\r\nKeep-Alive: timeout=9\r\n"
        b"Connection: keep-alive, X-Secret\r\nX-Secret: s\r\nProxy-Authenticate: Basic\r\nTrailer: X-T\r\n"
        b"Set-Cookie: a=3\r\nServer: theirs\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 2\r\n\r\nok"
    )
    answer = proxy.raw(b"/")
    assert answer.status == 201
    assert answer.values(b"set-cookie") == [b"a=1", b"b=2; Path=/", b"a=3"]
    names = [name.lower() for name, _ in answer.headers]
    assert not {b"keep-alive", b"x-secret", b"proxy-authenticate", b"trailer"} & set(names)
    assert answer.values(b"x-kept") == [b"k"]
    assert answer.values(b"server") == [b"theirs"]
    assert answer.values(b"date") == [b"Thu, 01 Jan 1970 00:00:00 GMT"]
    assert answer.values(b"content-length") == [b"2"]
    assert answer.values(b"via") == [b"1.1 semgate"]
    assert answer.body == b"ok"


def test_fields_that_an_upstream_must_not_see_are_taken_out(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy(
        {
            "url": upstream.url,
            "headers": [["x-key", "ours"]],
            "remove_headers": ["authorization", "cookie", "x-key", "x-forwarded-for"],
        },
        forwarded="x-forwarded",
    )
    proxy.raw(b"/", b"Authorization: Bearer theirs", b"Cookie: a=b", b"X-Key: theirs", b"X-Kept: k")
    names = [name.lower() for name, _ in upstream.seen[0].headers]
    assert names == [b"host", b"x-kept", b"x-forwarded-proto", b"x-forwarded-host", b"via", b"x-key"]
    assert upstream.seen[0].values(b"x-key") == [b"ours"]


def test_a_response_field_with_control_characters_does_not_cost_the_answer(
    proxy: Proxied, upstream: RawUpstream
) -> None:
    upstream.behaviour = always(b"HTTP/1.1 200 OK\r\nX-A: o\x01n\x7fe\r\nX-Kept: \ttab\r\nContent-Length: 2\r\n\r\nok")
    answer = proxy.raw(b"/")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.values(b"x-a") == [b"o n e"]
