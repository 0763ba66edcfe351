"""The admin API over scripted Operations, and (for the tests that run one) a gateway with an upstream and a data folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder
sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))

from desk import desk
from litestar.testing import TestClient
from running import Gateway, RawUpstream, data_folder
from scripted import Scripted, app_for


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory.mktemp("data")) as folder:
        yield folder


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gateway(
    request: pytest.FixtureRequest, upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """One for each file, in a namespace of its name."""
    name = request.path.stem.removeprefix("test_")
    with desk(upstream, data_dir, tmp_path_factory.mktemp(name), name) as running:
        yield running


@pytest.fixture
def operations() -> Scripted:
    return Scripted()


@pytest.fixture
def client(operations: Scripted) -> Iterator[TestClient]:
    """Of an operator with the right token."""
    with TestClient(app_for(operations), raise_server_exceptions=False) as client:
        client.headers["authorization"] = f"Bearer {operations.admin_token}"
        yield client
