"""Feedback in a running gateway: every worker and replica forgets what is wrong, and no client says too much."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from running import Gateway, RawUpstream, chat, completion, free_port, http_answer, serve, until

from gateway.runtime.feedback import MOST_AN_HOUR
from gateway.stores.embedded import EmbeddedPostgres

WEB = {"Authorization": "Bearer web-key-0123456789"}
APP = {"Authorization": "Bearer app-key-0123456789"}
# Buffered: an answer is stored everywhere before anybody has it.
CONFIG = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: {namespace}, workers: {workers}, admin: {{{admin}}}}}
clients:
  - {{name: web, key: web-key-0123456789, routes: [chat]}}
  - {{name: app, key: app-key-0123456789, routes: [other]}}
upstreams: {{llm: {{url: "{url}"}}}}
routes:
  - {{name: chat, path: /chat, upstream: llm, preset: openai-chat, scope: public, thresholds: {{hit: 0.8}},
     response: {{miss: buffer}}}}
  - {{name: other, path: /other, upstream: llm, preset: openai-chat, scope: public, thresholds: {{hit: 0.8}},
     response: {{miss: buffer}}}}
"""
ON, OFF = "How do I turn on the alarm?", "How do I turn off the alarm?"


def config(upstream: RawUpstream, data: Path, namespace: str, admin: str = "token: TOKEN", workers: int = 1) -> str:
    async def answer(exchange: Any) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}")))

    upstream.behaviour = answer
    return CONFIG.format(data=data, url=upstream.url, namespace=namespace, admin=admin, workers=workers)


def ask(gateway: Gateway, question: str, **more: Any) -> httpx.Response:
    """Over a connection of its own, so that any worker may take it."""
    return httpx.post(f"{gateway.url}/chat", json=chat(question, **more), headers=WEB, timeout=30, verify=False)


def say(url: str, entry: str, verdict: str = "wrong", as_: dict[str, str] = WEB, **more: Any) -> httpx.Response:
    return httpx.post(
        f"{url}/-/feedback", json={"entry": entry, "verdict": verdict, **more}, headers=as_, timeout=30, verify=False
    )


def kept(gateway: Gateway, question: str, **more: Any) -> str:
    """The id of the entry that answers it, once every process can have it."""
    ask(gateway, question, **more)

    def hit() -> str | None:
        answer = ask(gateway, question, **more)
        return answer.headers["x-cache-entry"] if answer.headers["x-cache"] == "HIT" else None

    entry: str = until(hit, "nothing is kept")
    return entry


