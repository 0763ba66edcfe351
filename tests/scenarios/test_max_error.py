"""A bound on errors: hits on other words are held back until enough of them were right, and again when some are wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from running import Exchange, Gateway, RawUpstream, http_answer, serve, until

CONFIG = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: {namespace}, watch: 200ms, admin: {{token: TOKEN}}}}
upstreams: {{llm: {{url: "{url}"}}}}
routes:
  - {{name: faq, path: /faq, upstream: llm, preset: json-query, scope: public, thresholds: {{hit: {hit}}}, {trial}}}
"""
BOUND = "max_error: 20%, audit: 100%"
OPENING = {"opens": 9, "closes": 17}
CLOSING = {"opens": 11, "closes": 15}
CITIES = [
    "Aachen",
    "Bremen",
    "Chemnitz",
    "Dresden",
    "Erfurt",
    "Flensburg",
    "Görlitz",
    "Hamburg",
    "Ingolstadt",
    "Jena",
    "Kassel",
    "Leipzig",
    "Mainz",
    "Neuss",
    "Oldenburg",
    "Potsdam",
    "Rostock",
    "Schwerin",
    "Trier",
    "Ulm",
    "Verden",
    "Worms",
    "Xanten",
    "Zwickau",
    "Augsburg",
    "Bonn",
    "Celle",
    "Dortmund",
    "Essen",
    "Fulda",
    "Gera",
    "Halle",
    "Itzehoe",
    "Karlsruhe",
    "Lindau",
    "Minden",
    "Nordhausen",
    "Offenbach",
    "Passau",
    "Regensburg",
    "Soest",
    "Thale",
    "Unna",
    "Velbert",
    "Wismar",
]

namespaces = itertools.count()


class Says:
    """An upstream that says the same to everybody."""

    def __init__(self, upstream: RawUpstream) -> None:
        self.answer: dict[str, Any] = OPENING
        upstream.behaviour = self.behave

    async def behave(self, exchange: Exchange) -> None:
        await exchange.send(http_answer(self.answer))


class Customers:
    """Who ask the same in ever other words."""

    def __init__(self) -> None:
        self._words = iter(f"When does the office in {city} open in the morning?" for city in CITIES)

    def ask(self, gateway: Gateway) -> httpx.Response:
        return gateway.ask("/faq", {"query": next(self._words)})


@pytest.fixture
def says(upstream: RawUpstream) -> Says:
    return Says(upstream)


@pytest.fixture
def written(upstream: RawUpstream, data_dir: Path, tmp_path: Path) -> Iterator[Any]:
    """A routes file's text; all of one test share a namespace."""
    namespace = f"bound{next(namespaces)}"

    def write(trial: str = BOUND, hit: float = 0.6) -> str:
        return CONFIG.format(data=data_dir, url=upstream.url, namespace=namespace, hit=hit, trial=trial)

    return write


def judged(gateway: Gateway, count: int, **labels: str) -> None:
    """Comparisons come after the client has its answer."""
    until(
        lambda: gateway.metric("semgate_judgements_total", route="faq", **labels) >= count,
        f"there are not {count} judgements",
    )


def is_unproven(answer: httpx.Response) -> bool:
    return answer.headers["cache-status"] == "semgate; fwd=miss; detail=unproven"


def forwarded_until_served(gateway: Gateway, customers: Customers) -> int:
    """How many were held back before the first that was served."""
    for count in range(40):
        answer = customers.ask(gateway)
        if answer.headers["x-cache"] == "HIT":
            return count
        assert is_unproven(answer)
        judged(gateway, count + 1)
    raise AssertionError("nothing is ever served")


def proof(gateway: Gateway) -> str:
    found: str = gateway.admin("GET", "stats").json()["routes"]["faq"]["proof"]
    return found


def test_it_forwards_until_enough_were_right_and_again_once_some_are_wrong(says: Says, written: Any, tmp_path: Path):
    customers = Customers()
    with serve(tmp_path, written()) as gateway:
        first = customers.ask(gateway)
        assert first.headers["cache-status"] == "semgate; fwd=miss"
        assert proof(gateway).startswith("not yet: 0 compared")
        again = gateway.ask("/faq", {"query": f"When does the office in {CITIES[0]} open in the morning?"})
        assert "detail=exact" in again.headers["cache-status"]  # the same words need no proof
        by_text = {"route": "faq", "text": "When does the office in Ahlen open in the morning?"}
        told = gateway.admin("POST", "lookup", by_text).json()
        assert (told["verdict"], told["reason"]) == ("miss", "unproven")
        assert told["candidates"][0]["why"] == "would be served, were it proven that such answers are right"
        held = forwarded_until_served(gateway, customers)
        assert gateway.admin("POST", "lookup", by_text).json()["verdict"] == "hit"
        assert 10 < held < 30
        assert gateway.metric("semgate_miss_total", route="faq", reason="unproven") == held
        assert proof(gateway).startswith("serves at a similarity of 0.6 or more: ")
        assert gateway.metric("semgate_max_error_served_from", route="faq") == pytest.approx(0.6)
        told = gateway.admin(
            "POST", "lookup", {"route": "faq", "body": {"query": "When does the office in Ahlen open in the morning?"}}
        )
        steps = {step["step"]: step["result"] for step in told.json()["steps"]}
        assert steps["proof"].startswith("served: serves at a similarity of 0.6 or more: ")

        says.answer = CLOSING
        for count in range(40):
            answer = customers.ask(gateway)
            if is_unproven(answer):
                break
            judged(gateway, count + 1, finding="wrong")
        assert is_unproven(answer)
        assert answer.json() == CLOSING
        assert not proof(gateway).startswith("serves")
        assert gateway.metric("semgate_max_error_served_from", route="faq") == float("inf")
        assert '"event":"max_error"' in gateway.logged()


def test_what_shadow_mode_found_counts_and_is_known_after_a_restart(says: Says, written: Any, tmp_path: Path):
    customers = Customers()
    with serve(tmp_path, written("mode: shadow")) as gateway:
        for _ in range(30):
            assert customers.ask(gateway).headers["x-cache"] == "SHADOW"
        judged(gateway, 29, origin="shadow")
    with serve(tmp_path, written("max_error: 20%")) as gateway:
        assert customers.ask(gateway).headers["x-cache"] == "HIT"
        assert "29 compared, 0 wrong" in proof(gateway)


def test_another_threshold_has_to_be_proven_anew(says: Says, written: Any, tmp_path: Path):
    customers = Customers()
    with serve(tmp_path, written()) as gateway:
        customers.ask(gateway)
        forwarded_until_served(gateway, customers)
        gateway.file.write_text(gateway.text(written(hit=0.55)))
        until(lambda: "not yet" in proof(gateway), "the new threshold is not in force")
        assert is_unproven(customers.ask(gateway))
