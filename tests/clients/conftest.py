"""The imitated APIs, one gateway in front of all of them, and the clients that run in processes of their own."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "scenarios"))
sys.path.insert(0, str(Path(__file__).parent))  # for the modules beside this one: importlib mode adds no folder

from apis import Apis
from running import Gateway, data_folder, serve, until
from speaking import Ask, Heard, Speaker
from workers import Peers, Worker, install

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: {name}}}
upstreams: {{apis: {{url: "{url}"}}}}
routes:
  - {{name: chat, path: /v1/chat/completions, upstream: apis, preset: openai-chat, scope: client}}
  - {{name: completions, path: /v1/completions, upstream: apis, preset: openai-completions, scope: client}}
  - {{name: responses, path: /v1/responses, upstream: apis, preset: openai-responses, scope: client}}
  - {{name: messages, path: /v1/messages, upstream: apis, preset: anthropic-messages, scope: client}}
  - {{name: ollama-chat, path: /api/chat, upstream: apis, preset: ollama-chat, scope: client}}
  - {{name: ollama-generate, path: /api/generate, upstream: apis, preset: ollama-generate, scope: client}}
"""


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory.mktemp("data")) as folder:
        yield folder


@pytest.fixture(scope="session")
def apis() -> Iterator[Apis]:
    server = Apis()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gateway(apis: Apis, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    config = CONFIG.format(data=data_dir, url=apis.url, name="clients")
    with serve(tmp_path_factory.mktemp("clients"), config) as running:
        yield running


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """An API key of the test's own: its answers are nobody else's."""
    return f"sk-{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:32]}"


@pytest.fixture(scope="session")
def peers() -> Peers:
    try:
        return install()
    except RuntimeError as error:
        pytest.skip(f"LiteLLM and the openai package for Node cannot be installed here: {error}")


@pytest.fixture(scope="session")
def node(peers: Peers) -> Iterator[Worker]:
    with peers.node() as worker:
        yield worker


@pytest.fixture(scope="session")
def litellm(peers: Peers) -> Iterator[Worker]:
    with peers.litellm() as worker:
        yield worker


@pytest.fixture
def ask(speaker: Speaker, request: pytest.FixtureRequest) -> Ask:
    """How the speaker asks."""
    if speaker.ask is not None:
        return speaker.ask
    assert speaker.through is not None
    return partial(speaker.through, request.getfixturevalue(speaker.worker))


@pytest.fixture
def kept(gateway: Gateway) -> Callable[[Callable[[], Heard]], Heard]:
    """Do what is kept, and wait until it is: keeping comes after the client has its answer."""

    def asking(ask: Callable[[], Heard]) -> Heard:
        before = gateway.metric("semgate_kept_total")
        heard = ask()
        until(lambda: gateway.metric("semgate_kept_total") > before, f"not kept\n{gateway.logged()[-2000:]}")
        return heard

    return asking
