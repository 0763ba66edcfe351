"""What the doors' tests share: one data folder with one embedded PostgreSQL, and imitated APIs."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
sys.path.insert(0, str(Path(__file__).parent.parent / "clients"))
sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder

from running import RawUpstream, data_folder

from gateway.doors.engine import engine


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory.mktemp("data")) as folder:
        yield folder


@pytest.fixture(scope="session", autouse=True)
def default_folder(data_dir: Path) -> Iterator[None]:
    """What a program that configures nothing stands on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMGATE_DATA", str(data_dir))
        yield


@pytest.fixture(scope="module")
def upstream() -> Iterator[RawUpstream]:
    server = RawUpstream()
    yield server
    server.stop()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """An API key of the test's own: its answers are nobody else's."""
    return f"sk-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:32]}"


@pytest.fixture
def one_engine() -> Iterator[None]:
    """For a test that opens caches in the engine: they are closed at its end, and their connections with them."""
    yield
    engine().close()
