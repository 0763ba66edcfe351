"""A data folder whose PostgreSQL runs all the while, and an upstream; gateways are started by the tests themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder
sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))

from running import RawUpstream

from gateway.stores.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    postgres = EmbeddedPostgres(folder, max_connections=200)
    postgres.start()
    yield folder
    postgres.stop()


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()
