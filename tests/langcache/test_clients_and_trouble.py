"""Bearer keys and limits as the SDKs meet them, parts that are down, and caches that come and go with a reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langcache import LangCache, errors
from running import Gateway, serve, until

QUESTION = "How do I reset my password?"
CLIENTS = """
server: {{listen: LISTEN, data_dir: "{data}", namespace: langcache-clients, watch: 100ms, admin: {{token: TOKEN}}}}
clients:
  - {{name: web, key: web-key}}
  - {{name: batch, key: batch-key, routes: [kv]}}
  - {{name: few, key: few-key, limits: {{requests_per_minute: 2}}}}
"""
ROUTES = """
routes:
  - {name: kv, path: "/v1/caches/{cache_id}/*", kind: cache, scope: "path:cache_id"}
  - {name: own, path: "/own/v1/caches/{cache_id}/*", kind: cache, scope: client}
"""
BROKEN = """
server: {{listen: LISTEN, data_dir: "{data}", digest_key: 0123456789abcdef0123456789abcdef}}
stores: {{postgres: {{url: "postgresql://nobody@127.0.0.1:9/none", timeout: 100ms, write_timeout: 100ms}}}}
routes: [{{name: kv, path: "/v1/caches/{{cache_id}}/*", kind: cache, scope: "path:cache_id"}}]
"""


@pytest.fixture(scope="module")
def gateway(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with serve(tmp_path_factory.mktemp("clients"), CLIENTS.format(data=data_dir) + ROUTES) as running:
        yield running


def asking(gateway: Gateway, key: str | None, cache_id: str, path: str = "") -> LangCache:
    return LangCache(server_url=gateway.url + path, cache_id=cache_id, api_key=key)


def test_a_key_is_needed_and_must_be_known(gateway: Gateway, cache_id: str) -> None:
    for key in (None, "wrong-key"):
        with (
            asking(gateway, key, cache_id) as cache,
            pytest.raises(errors.AuthenticationErrorResponseContent) as raised,
        ):
            cache.search(prompt=QUESTION)
        assert raised.value.data.type.value == "/errors/authentication-failed"
        assert raised.value.headers["www-authenticate"].startswith("Bearer")


def test_a_client_may_be_kept_to_some_caches(gateway: Gateway, cache_id: str) -> None:
    with asking(gateway, "batch-key", cache_id) as cache:
        cache.set(prompt=QUESTION, response="Click.")
    with asking(gateway, "batch-key", cache_id, "/own") as cache, pytest.raises(errors.ForbiddenErrorResponseContent):
        cache.set(prompt=QUESTION, response="Click.")


def test_clients_share_a_cache_by_its_id_or_have_their_own(gateway: Gateway, cache_id: str) -> None:
    with asking(gateway, "web-key", cache_id) as web, asking(gateway, "batch-key", cache_id) as batch:
        web.set(prompt=QUESTION, response="Click.")
        assert len(batch.search(prompt=QUESTION).data) == 1
    with asking(gateway, "web-key", cache_id, "/own") as web, asking(gateway, "few-key", cache_id, "/own") as few:
        entry_id = web.set(prompt=QUESTION, response="Click.").entry_id
        with pytest.raises(errors.NotFoundErrorResponseContent):
            few.delete_by_id(entry_id=entry_id)
        assert few.search(prompt=QUESTION).data == []
        with pytest.raises(errors.TooManyRequestsErrorResponseContent) as raised:
            few.search(prompt=QUESTION)
        assert raised.value.data.type.value == "/errors/too-many-requests"
        assert int(raised.value.headers["retry-after"]) >= 1
        assert len(web.search(prompt=QUESTION).data) == 1


def test_without_its_store_a_cache_says_so(tmp_path: Path, cache_id: str) -> None:
    with serve(tmp_path, BROKEN.format(data=tmp_path), ready=False) as broken, asking(broken, "key", cache_id) as cache:
        for ask in (
            lambda: cache.search(prompt=QUESTION),
            lambda: cache.conversational_search(prompt=QUESTION),
            lambda: cache.set(prompt=QUESTION, response="Click."),
            lambda: cache.delete_by_id(entry_id="0" * 32),
            lambda: cache.delete_query(attributes={"lang": "en"}),
            cache.flush,
        ):
            with pytest.raises(errors.FailedDependencyErrorResponseContent) as raised:
                ask()
            assert raised.value.data.type.value == "/errors/resource-unavailable"
        with pytest.raises(errors.BadRequestErrorResponseContent):
            cache.search(prompt="")
        assert broken.metric("semgate_requests_total", route="kv", outcome="error") >= 4


def test_caches_come_and_go_with_a_reload_and_keep_what_they_have(
    gateway: Gateway, data_dir: Path, cache_id: str
) -> None:
    head = CLIENTS.format(data=data_dir)
    more = '  - {name: late, path: "/late/v1/caches/{cache_id}/*", kind: cache, scope: "path:cache_id", match: exact}\n'
    with asking(gateway, "web-key", cache_id) as cache, asking(gateway, "web-key", cache_id, "/late") as late:
        cache.set(prompt=QUESTION, response="Click.")
        with pytest.raises(errors.APIError):
            late.search(prompt=QUESTION)
        gateway.file.write_text(gateway.text(head + ROUTES + more))
        assert gateway.admin("POST", "reload").status_code == 200
        late.set(prompt=QUESTION, response="Later.")
        assert late.search(prompt=QUESTION).data[0].response == "Later."
        assert cache.search(prompt=QUESTION).data[0].response == "Click."
        gateway.file.write_text(gateway.text(head + ROUTES.replace("scope: client", "scope: $.tenant")))
        assert gateway.admin("POST", "reload").status_code == 422
        assert cache.search(prompt=QUESTION).data[0].response == "Click."
        gateway.file.write_text(
            gateway.text(head + ROUTES.replace('scope: "path:cache_id"', 'scope: "path:cache_id", mode: "off"'))
        )
        assert gateway.admin("POST", "reload").status_code == 200
        assert cache.search(prompt=QUESTION).data == []
        gateway.file.write_text(gateway.text(head + ROUTES))
        assert gateway.admin("POST", "reload").status_code == 200
        assert cache.search(prompt=QUESTION).data[0].response == "Click."


def test_it_is_shown_as_what_it_is(gateway: Gateway) -> None:
    until(lambda: "what programs put in" in gateway.logged(), "the announcement")
    assert "/v1/caches/{cache_id}/*" in gateway.logged()
    routes = gateway.admin("GET", "config").json()["routes"]
    assert [each["name"] for each in routes][:2] == ["kv", "own"]
