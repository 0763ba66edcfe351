"""The appliance: the image is built from this checkout, and run with podman as docs/appliance.md says it can be.

That needs podman as root, and debootstrap or a base image (`SEMGATE_BASE_IMAGE`, else the one that `scripts/container
base` made before). What can be checked without them is checked everywhere.
"""

from __future__ import annotations

import http.server
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "container"
HEALTHY = ROOT / "scripts" / "container-healthy"
BASE = "localhost/semgate-base:latest"
PROMISES = [
    "smaller than 600 MB",
    "no compiler in it, no cache of pip",
    "an ordinary user runs it",
    "its default routes are right",
    "starts read-only, with nothing but /data to write to",
    "the health check passes",
    "a question is a MISS, then a HIT, in other words too",
    "a restart keeps the entries",
    "a mounted folder's routes.yaml is served",
    "a changed file in a mounted folder is served",
    "a wrong change is told in the log, and the old routes are served",
    "a mounted file is served as it is saved in place",
    "after SIGTERM a request in flight gets its answer",
    "a wrong file is refused, and the log says why",
]


def run(*command: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)


def why_no_podman() -> str | None:
    if shutil.which("podman") is None:
        return "podman is not installed"
    if os.geteuid() != 0:
        return "not root"
    if run("podman", "info", seconds=60).returncode != 0:
        return "podman does not work here"
    return None


@pytest.fixture(scope="module")
def base() -> str:
    """An image with Debian and Python."""
    reason = why_no_podman()
    if reason is not None:
        pytest.skip(f"needs podman as root: {reason}")
    named = os.environ.get("SEMGATE_BASE_IMAGE")
    if named:
        return named
    if run("podman", "image", "exists", BASE, seconds=60).returncode != 0:
        if shutil.which("debootstrap") is None:
            pytest.skip(f"needs debootstrap, or a base image: neither SEMGATE_BASE_IMAGE nor {BASE} is there")
        made = run(str(SCRIPT), "base", "--tag", BASE, seconds=600)
        assert made.returncode == 0, made.stderr
    return BASE


@pytest.fixture(scope="module")
def image(base: str) -> Iterator[str]:
    tag = f"localhost/semgate-test:{os.getpid()}"
    built = run(str(SCRIPT), "build", "--base", base, "--tag", tag, seconds=900)
    assert built.returncode == 0, built.stdout[-4000:] + built.stderr[-4000:]
    yield tag
    run("podman", "rmi", "--force", tag, seconds=120)


@pytest.fixture(scope="module")
def smoke(image: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    return run(str(SCRIPT), "smoke", image, seconds=600)


@pytest.mark.parametrize("promise", PROMISES)
def test_the_appliance(promise: str, smoke: subprocess.CompletedProcess[str]) -> None:
    assert f"ok  {promise}" in smoke.stdout, smoke.stdout + smoke.stderr


def test_every_promise_of_the_smoke_test_is_listed_here(smoke: subprocess.CompletedProcess[str]) -> None:
    kept = re.findall(r"^ok  (.*?)(?:: \d+ MB)? \(\d+ s\)$", smoke.stdout, re.MULTILINE)
    assert (kept, smoke.returncode) == (PROMISES, 0), smoke.stderr


def test_the_version_on_the_label_is_the_packages(image: str) -> None:
    label = '{{index .Labels "org.opencontainers.image.version"}}'
    said = run("podman", "image", "inspect", "--format", label, image, seconds=60)
    assert said.stdout.strip() == project()["version"]


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def test_the_containerfile_names_the_version_of_the_package() -> None:
    assert f"\nARG VERSION={project()['version']}\n" in (ROOT / "Containerfile").read_text()


def test_what_the_image_is_made_of_is_not_ignored() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Containerfile").read_text(), re.MULTILINE)
    admitted = re.findall(r"^!(.+)$", (ROOT / ".containerignore").read_text(), re.MULTILINE)
    assert sorted({name for line in copied for name in line.split()}) == sorted(admitted)
    assert all((ROOT / name).exists() for name in admitted)


def test_no_address_of_a_package_index_is_in_the_containerfile() -> None:
    assert re.findall(r"https?://\S+", (ROOT / "Containerfile").read_text()) == []


def test_the_script_explains_itself() -> None:
    told = run(str(SCRIPT), "--help", seconds=60)
    assert told.returncode == 0
    assert all(f"scripts/container {command}" in told.stdout for command in ("build", "smoke", "base"))
    wrong = run(str(SCRIPT), "bulid", seconds=60)
    assert (wrong.returncode, wrong.stdout) == (2, "")


@pytest.mark.parametrize("command", [["build", "--bsae", "x"], ["base", "bookworm"]])
def test_an_unknown_argument_is_named(command: list[str]) -> None:
    wrong = run(str(SCRIPT), *command, seconds=60)
    assert wrong.returncode == 1
    assert f"'{command[1]}'" in wrong.stderr


class Answers(http.server.BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/-/ready" else 404)
        self.end_headers()
        self.wfile.write(b'{"status":"ready"}')

    def log_message(self, *_args: object) -> None:
        """Nothing: pytest's output is for others."""


class Gateway(http.server.ThreadingHTTPServer):
    """Answers as the gateway's `/-/ready` does, or with another status."""

    def __init__(self, status: int = 200, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), type("Answering", (Answers,), {"status": status}))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)

    def handle_error(self, *_args: object) -> None:
        """A client that speaks plain HTTP to TLS is one of the cases."""

    def __enter__(self) -> Gateway:
        threading.Thread(target=self.serve_forever).start()
        return self

    def __exit__(self, *_args: object) -> None:
        self.shutdown()
        self.server_close()


def ask_health(port: int) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SEMGATE_LISTEN": f"0.0.0.0:{port}"}
    command = [sys.executable, str(HEALTHY)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_the_health_check_asks_whether_the_gateway_is_ready() -> None:
    with Gateway() as gateway:
        said = ask_health(gateway.server_port)
    assert (said.returncode, said.stdout) == (0, '{"status":"ready"}\n')


def test_the_health_check_fails_on_another_status() -> None:
    with Gateway(status=503) as gateway:
        said = ask_health(gateway.server_port)
    assert said.returncode == 1
    assert said.stderr == "not ready: status 503\n"


def test_the_health_check_fails_where_nobody_answers() -> None:
    with Gateway() as gateway:
        port = gateway.server_port
    said = ask_health(port)
    assert said.returncode == 1
    assert "refused" in said.stderr


def test_the_health_check_speaks_tls_where_the_gateway_does(tmp_path: Path) -> None:
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    files = f"-keyout {tmp_path}/key.pem -out {tmp_path}/cert.pem"
    made = run(*shlex.split(f"openssl req -x509 -days 2 -subj /CN=elsewhere {key} {files}"), seconds=60)
    assert made.returncode == 0, made.stderr
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Gateway(tls=tls) as gateway:
        said = ask_health(gateway.server_port)
    assert said.returncode == 0, said.stderr
