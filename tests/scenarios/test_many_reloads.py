"""A thousand reloads, good and bad ones, under steady load: no request fails or goes astray, and nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
from raw_upstream import RawUpstream
from running import Exchange, Gateway, http_answer, serve, until

RELOADS = 1000

HEAD = """
server: {{listen: LISTEN, data_dir: "{data}", admin: {{token: TOKEN}}}}
"""
# What a reload may change: an upstream's settings, a route's, the routes there are.
ROUTES = """
upstreams:
  a: {{url: "{a}", timeout: {{connect: {turn}s}}}}
  b: {{url: "{b}"}}
  unused{turn}: {{respond: {{body: "{{}}"}}}}
routes:
  - {{name: a, path: /a, upstream: a, preset: json-query, scope: public, ttl: {turn}h}}
  - {{name: b, path: /b, upstream: b, preset: json-query, scope: "header:X-Tenant"}}
  - {{name: c{turn}, path: "/c/{turn}", upstream: unused{turn}, preset: json-query, scope: public, mode: "off"}}
"""
BAD = (
    "routes: [",
    "upstreams: {a: {url: 'http://127.0.0.1:1'}}\nroutes: [{name: a, path: /a, upstream: gone, scope: public}]",
    "upstreams: {a: {url: 'http://127.0.0.1:1', tls: {ca: /nowhere.pem}}}\n"
    "routes: [{name: a, path: /a, upstream: a, preset: json-query, scope: public}]",
)


def test_a_thousand_reloads_under_load(data_dir: Path, tmp_path: Path) -> None:
    a, b = RawUpstream(), RawUpstream()
    a.behaviour, b.behaviour = answering("a"), answering("b")
    try:
        head = HEAD.format(data=data_dir)
        routes = ROUTES.replace("{a}", a.url).replace("{b}", b.url)
        with serve(tmp_path, head + routes.format(turn=1)) as gateway:
            load = Load(gateway)
            reload_often(gateway, head, routes, 100)  # what is made once is there now
            before = held_by(gateway)
            results = reload_often(gateway, head, routes, RELOADS - 100)
            load.stop()
            assert load.wrong == []
            assert load.asked > 500
            assert results[422] > 200
            assert results[200] + results[422] == RELOADS - 100
            until(lambda: held_by(gateway)["handles"] <= before["handles"] + 8, f"{before} -> {held_by(gateway)}", 20)
            after = held_by(gateway)
            assert after["threads"] <= before["threads"] + 2, (before, after)
            assert after["kib"] < before["kib"] + 40_000, (before, after)
            assert "exception" not in gateway.logged()
    finally:
        a.stop()
        b.stop()


def answering(name: str):  # type: ignore[no-untyped-def]
    async def answer(exchange: Exchange) -> None:
        if exchange.nth % 7 == 0:
            await asyncio.sleep(0.05)  # some of them are under way when their generation goes
        await exchange.send(http_answer({"answer": name}))

    return answer


def reload_often(gateway: Gateway, head: str, routes: str, times: int) -> Counter[int]:
    """The statuses of the answers."""
    results: Counter[int] = Counter()
    for turn in range(times):
        bad = turn % 3 == 2
        config = head + (BAD[turn // 3 % len(BAD)] if bad else routes.format(turn=turn % 50 + 1))
        gateway.file.write_text(gateway.text(config))
        status = gateway.admin("POST", "reload").status_code
        assert status == (422 if bad else 200), (turn, config)
        results[status] += 1
    return results


class Load:
    """Clients that ask both routes, in old words and new ones, until they are told to stop."""

    def __init__(self, gateway: Gateway) -> None:
        self.asked = 0
        self.wrong: list[str] = []
        self._gateway = gateway
        self._over = threading.Event()
        self._clients = [threading.Thread(target=self._ask, args=(nth,)) for nth in range(3)]
        for client in self._clients:
            client.start()

    def stop(self) -> None:
        self._over.set()
        for client in self._clients:
            client.join(60)

    def _ask(self, nth: int) -> None:
        with httpx.Client(base_url=self._gateway.url, timeout=30) as http:
            while not self._over.is_set():
                self.asked += 1
                path = "ab"[self.asked % 2]
                words = f"question {self.asked % 40} of {nth}" if self.asked % 3 else f"new {nth} {self.asked}"
                try:
                    answer = http.post(f"/{path}", json={"query": words}, headers={"X-Tenant": str(nth)})
                    if answer.status_code != 200 or answer.json() != {"answer": path}:
                        self.wrong.append(f"{path}: {answer.status_code} {answer.text[:200]}")
                except httpx.HTTPError as error:
                    self.wrong.append(f"{path}: {error!r}")
                time.sleep(0.005)


def held_by(gateway: Gateway) -> dict[str, int]:
    """File handles, threads and resident memory of the one worker."""
    (worker,) = gateway.workers()
    status = Path(f"/proc/{worker}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "handles": len(list(Path(f"/proc/{worker}/fd").iterdir())),
        "threads": int(lines["Threads"]),
        "kib": int(lines["VmRSS"].split()[0]),
    }