def test_what_one_is_told_all_workers_and_replicas_act_on(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    written = config(upstream, data_dir, "told", workers=2)
    with serve(tmp_path, written) as here, serve(tmp_path, written) as there:
        entry = kept(here, ON)
        for gateway in (here, there):
            until(lambda gateway=gateway: ask(gateway, OFF).headers.get("x-cache-entry") == entry, "no hit")  # type: ignore[misc]
        assert say(here.url, entry, question=OFF).json()["evicted"] is True
        again = ""
        for gateway in (here, there):
            again = kept(gateway, ON)
            assert again != entry
        # The two questions are never one again, in any process.
        for gateway in (here, there):
            until(lambda gateway=gateway: not served_by(gateway, OFF, again), "the pair is served again")  # type: ignore[misc]
            assert not any(served_by(gateway, OFF, again) for _ in range(8))


def served_by(gateway: Gateway, question: str, entry: str) -> bool:
    return ask(gateway, question).headers.get("x-cache-entry") == entry


def test_a_pair_found_wrong_is_remembered_after_a_restart(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    written = config(upstream, data_dir, "restarted")
    with serve(tmp_path, written) as gateway:
        entry = kept(gateway, ON)
        assert ask(gateway, OFF).headers["x-cache-entry"] == entry
        assert say(gateway.url, entry, question=OFF).status_code == 200
    with serve(tmp_path, written) as gateway:
        again = kept(gateway, ON)
        assert not served_by(gateway, OFF, again)


def test_a_client_that_may_not_use_a_route_may_not_speak_of_it(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    with serve(tmp_path, config(upstream, data_dir, "forbidden")) as gateway:
        entry = kept(gateway, ON)
        assert say(gateway.url, entry, as_=APP).status_code == 404
        assert ask(gateway, ON).headers["x-cache-entry"] == entry


def test_where_the_operators_door_is_elsewhere_clients_speak_at_theirs(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    door = free_port()
    written = config(upstream, data_dir, "doors", f"token: TOKEN, listen: '127.0.0.1:{door}'")
    token = {"Authorization": "Bearer TOKEN"}
    with serve(tmp_path, written) as gateway:
        operators = f"http://127.0.0.1:{door}"
        entry, second = kept(gateway, ON), kept(gateway, "Who wrote Faust?")
        # The token opens nothing at the clients' door, and a guesser is not told whether it was right.
        refused = [say(gateway.url, entry, as_={"Authorization": f"Bearer {each}"}) for each in ("TOKEN", "GUESS")]
        assert [answer.status_code for answer in refused] == [401, 401]
        assert refused[0].text == refused[1].text
        assert httpx.get(f"{gateway.url}/-/shadow", headers=token, verify=False).status_code == 404
        assert say(gateway.url, entry).status_code == 200
        assert say(operators, second, as_=token).status_code == 200


def test_without_an_operators_token_clients_may_speak_and_nobody_else(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path
):
    with serve(tmp_path, config(upstream, data_dir, "tokenless", admin="")) as gateway:
        entry = kept(gateway, ON)
        assert say(gateway.url, entry, as_={}).status_code == 404
        assert say(gateway.url, entry).status_code == 200


@pytest.fixture
def database(data_dir: Path) -> str:
    return EmbeddedPostgres(data_dir, max_connections=200).start()


def test_a_client_may_say_so_much_an_hour_in_all_workers_together(
    upstream: RawUpstream, data_dir: Path, tmp_path: Path, database: str
):
    async def said_before(times: int) -> None:
        """The same client has given feedback so many times, a minute ago."""
        connection = await asyncpg.connect(database)
        row = await connection.fetchrow("SELECT * FROM semgate.judgements WHERE namespace = 'often'")
        assert row is not None
        columns = [name for name in row.keys() if name != "number"]  # noqa: SIM118 - a record gives values
        values = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
        for _ in range(times):
            copy = {**row, "id": row["id"][:8] + os.urandom(8), "at": row["at"] - 60}
            await connection.execute(
                f"INSERT INTO semgate.judgements ({', '.join(columns)}) VALUES ({values})",
                *(copy[name] for name in columns),
            )
        await connection.close()

    with serve(tmp_path, config(upstream, data_dir, "often", workers=2)) as gateway:
        first, second, third = (kept(gateway, ON, temperature=n / 10) for n in range(3))
        assert say(gateway.url, first).status_code == 200
        asyncio.run(said_before(MOST_AN_HOUR - 2))
        assert say(gateway.url, second).status_code == 200
        refused = say(gateway.url, third)
        assert refused.status_code == 429
        assert 3000 < int(refused.headers["retry-after"]) <= 3600
        assert ask(gateway, ON, temperature=0.2).headers["x-cache"] == "HIT"
        # What was said is still answered as it was.
        assert say(gateway.url, second).json()["noted"] is False
        assert say(gateway.url, third, as_={"Authorization": "Bearer TOKEN"}).status_code == 200


def test_while_postgres_is_down_feedback_is_told_to_come_again(upstream: RawUpstream, tmp_path: Path, short_path: Path):
    postgres = EmbeddedPostgres(short_path)
    url = postgres.start()
    server = f"server: {{listen: LISTEN, data_dir: '{tmp_path}', digest_key: 'a key for this test alone'}}"
    written = config(upstream, tmp_path, "down")
    _, _, rest = written.partition("clients:")
    try:
        with serve(tmp_path, f"{server}\nstores: {{postgres: {{url: '{url}'}}}}\nclients:{rest}") as gateway:
            entry = kept(gateway, ON)
            postgres.stop()
            answer = say(gateway.url, entry)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            postgres.start()
            assert until(lambda: say(gateway.url, entry).status_code == 200, "it is not heard")
    finally:
        postgres.stop()
