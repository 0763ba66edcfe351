"""A data folder whose PostgreSQL runs all the while, and an upstream; gateways are started by the tests themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder
sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))

from running import RawUpstream, data_folder


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory.mktemp("data")) as folder:
        yield folder


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()
