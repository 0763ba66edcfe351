"""Which changes a running gateway cannot take over."""

from pathlib import Path

import pytest
import yaml

from gateway.config.load import read
from gateway.config.model import File, Server
from gateway.config.restart import FIXED, restart_needed

# What a reload compiles anew.
LIVE = {
    "namespace", "digest_key", "max_request_body", "body_timeout", "open", "admin", "grace", "watch", "tracing",
    "trusted_proxies", "forwarded", "access_log",
}  # fmt: skip


def changed(folder: Path, **sections: object) -> File:
    whole = {
        "version": 1,
        "upstreams": {"api": {"url": "http://127.0.0.1:1"}},
        "routes": [{"name": "ask", "path": "/ask", "upstream": "api", "preset": "json-query", "scope": "client"}],
        **sections,
    }
    path = folder / "routes.yaml"
    path.write_text(yaml.safe_dump(whole))
    loaded = read(path, {})
    assert loaded.settings is not None, loaded.problems
    return loaded.settings


@pytest.mark.parametrize(
    ("section", "value", "needed"),
    [
        ("server", {}, []),
        ("server", {"listen": "127.0.0.1:8081"}, ["server.listen"]),
        ("server", {"workers": 2, "data_dir": "/data"}, ["server.workers", "server.data_dir"]),
        ("server", {"tls": {"cert": "/c", "key": "/k"}}, ["server.tls"]),
        ("server", {"max_connections": 10, "drain": "5s"}, ["server.max_connections", "server.drain"]),
        ("server", {"admin": {"token": "abc", "listen": "127.0.0.1:9080"}}, ["server.admin.listen"]),
        ("server", {"admin": {"token": "abc"}}, []),
        ("server", {"namespace": "other", "digest_key": "0123456789abcdef", "open": False, "access_log": True}, []),
        ("server", {"max_request_body": "1MiB", "grace": "1s", "watch": 0, "body_timeout": "1s"}, []),
        ("server", {"tracing": {"endpoint": "http://127.0.0.1:4318"}, "trusted_proxies": ["10.0.0.7"]}, []),
        ("stores", {"postgres": {"pool": 9}}, ["stores.postgres.pool"]),
        ("stores", {"postgres": {"pool": 7}}, []),
        ("stores", {"postgres": {"timeout": "1s"}, "redis": {"url": "redis://cache"}, "memory": {"max_bytes": 0}}, []),
    ],
)
def test_only_what_the_launcher_fixes_needs_a_restart(
    tmp_path: Path, section: str, value: object, needed: list[str]
) -> None:
    assert restart_needed(changed(tmp_path), changed(tmp_path, **{section: value})) == needed


def test_leaving_or_entering_the_embedded_postgres_needs_one_but_another_outside_address_does_not(
    tmp_path: Path,
) -> None:
    key = {"digest_key": "0123456789abcdef"}
    embedded = changed(tmp_path, server=key)
    one, other = (
        changed(tmp_path, server=key, stores={"postgres": {"url": f"postgresql://{host}/x", "pool": 20}})
        for host in ("one", "other")
    )
    assert restart_needed(embedded, one) == ["stores.postgres.url"]
    assert restart_needed(one, embedded) == ["stores.postgres.url"]
    assert restart_needed(one, other) == []


def test_each_setting_of_the_process_is_known_to_be_live_or_fixed() -> None:
    assert set(Server.__struct_fields__) == LIVE | set(FIXED)
