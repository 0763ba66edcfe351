"""A scripted gateway to talk to, and the command itself: in this process, or as one of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder

from admin_server import TOKEN, AdminServer, ImportedRows, Semgate

from gateway.cli.main import main


@pytest.fixture
def admin() -> Iterator[AdminServer]:
    server = AdminServer()
    yield server
    server.stop()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder to be in, and no variable that says anything."""
    monkeypatch.chdir(tmp_path)
    for name in ("SEMGATE_CONFIG", "SEMGATE_ADMIN_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def semgate(alone: Path) -> Semgate:
    """Run the command in this process; stdout and stderr apart."""

    def run(*arguments: object, env: dict[str, str | None] | None = None) -> Result:
        return CliRunner().invoke(main, [str(each) for each in arguments], env=env, catch_exceptions=False)

    return run


@pytest.fixture
def ask(semgate: Semgate, admin: AdminServer) -> Semgate:
    """Run a command that talks to the scripted gateway."""

    def run(*arguments: object) -> Result:
        return semgate(*arguments, "--url", admin.url, "--token", TOKEN)

    return run


@pytest.fixture
def rows(admin: AdminServer) -> ImportedRows:
    imported = ImportedRows()
    admin.answer("POST import", imported)
    return imported
