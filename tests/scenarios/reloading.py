"""A gateway whose routes file changes while it runs: what the tests of reloads share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from running import Gateway, serve, until

SERVER = """
server: {{listen: LISTEN, data_dir: "{data}", workers: {workers}, watch: 200ms, grace: {grace}, admin: {{token: TOKEN}}}}
"""


def fixed(answer: str, mode: str = "off") -> str:
    """One route with a fixed answer."""
    return f"""
upstreams: {{fixed: {{respond: {{body: '{{"answer": "{answer}"}}'}}}}}}
routes: [{{name: ask, path: /ask, upstream: fixed, preset: json-query, scope: public, mode: "{mode}"}}]
"""


@contextmanager
def reloading(
    data: Path, folder: Path, config: str, *, workers: int = 1, grace: str = "60s", **more: Any
) -> Iterator[tuple[Gateway, str]]:
    """A gateway, and the part of its file that stays."""
    head = SERVER.format(data=data, workers=workers, grace=grace)
    with serve(folder, head + config, **more) as gateway:
        yield gateway, head


def answer_of(gateway: Gateway, path: str = "/ask") -> str:
    found = gateway.ask(path, {"query": "what?"}).json()["answer"]
    assert isinstance(found, str)
    return found


def serves(gateway: Gateway, answer: str) -> None:
    until(lambda: answer_of(gateway) == answer, f"{answer!r} is not served: {gateway.logged()}", 15)


def asked_anew(gateway: Gateway) -> str:
    """Over a connection of its own, which any of the workers may take. There is no TLS: nobody need be verified, and to read
    who is trusted takes longer than all the rest."""
    answer: str = httpx.post(f"{gateway.url}/ask", json={"query": "what?"}, verify=False).json()["answer"]
    return answer
