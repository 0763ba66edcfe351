"""An answer that a cheap model makes of kept ones, inside an SDK's client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import RawUpstream
from synthesized import OPEN, SUNDAY, SUNDAY_ANSWER, Cheap, knowing
from transports import chat, talk, told


@pytest.fixture
def cheap() -> Iterator[tuple[Cheap, str]]:
    server = RawUpstream()
    yield Cheap(server), server.url
    server.stop()


def config(data_dir: Path, url: str) -> dict[str, Any]:
    return {
        "server": {"data_dir": str(data_dir), "namespace": "sdk-synthesis"},
        "upstreams": {"cheap": {"url": url}},
        "routes": [
            {
                "name": "chat",
                "path": "/v1/chat/completions",
                "preset": "openai-chat",
                "scope": "header:Authorization",
                "verify": "none",
                "thresholds": {"hit": 0.99},
                "synthesis": {"upstream": "cheap", "model": "tiny", "from": 0.5},
            }
        ],
    }


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_it_is_told_as_a_hit_of_its_own_kind(
    upstream: RawUpstream, data_dir: Path, key: str, flavour: str, cheap: tuple[Cheap, str]
) -> None:
    llm = knowing(upstream)
    with talk(httpx, flavour, upstream.url, key, config(data_dir, cheap[1])) as client:
        client.post(json=chat(OPEN))
        single = client.post(json=chat(SUNDAY))
        stream = client.post(json=chat(SUNDAY, stream=True))
    assert single.json()["choices"][0]["message"]["content"] == SUNDAY_ANSWER
    assert stream.text.endswith("data: [DONE]\n\n")
    for said in (told(single), told(stream)):
        assert (said.hit, said.kind, said.entry, said.forwarded) == (True, "synthesis", None, None)
        assert 0.5 <= said.similarity < 0.99
        assert said.age == 0
    assert llm.asked == [OPEN]
