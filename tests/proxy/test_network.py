"""The way to the upstream: TLS that is really checked, proxies that were asked for and no others."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from raw_client import MakeProxy
from raw_upstream import Exchange, RawUpstream


def certificate(folder: Path, name: x509.GeneralName) -> Path:
    """A self-signed certificate for one name, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "certificate.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return pem


def serve(pem: Path) -> Iterator[RawUpstream]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = RawUpstream(tls=context)
    yield server
    server.stop()


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return certificate(tmp_path, x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


@pytest.fixture
def tls_upstream(pem: Path) -> Iterator[RawUpstream]:
    yield from serve(pem)


@pytest.fixture
def misnamed_upstream(tmp_path: Path) -> Iterator[tuple[Path, RawUpstream]]:
    other = certificate(tmp_path, x509.DNSName("other.example.com"))
    for server in serve(other):
        yield other, server


def test_an_unknown_authority_is_refused(make_proxy: MakeProxy, tls_upstream: RawUpstream) -> None:
    answer = make_proxy({"url": tls_upstream.url}).raw(b"/")
    assert answer.status == 502
    assert b"upstream 'primary': TLS failed: 127.0.0.1:" in answer.body
    assert b"certificate" in answer.body
    assert not tls_upstream.seen


def test_the_operators_authority_is_trusted(make_proxy: MakeProxy, tls_upstream: RawUpstream, pem: Path) -> None:
    proxy = make_proxy({"url": tls_upstream.url, "ca": str(pem)})
    for _ in range(3):
        assert proxy.raw(b"/").content == b'{"answer": "x"}'
    assert tls_upstream.connections == 1


def test_another_hosts_certificate_is_refused(
    make_proxy: MakeProxy, misnamed_upstream: tuple[Path, RawUpstream]
) -> None:
    pem, server = misnamed_upstream
    answer = make_proxy({"url": server.url, "ca": str(pem)}).raw(b"/")
    assert answer.status == 502
    assert b"TLS failed" in answer.body
    assert make_proxy({"url": server.url, "verify": False}).raw(b"/").status == 200


def test_plain_http_where_tls_is_expected_is_a_502(make_proxy: MakeProxy) -> None:
    def answer_in_plain() -> None:
        connection, _ = listening.accept()
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer_in_plain)
        thread.start()
        answer = make_proxy({"url": f"https://127.0.0.1:{listening.getsockname()[1]}"}).raw(b"/")
        thread.join()
    assert answer.status == 502
    assert b"TLS failed" in answer.body


def test_an_http_proxy_is_asked_for_the_whole_url(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    by_way_of = {"url": "http://upstream.invalid:8123/base", "proxy": upstream.url.replace("//", "//us:er@")}
    answer = make_proxy(by_way_of).raw(b"/a%2Fb?x=%zz")
    assert answer.status == 200
    assert upstream.seen[0].request_line == b"GET http://upstream.invalid:8123/base/a%2Fb?x=%zz HTTP/1.1"
    assert upstream.seen[0].values(b"host") == [b"upstream.invalid:8123"]
    assert upstream.seen[0].values(b"proxy-authorization") == [b"Basic dXM6ZXI="]


def test_a_tunnel_through_a_proxy_checks_the_upstreams_certificate(
    make_proxy: MakeProxy, upstream: RawUpstream, tls_upstream: RawUpstream, pem: Path
) -> None:
    async def tunnel(exchange: Exchange) -> None:
        assert exchange.request_line.startswith(b"CONNECT ")
        reader, writer = await asyncio.open_connection("127.0.0.1", tls_upstream.port)
        await exchange.send(b"HTTP/1.1 200 Established\r\n\r\n")

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.write_eof()

        try:
            await asyncio.gather(pump(exchange.reader, writer), pump(reader, exchange.writer))
        finally:
            writer.transport.abort()

    upstream.behaviour = tunnel
    through = {"url": tls_upstream.url, "proxy": upstream.url}
    assert make_proxy(through).raw(b"/").status == 502
    assert make_proxy(through | {"ca": str(pem)}).raw(b"/").content == b'{"answer": "x"}'
    assert len(tls_upstream.seen) == 1


def test_a_proxy_that_refuses_is_told_from_the_upstream(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    upstream.behaviour = refuse
    answer = make_proxy({"url": "https://upstream.invalid", "proxy": upstream.url}).raw(b"/")
    assert answer.status == 502
    assert b"its proxy refused the connection with status 407" in answer.body


def test_a_proxy_of_the_environment_is_not_used(make_proxy: MakeProxy, upstream: RawUpstream) -> None:
    # The gateway of these tests runs with HTTP_PROXY pointing nowhere.
    assert make_proxy({"url": upstream.url}).raw(b"/").status == 200
