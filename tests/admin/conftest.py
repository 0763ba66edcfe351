"""The admin API over scripted Operations, and (for the tests that run one) a gateway's data folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder
sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))

from litestar.testing import TestClient
from scripted import Scripted, app_for

from gateway.stores.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder whose PostgreSQL runs all the while, so that each gateway starts quickly."""
    folder = tmp_path_factory.mktemp("data")
    postgres = EmbeddedPostgres(folder, max_connections=100)
    postgres.start()
    yield folder
    postgres.stop()


@pytest.fixture
def operations() -> Scripted:
    return Scripted()


@pytest.fixture
def client(operations: Scripted) -> Iterator[TestClient]:
    """Of an operator with the right token."""
    with TestClient(app_for(operations), raise_server_exceptions=False) as client:
        client.headers["authorization"] = f"Bearer {operations.admin_token}"
        yield client
