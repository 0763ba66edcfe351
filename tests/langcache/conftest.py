"""One gateway with REST caches of every sort for all these tests, and LangCache's own SDKs in front of it."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from langcache import LangCache

# For the modules beside this one, and what scenarios and clients share: importlib mode adds no folder.
sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
sys.path.insert(0, str(Path(__file__).parent.parent / "clients"))

from running import Gateway, data_folder, serve
from workers import Peers, install

CONFIG = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: langcache, watch: 100ms, admin: {{token: TOKEN}}}}
routes:
  - {{name: kv, path: "/v1/caches/{{cache_id}}/*", kind: cache, scope: "path:cache_id", tags: [$.attributes.topic]}}
  - {{name: kv2, path: "/second/v1/caches/{{cache_id}}/*", kind: cache, scope: "path:cache_id"}}
  - {{name: shared, path: "/shared/v1/caches/{{cache_id}}/*", kind: cache, scope: public}}
  - {{name: own, path: "/own/v1/caches/{{cache_id}}/*", kind: cache, scope: client}}
  - {{name: tenants, path: "/tenants/v1/caches/{{cache_id}}/*", kind: cache, scope: [path:cache_id, header:X-Tenant]}}
  - {{name: near, path: "/near/v1/caches/{{cache_id}}/*", kind: cache, scope: "path:cache_id", thresholds: {{hit: 0.8}}}}
  - name: bounded
    path: "/bounded/v1/caches/{{cache_id}}/*"
    kind: cache
    scope: path:cache_id
    allow: {{threshold: {{min: 0.999}}, ttl: {{max: 1h}}}}
    max_body: 2KiB
    ttl: 30m
    response: {{expose: none, headers: {{X-Served-By: semgate}}}}
  - {{name: words, path: "/words/v1/caches/{{cache_id}}/*", kind: cache, scope: "path:cache_id", match: exact}}
  - {{name: resting, path: "/resting/v1/caches/{{cache_id}}/*", kind: cache, scope: "path:cache_id", mode: "off"}}
  - name: guarded
    path: "/guarded/v1/caches/{{cache_id}}/*"
    kind: cache
    scope: path:cache_id
    deny:
      - {{text: "Who will win the election?", then: refuse, answer: "We do not talk about that.", name: politics}}
      - {{text: "What is the weather today?", at_least: 1}}
"""


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory.mktemp("data")) as folder:
        yield folder


@pytest.fixture(scope="session")
def gateway(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("langcache"), CONFIG.format(data=data_dir)) as running:
        yield running


@pytest.fixture
def cache_id(request: pytest.FixtureRequest) -> str:
    """A cache of the test's own."""
    return hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:32]


@pytest.fixture
def cache(gateway: Gateway, cache_id: str) -> Iterator[LangCache]:
    with LangCache(server_url=gateway.url, cache_id=cache_id, api_key="a-key") as client:
        yield client


@pytest.fixture(scope="session")
def peers() -> Peers:
    try:
        return install()
    except RuntimeError as error:
        pytest.skip(f"LangCache's SDK for Node cannot be installed here: {error}")
