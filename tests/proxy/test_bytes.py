"""The bytes on the wire: the client's request reaches the upstream, and its answer the client, as they were written."""

from __future__ import annotations

import asyncio

import pytest
from raw_client import MakeProxy, Proxied, until
from raw_upstream import Exchange, RawUpstream, always


@pytest.mark.parametrize(
    "target",
    [
        b"/v1/chat",
        b"/a%2Fb",
        b"/a%00b",
        b"/a%0d%0aX:%20y",
        b"//double//slash",
        b"/a;b=c;d",
        b"/%ff%FE",
        b"/%zz",
        b"/a/../b/./c",
        b"/%41%7e~",
        b"/a+b%20c",
        b"/:@!$&'()*,=",
        b"/a?x=%2F&y=a+b&&z",
        b"/a?q=%zz&%=%",
        b"/a?x=1?y=2",
        b'/{braces}|"quoted"',
        "/caf\u00e9".encode(),
        b"/a?" + b"x" * 8000,
    ],
)
def test_the_request_target_reaches_the_upstream_untouched(
    target: bytes, proxy: Proxied, upstream: RawUpstream
) -> None:
    answer = proxy.raw(target)
    assert answer.status == 200
    assert upstream.seen[0].request_line == b"GET " + target + b" HTTP/1.1"


def test_an_empty_query_is_no_query(proxy: Proxied, upstream: RawUpstream) -> None:
    """The server does not tell `/a?` from `/a`; this is the one thing of a target that does not get through."""
    assert proxy.raw(b"/a?").status == 200
    assert upstream.seen[0].request_line == b"GET /a HTTP/1.1"


def test_a_base_path_is_put_before_the_requests_own(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url + "/base/v2/"})
    proxy.raw(b"/a%2Fb?x=1")
    assert upstream.seen[0].request_line == b"GET /base/v2/a%2Fb?x=1 HTTP/1.1"


