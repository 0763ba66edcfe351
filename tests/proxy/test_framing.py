"""Where one message ends and the next begins: what two readers could take for two things is refused or made plain.

Requests are judged by what reaches the upstream, on a connection that a second request would use as well.
"""

from __future__ import annotations

import pytest
from raw_client import MakeProxy, Proxied, until
from raw_upstream import RawUpstream, always

CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: g\r\n\r\n"

REFUSED = {
    "two lengths": (b"Content-Length: 4\r\nContent-Length: 5", b"hello"),
    "a list of lengths": (b"Content-Length: 5, 4", b"hello"),
    "a list of one length": (b"Content-Length: 5, 5", b"hello"),
    "a length with a sign": (b"Content-Length: +5", b"hello"),
    "a negative length": (b"Content-Length: -5", b"hello"),
    "a hexadecimal length": (b"Content-Length: 0x5", b"hello"),
    "an empty length": (b"Content-Length:", b""),
    "a length beyond 64 bits": (b"Content-Length: 99999999999999999999", b"hello"),
    "digits that are not ASCII": ("Content-Length: \u0665".encode(), b"hello"),
    "chunked, then identity": (b"Transfer-Encoding: chunked, identity", CHUNKED),
    "identity, then chunked": (b"Transfer-Encoding: identity, chunked", CHUNKED),
    "gzip, then chunked": (b"Transfer-Encoding: gzip, chunked", CHUNKED),
    "identity and a length": (b"Transfer-Encoding: identity\r\nContent-Length: 5", b"hello"),
    "an unknown coding": (b"Transfer-Encoding: xchunked\r\nContent-Length: 5", b"hello"),
    "a coding in quotes": (b'Transfer-Encoding: "chunked"', CHUNKED),
    "chunked twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKED),
    "identity beside chunked": (b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", CHUNKED),
    "a space before the colon": (b"Transfer-Encoding : chunked", CHUNKED),
    "a vertical tab": (b"Transfer-Encoding: \x0bchunked", CHUNKED),
    "a folded coding": (b"Transfer-Encoding:\r\n chunked", CHUNKED),
    "a folded field": (b"X-A: one\r\n two\r\nContent-Length: 0", b""),
    "a bare carriage return": (b"X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: 0", b""),
    "a NUL in a value": (b"X-A: a\0b\r\nContent-Length: 0", b""),
    "a NUL in a name": (b"X-\0A: ab\r\nContent-Length: 0", b""),
    "a space in a name": (b"X A: ab\r\nContent-Length: 0", b""),
    "a control character": (b"X-A: a\x01b\r\nContent-Length: 0", b""),
    "two hosts": (b"Host: bank.example\r\nContent-Length: 0", b""),
}


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize("shape", REFUSED)
def test_an_ambiguous_request_is_refused(
    shape: str, buffer: bool, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    lines, body = REFUSED[shape]
    answer = make_proxy({"url": upstream.url}, buffer=buffer).raw(b"/", lines, method=b"POST", body=body + HIDDEN)
    assert answer.status == 400
    assert upstream.seen == []


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize("line", [b"", b"Host:\r\n"])
def test_a_request_that_names_no_host_is_refused(
    line: bytes, buffer: bool, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    proxy = make_proxy({"url": upstream.url}, buffer=buffer)
    client = proxy.client()
    client.send(b"GET /%b/ HTTP/1.1\r\n%bConnection: close\r\n\r\n" % (proxy.name.encode(), line))
    answer = client.until_closed()
    assert (answer.status, b"no Host" in answer.content) == (400, True)
    assert upstream.seen == []


def test_a_request_of_http_1_0_need_not_name_a_host(proxy: Proxied, upstream: RawUpstream) -> None:
    client = proxy.client()
    client.send(b"GET /%b/ HTTP/1.0\r\n\r\n" % proxy.name.encode())
    assert client.until_closed().status == 200


PLAIN = {
    "a length beside chunks": (b"Content-Length: 4\r\nTransfer-Encoding: chunked", CHUNKED),
    "chunks beside a length": (b"Transfer-Encoding: chunked\r\nContent-Length: 4", CHUNKED),
    "the same length twice": (b"Content-Length: 5\r\nContent-Length: 5", b"hello"),
    "a length with zeros": (b"Content-Length: 0005", b"hello"),
    "a tab before the coding": (b"Transfer-Encoding:\tchunked", CHUNKED),
    "capitals": (b"Transfer-Encoding: cHuNkEd", CHUNKED),
    "a bare line feed": (b"X-A: b\nTransfer-Encoding: chunked", CHUNKED),
    "an extension of a chunk": (b"Transfer-Encoding: chunked", b"5;a=b\r\nhello\r\n0;c\r\n\r\n"),
    "trailers": (b"Transfer-Encoding: chunked\r\nTrailer: Host", b"5\r\nhello\r\n0\r\nHost: bank.example\r\n\r\n"),
}


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize("shape", PLAIN)
def test_a_request_that_can_be_read_goes_on_with_one_plain_framing(
    shape: str, buffer: bool, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    lines, body = PLAIN[shape]
    proxy = make_proxy({"url": upstream.url}, buffer=buffer)
    assert proxy.raw(b"/", lines, method=b"POST", body=body).status == 200
    seen = upstream.seen[0]
    assert seen.body == b"hello"
    framing = [(name.lower(), value) for name, value in seen.headers if name.lower() in FRAMING]
    assert framing in ([(b"content-length", b"5")], [(b"transfer-encoding", b"chunked")])
    assert proxy.raw(b"/").status == 200
    assert [exchange.connection for exchange in upstream.seen] == [0, 0]
    assert len(upstream.seen) == 2, "a part of the first was taken for a request"


FRAMING = (b"content-length", b"transfer-encoding", b"trailer")


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize(
    "chunks",
    [
        b"10000000000000005\r\nhello\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"0_5\r\nhello\r\n0\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"5;a\nhello\r\n0\r\n\r\n",
        b"5\r\nhelloXX0\r\n\r\n",
        b"5\r\nhello\r\n",
    ],
)
def test_a_request_whose_chunks_cannot_be_read_never_looks_whole(
    chunks: bytes, buffer: bool, make_proxy: MakeProxy, upstream: RawUpstream
) -> None:
    proxy = make_proxy({"url": upstream.url}, buffer=buffer)
    client = proxy.client()
    client.send(proxy.head(b"/", b"Transfer-Encoding: chunked", method=b"POST") + chunks)
    if chunks.endswith(b"hello\r\n"):
        client.close()  # it ends in the middle
    else:
        answer = client.until_closed()
        assert answer.status == (500 if buffer else 400)  # the wrapper that buffers words nothing
        assert buffer or b"Request body broke off" in answer.content
    if not buffer:
        until(lambda: proxy.log() and proxy.log()[-1]["error"], "the call does not end")
        assert proxy.log()[-1]["error"].startswith("RequestBroken: ")
    assert all(exchange.body == b"" for exchange in upstream.seen)
    assert proxy.raw(b"/").status == 200
    assert upstream.seen[-1].request_line == b"GET / HTTP/1.1"


def test_what_follows_a_request_is_the_next_request(proxy: Proxied, upstream: RawUpstream) -> None:
    client = proxy.client()
    first = b"GET /%b/one HTTP/1.1\r\nHost: g\r\nContent-Length: 5\r\n\r\nhello" % proxy.name.encode()
    client.send(first + proxy.head(b"/two"))
    client.until_closed()
    assert [(exchange.request_line, exchange.body) for exchange in upstream.seen] == [
        (b"GET /one HTTP/1.1", b"hello"),
        (b"GET /two HTTP/1.1", b""),
    ]


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"Content-Length: 2, 2\r\n\r\nok",
        b"Content-Length: +2\r\n\r\nok",
        b"Content-Length: 0x2\r\n\r\nok",
        b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nok",
        b"X-A: one\rSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok",
        b"X-A: o\0e\r\nContent-Length: 2\r\n\r\nok",
        b"Content-Length : 2\r\n\r\nok",
        b"X-A one\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_an_ambiguous_answer_is_a_bad_gateway(head: bytes, proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(HEAD + head)
    answer = proxy.raw(b"/")
    assert answer.status == 502
    assert answer.values(b"set-cookie") == []


def test_a_folded_field_of_an_answer_is_one_line(proxy: Proxied, upstream: RawUpstream) -> None:
    upstream.behaviour = always(HEAD + b"X-A: one\r\n\tSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")
    answer = proxy.raw(b"/")
    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.values(b"set-cookie") == []
    assert answer.values(b"x-a")[0].startswith(b"one")


def test_what_follows_an_answer_is_not_the_next_answer(proxy: Proxied, upstream: RawUpstream) -> None:
    good = HEAD + b"Content-Length: 2\r\n\r\nok"
    upstream.behaviour = always(good + good.replace(b"ok", b"no"))
    assert [proxy.raw(b"/").body for _ in range(3)] == [b"ok"] * 3
