"""One data folder with one embedded PostgreSQL for the session, one gateway for each scenario file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one: importlib mode adds no folder

from running import RawUpstream

from gateway.stores.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder whose PostgreSQL runs all the while, so that each gateway starts quickly."""
    folder = tmp_path_factory.mktemp("data")
    postgres = EmbeddedPostgres(folder, max_connections=200)
    postgres.start()
    yield folder
    postgres.stop()


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()