def test_cookies_are_passed_not_stored(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(b"HTTP/1.1 200 OK\r\nSet-Cookie: s=1\r\nContent-Length: 0\r\n\r\n")
    proxy.raw(b"/")
    proxy.raw(b"/")
    assert upstream.seen[1].values(b"cookie") == []


def test_redirects_are_the_clients_to_follow(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(b"HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n")
    answer = proxy.raw(b"/")
    assert answer.status == 302
    assert answer.values(b"location") == [b"/else"]
    assert len(upstream.seen) == 1


def test_a_compressed_body_passes_as_it_is(proxy: Proxied, upstream: RawUpstream) -> None:
    body = b"\x1f\x8b not really gzip"
    upstream.behaviour = always(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    answer = proxy.raw(b"/", b"Accept-Encoding: gzip;q=0.5, br")
    assert answer.body == body
    assert answer.values(b"content-encoding") == [b"gzip"]
    assert upstream.seen[0].values(b"accept-encoding") == [b"gzip;q=0.5, br"]


@pytest.mark.parametrize(
    ("method", "head"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nContent-Type: text/plain\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"DELETE", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        (b"GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n'),
        (b"GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 1234\r\n\r\n'),
    ],
)
def test_answers_without_a_body_keep_their_head(
    method: bytes, head: bytes, proxy: Proxied, upstream: RawUpstream
) -> None:
    upstream.behaviour = always(head)
    answer = proxy.raw(b"/", method=method)
    assert answer.status == int(head.split()[1])
    assert answer.body == b""
    assert answer.values(b"transfer-encoding") == []
    told = [line.rpartition(b" ")[2] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    if method == b"HEAD":
        assert answer.values(b"content-length") == told
    else:
        assert answer.values(b"content-length") in ([], told), "a length was invented"
    assert proxy.raw(b"/", method=method).status == answer.status
    assert upstream.connections == 1


@pytest.mark.parametrize(
    "informational",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5,
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\nX-Early: 1\r\n\r\n",
    ],
)
@pytest.mark.parametrize("body", [b"", b"body"])
def test_informational_answers_are_passed_over(
    body: bytes, informational: bytes, proxy: Proxied, upstream: RawUpstream
) -> None:
    async def behave(exchange: Exchange) -> None:
        for line in informational.split(b"\r\n\r\n")[:-1]:
            await exchange.send(line + b"\r\n\r\n")
            await asyncio.sleep(0.01)
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream.behaviour = behave
    for _ in range(2):
        answer = proxy.raw(b"/", b"Content-Length: %d" % len(body), method=b"POST", body=body)
        assert (answer.status, answer.body) == (200, b"ok")
        assert answer.values(b"x-early") == answer.values(b"link") == []
    assert upstream.connections == 1


def test_an_unasked_protocol_switch_is_a_bad_gateway(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
    assert proxy.raw(b"/", b"Connection: upgrade", b"Upgrade: x").status == 502
    assert upstream.seen[0].values(b"upgrade") == []


def test_trailers_are_dropped_cleanly(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: v\r\n\r\n"
    )
    for _ in range(2):
        answer = proxy.raw(b"/")
        assert answer.status == 200
        assert b"x-t" not in answer.data.lower()
        assert b"ok" in answer.body
    assert upstream.connections == 1


def test_a_body_whose_end_is_the_connections_end_passes(proxy: Proxied, upstream: RawUpstream) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nall of it")
        exchange.close()

    upstream.behaviour = behave
    answer = proxy.raw(b"/")
    assert answer.status == 200
    assert b"all of it" in answer.body
    assert proxy.log()[0]["complete"]


def test_an_answer_of_http_1_0_passes(proxy: Proxied, upstream: RawUpstream) -> None:
    async def behave(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
        exchange.close()

    upstream.behaviour = behave
    assert proxy.raw(b"/").body == b"ok"


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize("size", [0, 1, 1500, 65536, 65537, 3_000_000])
def test_a_request_body_of_any_size_arrives_whole_with_its_length(
    size: int, buffer: bool, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    proxy = make_proxy({"url": upstream.url}, buffer=buffer)
    body = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    answer = proxy.raw(b"/", b"Content-Length: %d" % size, b"Content-Type: x/y", method=b"POST", body=body)
    assert answer.status == 200
    assert upstream.seen[0].body == body
    assert upstream.seen[0].values(b"content-length") == [b"%d" % size]
    assert upstream.seen[0].values(b"content-type") == [b"x/y"]
    assert upstream.seen[0].values(b"transfer-encoding") == []


@pytest.mark.parametrize("buffer", [False, True])
def test_a_chunked_request_body_arrives_whole(buffer: bool, make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    proxy = make_proxy({"url": upstream.url}, buffer=buffer)
    answer = proxy.raw(
        b"/",
        b"Transfer-Encoding: chunked",
        method=b"PUT",
        body=b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nX-Trailer: t\r\n\r\n",
    )
    assert answer.status == 200
    assert upstream.seen[0].body == b"hello world"
    framing = [upstream.seen[0].values(b"content-length"), upstream.seen[0].values(b"transfer-encoding")]
    assert framing == ([[b"11"], []] if buffer else [[], [b"chunked"]])


def test_a_chunked_request_body_goes_on_while_it_comes(proxy: Proxied, upstream: RawUpstream) -> None:
    received = b""

    async def behave(exchange: Exchange) -> None:
        nonlocal received
        while not received.endswith(b"0\r\n\r\n"):
            received += await exchange.reader.read(65536)
        await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    upstream.read_bodies = False
    upstream.behaviour = behave
    client = proxy.client()
    client.send(proxy.head(b"/", b"Transfer-Encoding: chunked", method=b"POST"))
    for piece in (b"5\r\nfirst\r\n", b"6\r\nsecond\r\n"):
        client.send(piece)
        until(lambda end=piece: received.endswith(end), "held back until the rest is there")  # type: ignore[misc]
    client.send(b"0\r\n\r\n")
    assert client.until_closed().status == 200


def test_a_body_of_a_get_is_forwarded(proxy: Proxied, upstream: RawUpstream) -> None:
    proxy.raw(b"/", b"Content-Length: 4", body=b"body")
    assert upstream.seen[0].body == b"body"


def test_expect_100_continue_is_answered_by_the_gateway(proxy: Proxied, upstream: RawUpstream) -> None:
    client = proxy.client()
    head = f"POST /{proxy.name}/ HTTP/1.1\r\nhost: g\r\nexpect: 100-continue\r\ncontent-length: 4\r\n"
    client.send(head.encode() + b"connection: close\r\n\r\n")
    assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"body")
    assert client.until_closed().status == 200
    client.close()
    assert upstream.seen[0].body == b"body"
    assert upstream.seen[0].values(b"expect") == []


def test_a_response_length_beside_chunks_is_not_believed(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    answer = proxy.raw(b"/")
    assert answer.values(b"content-length") != [b"3"]
    assert answer.status == 502 or b"hello" in answer.body
