"""Whose an entry is: another cache id, caller, tenant or route never sees it, counts it or deletes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from running import Gateway

QUESTION = "How do I reset my password?"


class Side:
    """One cache as somebody sees it."""

    def __init__(self, gateway: Gateway, base: str, **headers: str) -> None:
        self._gateway = gateway
        self._base = base
        self._headers = headers

    def ask(self, method: str, rest: str, body: Any = None) -> Any:
        answer = self._gateway.http.request(method, f"{self._base}/{rest}", json=body, headers=self._headers)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def put(self, response: str) -> str:
        body = {"prompt": QUESTION, "response": response, "attributes": {"lang": "en"}}
        entry_id: str = self.ask("POST", "entries", body)["entryId"]
        return entry_id

    def found(self, **more: Any) -> list[str]:
        body = {"prompt": QUESTION, "similarityThreshold": 0, "maxResults": 100, **more}
        return [each["response"] for each in self.ask("POST", "entries/search", body)["data"]]

    def delete(self, entry_id: str) -> int:
        path = f"{self._base}/entries/{entry_id}"
        return self._gateway.http.delete(path, headers=self._headers).status_code


PAIRS: dict[str, Callable[[Gateway, str], tuple[Side, Side]]] = {
    "two cache ids": lambda gateway, name: (
        Side(gateway, f"/v1/caches/{name}a"),
        Side(gateway, f"/v1/caches/{name}b"),
    ),
    "two cache ids that are no part of the scope": lambda gateway, name: (
        Side(gateway, f"/shared/v1/caches/{name}a"),
        Side(gateway, f"/shared/v1/caches/{name}b"),
    ),
    "two cache ids of one caller": lambda gateway, name: (
        Side(gateway, f"/own/v1/caches/{name}a", authorization="Bearer one"),
        Side(gateway, f"/own/v1/caches/{name}b", authorization="Bearer one"),
    ),
    "two callers": lambda gateway, name: (
        Side(gateway, f"/own/v1/caches/{name}", authorization="Bearer one"),
        Side(gateway, f"/own/v1/caches/{name}", authorization="Bearer two"),
    ),
    "two tenants": lambda gateway, name: (
        Side(gateway, f"/tenants/v1/caches/{name}", **{"x-tenant": "one"}),
        Side(gateway, f"/tenants/v1/caches/{name}", **{"x-tenant": "two"}),
    ),
    "two routes": lambda gateway, name: (
        Side(gateway, f"/v1/caches/{name}"),
        Side(gateway, f"/second/v1/caches/{name}"),
    ),
    "a slash in an id": lambda gateway, name: (
        Side(gateway, f"/v1/caches/{name}%2fb"),
        Side(gateway, f"/v1/caches/{name}"),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_entries_are_never_anothers(gateway: Gateway, cache_id: str, pair: str) -> None:
    one, two = PAIRS[pair](gateway, cache_id)
    entry_id = one.put("one's")
    assert two.found() == two.found(searchStrategies=["exact"]) == two.found(attributes={"lang": "en"}) == []
    other_id = two.put("two's")
    assert (one.found(), two.found()) == (["one's"], ["two's"])
    assert two.delete(entry_id) == 404
    assert one.found() == ["one's"]
    assert two.ask("DELETE", "entries", {"attributes": {"lang": "en"}}) == {"deletedEntriesCount": 1}
    assert (one.found(), two.found()) == (["one's"], [])
    two.put("two's again")
    two.ask("DELETE", "entries", {"attributes": {}})
    assert (one.found(), two.found()) == (["one's"], [])
    two.put("two's again")
    two.ask("POST", "flush")
    assert (one.found(), two.found()) == (["one's"], [])
    assert one.delete(other_id) == 404
    assert one.delete(entry_id) == 204
    assert one.found() == []


def test_an_id_is_the_same_however_it_is_written(gateway: Gateway, cache_id: str) -> None:
    name = f"{cache_id} ü"
    Side(gateway, f"/v1/caches/{quote(name)}").put("here")
    assert Side(gateway, f"/v1/caches/{quote(name).lower()}").found() == ["here"]
    assert Side(gateway, f"/v1/caches/{quote(name).replace('%20', '+')}").found() == []


def test_an_entry_has_its_id_with_and_without_dashes(gateway: Gateway, cache_id: str) -> None:
    cache = Side(gateway, f"/v1/caches/{cache_id}")
    short = cache.put("first")
    dashed = f"{short[:8]}-{short[8:12]}-{short[12:16]}-{short[16:20]}-{short[20:]}"
    assert cache.delete(dashed) == 204
    assert cache.delete(short) == 404


def test_who_does_not_say_who_it_is_has_no_cache(gateway: Gateway, cache_id: str) -> None:
    nobody = gateway.ask(f"/own/v1/caches/{cache_id}/entries/search", {"prompt": QUESTION})
    assert (nobody.status_code, nobody.json()["type"]) == (401, "/errors/authentication-failed")
    nowhere = gateway.ask(f"/tenants/v1/caches/{cache_id}/entries/search", {"prompt": QUESTION})
    assert nowhere.status_code == 400
    assert nowhere.json()["fields"][0]["field"] == "header:X-Tenant"


def test_operators_see_and_purge_what_is_in_a_cache(gateway: Gateway, cache_id: str) -> None:
    cache = Side(gateway, f"/v1/caches/{cache_id}")
    body = {"prompt": QUESTION, "response": "a", "attributes": {"topic": f"topic-{cache_id}"}}
    cache.ask("POST", "entries", body)
    cache.put("b")
    by_tag = {"route": "kv", "tags": [f"topic-{cache_id}"], "dry_run": False}
    assert gateway.admin("POST", "purge", by_tag).json()["purged"] == 1
    assert cache.found() == ["b"]
    listed = gateway.admin("GET", "entries", params={"route": "kv", "limit": 1000}).json()["entries"]
    assert QUESTION in {each["question"] for each in listed}
    by_scope = {"route": "kv", "scope": [cache_id], "dry_run": False}
    purged = gateway.admin("POST", "purge", by_scope)
    assert purged.json()["purged"] == 1, purged.text
    assert cache.found() == []
