"""The door of a real gateway: its configuration, reloads by order, and who is let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import WEB, desk
from openapi_spec_validator import OpenAPIV31SpecValidator
from running import Gateway, RawUpstream, serve


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with desk(upstream, data_dir, tmp_path_factory.mktemp("running"), "running", ", watch: 1h") as running:
        yield running


def test_the_configuration_is_told(gateway: Gateway):
    config = gateway.admin("GET", "config").json()
    assert config.keys() >= {"digest", "loaded_at", "last_error", "routes"}
    assert config["last_error"] is None
    assert config["routes"][0] == {"name": "chat", "path": "/v1/chat/completions", "upstream": "llm", "mode": "serve"}
    assert "web-key" not in gateway.admin("GET", "config").text


def test_a_reload_by_order_changes_what_runs_or_says_all_that_is_wrong(gateway: Gateway):
    before = gateway.admin("GET", "config").json()
    same = gateway.admin("POST", "reload")
    assert (same.status_code, same.json()) == (200, {"digest": before["digest"], "changed": False})
    good = gateway.file.read_text()
    gateway.file.write_text(
        good.replace("upstream: llm", "upstraem: llm", 1).replace("scope: public", "scope: publik", 1)
    )
    refused = gateway.admin("POST", "reload")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    problems = refused.json()["problems"]
    assert len([each for each in problems if each["level"] == "error"]) >= 2
    assert all(each["file"].endswith(gateway.file.name) and each["line"] > 0 for each in problems)
    after = gateway.admin("GET", "config").json()
    assert (after["digest"], after["routes"]) == (before["digest"], before["routes"])
    assert after["last_error"]
    gateway.file.write_text(good.replace("path: /loose", "path: /tight"))
    changed = gateway.admin("POST", "reload", params={"force": "true"})
    assert changed.status_code == 200
    assert changed.json()["changed"] is True
    assert changed.json()["digest"] != before["digest"]
    assert gateway.admin("GET", "config").json()["last_error"] is None
    assert gateway.ask("/tight", {"query": "Hi"}, WEB).status_code == 200
    gateway.file.write_text(good)
    assert gateway.admin("POST", "reload").json()["digest"] == before["digest"]


def test_the_description_is_served(gateway: Gateway):
    OpenAPIV31SpecValidator(gateway.admin("GET", "openapi").json()).validate()


def test_a_clients_key_opens_no_operators_door(gateway: Gateway):
    assert gateway.http.get("/-/config", headers=WEB).status_code == 401
    assert gateway.http.get("/-/config").status_code == 401


def test_probes_may_ask_with_head(gateway: Gateway):
    for path in ("/-/live", "/-/ready", "/health"):
        answer = gateway.http.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(gateway.http.get(path).content))
    assert gateway.http.get("/-/live").json() == {"status": "live"}  # on the same connection: nothing was left over
    assert gateway.http.head("/-/config").status_code == 401


def test_guessing_is_slowed_down(gateway: Gateway):
    statuses = [gateway.http.get("/-/stats", headers={"Authorization": f"Bearer {n}"}).status_code for n in range(15)]
    assert statuses[-1] == 429
    assert gateway.admin("GET", "stats").status_code == 200


def test_without_a_token_there_is_no_door(tmp_path: Path, data_dir: Path):
    config = f"""
server: {{listen: LISTEN, data_dir: "{data_dir}", namespace: closed}}
upstreams: {{fixed: {{respond: {{body: '{{"answer": 1}}'}}}}}}
routes: [{{name: ask, path: /ask, upstream: fixed, preset: json-query, scope: public}}]
"""
    with serve(tmp_path, config) as gateway:
        for method, path in (("GET", "config"), ("GET", "stats"), ("POST", "purge"), ("GET", "entries"), ("GET", "ui")):
            assert gateway.admin(method, path).status_code == 404
        assert gateway.http.get("/-/live").status_code == 200
