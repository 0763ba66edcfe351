"""One data folder with one embedded PostgreSQL for the session, one gateway for each scenario file."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside this one: importlib mode adds no folder

from running import RawUpstream, data_folder
from synthesized import Cheap


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory.mktemp("data")) as folder:
        yield folder


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with so short a name that a PostgreSQL in it has its socket there, and so the same URL after a restart."""
    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def cheap_server() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.fixture
def cheap(cheap_server: RawUpstream) -> Cheap:
    """The model that makes answers of kept ones."""
    return Cheap(cheap_server)
