"""Makes the modules beside this one importable (importlib mode adds no folder), and starts a PostgreSQL for those that need one."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.stores.embedded import EmbeddedPostgres

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Of a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory(prefix="sg-pg-", dir="/tmp") as folder:
        server = EmbeddedPostgres(folder)
        yield server.start()
        server.stop()
