"""What programs put by hand, seen from a gateway that has the same stores: listed, exported, purged, imported."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from running import Gateway, serve, until

from gateway import SyncSemanticCache

CONFIG = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: by-hand-operators, admin: {{token: TOKEN}}}}
routes:
  - {{name: kv, path: "/v1/caches/{{cache_id}}/*", kind: cache, scope: "path:cache_id"}}
"""
ASKED, NEAR = "How do I reset my password?", "how can I reset my password"


@pytest.fixture(scope="module")
def gateway(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("gateway"), CONFIG.format(data=data_dir)) as running:
        yield running


def test_a_gateway_sees_purges_and_restores_them_and_never_answers_with_them(gateway: Gateway) -> None:
    with SyncSemanticCache(gateway.file) as cache:
        attributes = {"user": "seven of nine"}
        kept = cache.set(ASKED, "by mail", scope="acme", tags=["faq"], attributes=attributes)
        (entry,) = gateway.admin("GET", "entries?route=kv").json()["entries"]
        assert (entry["id"], entry["question"], entry["tags"]) == (kept, ASKED, ["faq"])
        whole = gateway.admin("GET", f"entries/{kept}").json()
        assert (whole["body"], whole["attributes"]) == ("by mail", attributes)
        assert gateway.admin("GET", "stats").json()["routes"]["kv"]["entries"] == 1

        asked = {"prompt": ASKED, "similarityThreshold": 0.5}
        found = gateway.ask("/v1/caches/acme/entries/search", asked)
        assert (found.status_code, found.json()["data"]) == (200, [])

        exported = gateway.admin("GET", "export?route=kv").content
        purged = gateway.admin("POST", "purge", {"route": "kv", "scope": "acme", "tags": ["faq"], "dry_run": False})
        assert purged.json()["purged"] == 1
        until(lambda: cache.search(ASKED, scope="acme") == [], "the purge is heard")

        imported = gateway.admin("POST", "import", content=exported)
        assert imported.json()["kept"] == 1, imported.text
        for question in (ASKED, NEAR):
            (again,) = cache.search(question, scope="acme", attributes=attributes)
            assert (again.answer, again.attributes, again.tags) == ("by mail", attributes, ("faq",))
        assert cache.purge(scope="acme", attributes=attributes) == 1
        assert gateway.admin("GET", "entries?route=kv").json()["entries"] == []
