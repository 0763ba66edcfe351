"""How a gateway is found, and what is said when it does not answer as wished."""

from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
from admin_server import TOKEN, AdminServer, Semgate, problem
from click.testing import Result

from gateway.fronts.admin.operations import Reloaded, Stats

ROUTES = """
version: 1
server: {{listen: {listen}, admin: {{token: "{token}"}}}}
upstreams: {{hello: {{respond: {{body: '{{}}'}}}}}}
routes: [{{name: hello, path: /hello, upstream: hello, preset: json-query, scope: public}}]
"""
STATS = Stats(since=1700000000.0, routes={})


def said(result: Result) -> str:
    """The one line on stderr."""
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def write_routes(folder: Path, listen: str, token: str = TOKEN, name: str = "routes.yaml") -> Path:
    file = folder / name
    file.write_text(ROUTES.format(listen=listen, token=token))
    return file


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_address_and_token_come_from_the_routes_file(semgate: Semgate, alone: Path, admin: AdminServer) -> None:
    admin.answer("GET stats", STATS)
    write_routes(alone, f"127.0.0.1:{admin.port}")
    assert semgate("stats").exit_code == 0
    assert admin.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_file_elsewhere_is_named_by_option_or_variable(semgate: Semgate, alone: Path, admin: AdminServer) -> None:
    admin.answer("GET stats", STATS)
    file = write_routes(alone, f"127.0.0.1:{admin.port}", name="other.yaml")
    assert semgate("stats", "--config", file).exit_code == 0
    assert semgate("stats", env={"SEMGATE_CONFIG": str(file)}).exit_code == 0


def test_the_admin_address_is_preferred_to_the_listen_address(
    semgate: Semgate, alone: Path, admin: AdminServer
) -> None:
    admin.answer("GET stats", STATS)
    file = write_routes(alone, f"127.0.0.1:{free_port()}")
    file.write_text(file.read_text().replace("admin: {", f"admin: {{listen: '0.0.0.0:{admin.port}', "))
    assert semgate("stats").exit_code == 0


def test_a_file_that_needs_variables_from_elsewhere_still_says_where_the_gateway_is(
    semgate: Semgate, alone: Path, admin: AdminServer
) -> None:
    admin.answer("GET stats", STATS)
    file = write_routes(alone, f"127.0.0.1:{admin.port}", token="${NOT_SET_HERE}")
    assert "token is needed" in semgate("stats").stderr
    assert semgate("stats", env={"SEMGATE_ADMIN_TOKEN": TOKEN}).exit_code == 0
    file.write_text(file.read_text().replace(f"127.0.0.1:{admin.port}", "'${NOT_SET_HERE}'"))
    result = semgate("stats", env={"SEMGATE_ADMIN_TOKEN": TOKEN})
    assert result.exit_code == 2
    assert "does not say where the gateway listens" in result.stderr


def test_a_file_that_merely_lies_here_lends_no_token_to_another_gateway(
    semgate: Semgate, alone: Path, admin: AdminServer
) -> None:
    admin.answer("GET stats", STATS)
    file = write_routes(alone, f"127.0.0.1:{free_port()}")
    assert semgate("stats", "--url", admin.url).exit_code == 2
    assert admin.asked == []
    assert semgate("stats", "--url", admin.url, "--config", file).exit_code == 0


def test_without_a_file_and_without_an_address_it_is_wrong_use(semgate: Semgate) -> None:
    result = semgate("stats")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--url" in result.stderr


def test_a_file_that_is_no_yaml_is_said_to_be_unreadable(semgate: Semgate, alone: Path) -> None:
    (alone / "routes.yaml").write_text("version: [")
    result = semgate("stats", "--token", TOKEN)
    assert result.exit_code == 2
    assert "routes.yaml cannot be read" in result.stderr


def test_an_address_that_is_none_is_wrong_use_and_not_repeated(semgate: Semgate) -> None:
    for url in ("ftp://somewhere", "http://user:secret-password@host", "http://host:99999", "http://", "http://h/?a=b"):
        result = semgate("stats", "--url", url, "--token", TOKEN)
        assert result.exit_code == 2
        assert "secret-password" not in result.stderr


def test_an_address_without_a_scheme_is_http(semgate: Semgate, admin: AdminServer) -> None:
    admin.answer("GET stats", STATS)
    assert semgate("stats", "--url", f"127.0.0.1:{admin.port}", "--token", TOKEN).exit_code == 0


def test_a_gateway_that_is_not_there_is_one_line(semgate: Semgate) -> None:
    result = semgate("stats", "--url", f"http://127.0.0.1:{free_port()}", "--token", TOKEN)
    assert result.exit_code == 1
    assert "cannot reach http://127.0.0.1:" in said(result)
    assert TOKEN not in result.stderr


def test_a_gateway_that_says_nothing_is_given_up(semgate: Semgate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = semgate("stats", "--url", url, "--token", TOKEN, "--timeout", "300ms")
    assert result.exit_code == 1
    assert "did not answer within 0.3 s" in said(result)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (problem(404, "set server.admin.token to use this path"), "set server.admin.token"),
        (problem(422, "there is no route `chta`; did you mean `chat`?"), "did you mean `chat`?"),
        (problem(503, "PostgreSQL does not answer"), "answers 503: PostgreSQL does not answer"),
        (problem(429, "too many wrong tokens from this address; try again in 60 s"), "try again in 60 s"),
    ],
)
def test_what_the_gateway_refuses_is_said_in_its_words(
    ask: Semgate, admin: AdminServer, answer: object, line: str
) -> None:
    admin.answer("GET stats", answer)
    result = ask("stats")
    assert result.exit_code == 1
    assert line in said(result)


def test_a_wrong_token_is_said_and_not_shown(semgate: Semgate, admin: AdminServer) -> None:
    result = semgate("stats", "--url", admin.url, "--token", "wrong-token-value")
    assert result.exit_code == 1
    assert "does not take this admin token" in said(result)
    assert "wrong-token-value" not in result.stderr


def test_a_server_that_is_no_gateway_is_one_line(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET stats", {"something": "else"})
    assert "does not answer as this version of semgate does" in said(ask("stats"))


def test_members_of_a_later_version_are_passed_over(ask: Semgate, admin: AdminServer) -> None:
    admin.answer("GET stats", {"since": 1.0, "routes": {}, "of_a_later_version": [1]})
    assert ask("stats").exit_code == 0


def test_a_certificate_of_the_file_is_trusted_and_no_other(
    semgate: Semgate, alone: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours, ours_key = make_certificate(alone, "ours")
    other, other_key = make_certificate(alone, "other")
    for certificate, key, code in ((ours, ours_key, 0), (other, other_key, 1)):
        with TlsGateway(certificate, key) as port:
            file = write_routes(alone, f"127.0.0.1:{port}")
            file.write_text(
                file.read_text().replace("server: {", f"server: {{tls: {{cert: {ours}, key: {ours_key}}}, ")
            )
            result = semgate("reload")
            assert result.exit_code == code, result.stderr
            assert code == 0 or "certificate" in result.stderr


class TlsGateway:
    """An admin API behind TLS, for one request."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        import msgspec

        raw, _ = self._listener.accept()
        with raw:
            try:
                with self._context.wrap_socket(raw, server_side=True) as connection:
                    connection.recv(65536)
                    body = msgspec.json.encode(Reloaded("d" * 64, True))
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
                    )
            except OSError:
                return


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Made out to a name that nobody asks for: only the file itself speaks for it."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name}.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
