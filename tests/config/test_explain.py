"""`explain`: everything filled in, nothing leaked, and still a routes file."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from gateway.config.explain import MASK, explain
from gateway.config.load import read
from gateway.config.preset import fill
from gateway.errors import ConfigError

CASES = Path(__file__).parent / "cases"
ENV = {"SECRET": "s3cr3t-value-that-nobody-may-see", "DIGITS": "12", "NO": "false"}
FINE = [path.stem for path in sorted(CASES.glob("fine-*.yaml"))]


@pytest.mark.parametrize("name", FINE)
def test_what_it_prints_is_the_same_route_written_out(name: str, tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(literally((CASES / f"{name}.yaml").read_text("utf-8")))
    loaded = read(path, {})
    assert loaded.settings is not None, loaded.problems
    for route in loaded.settings.routes:
        explained = tmp_path / "explained.yaml"
        # Only the digest key is judged by what it is.
        explained.write_text(explain(loaded, route.name).replace(f"digest_key: '{MASK}'", f"digest_key: {'x' * 16}"))
        again = read(explained, {})
        assert again.settings is not None, again.problems
        (read_again,) = again.settings.routes
        wanted, got = fill(route, loaded.settings.defaults), fill(read_again, again.settings.defaults)
        if route.match == "exact":
            got = msgspec.structs.replace(got, embedder=wanted.embedder)
        if route.kind != "cache" and route.stale_if_error is None and route.stale_while_revalidate is None:
            # No answer is stale, so nobody can wish for one.
            assert "stale-if-error" not in got.allow.cache_control
            got = msgspec.structs.replace(got, allow=wanted.allow)
        assert got == wanted
        assert again.settings.upstreams.keys() <= loaded.settings.upstreams.keys()


def literally(text: str) -> str:
    """A file with its variables' values written into it: what comes from outside is masked by `explain`."""
    text = text.replace('workers: "${DIGITS}"', "workers: 12").replace('open: "${NO}"', "open: false")
    for name, value in ENV.items():
        text = text.replace(f"${{{name}}}", value)
    return text


@pytest.mark.parametrize("name", FINE)
def test_no_secret_is_printed(name: str) -> None:
    loaded = read(CASES / f"{name}.yaml", ENV)
    assert loaded.settings is not None
    for route in loaded.settings.routes:
        text = explain(loaded, route.name)
        assert "s3cr3t" not in text
        assert "pass@" not in text


def test_credentials_are_masked_even_where_the_file_has_them_in_plain(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(
        """
version: 1
server: {digest_key: 0123456789abcdef, admin: {token: plain-secret}}
clients: [{name: web, key: plain-secret}]
stores: {postgres: {url: "postgresql://me:plain-secret@db/x"}}
embedders: {default: {type: openai, model: m, api_key: plain-secret}}
upstreams:
  api:
    url: https://api.example.com
    headers: {authorization: Bearer plain-secret, X-Auth-Token: plain-secret, X-Team: blue}
    proxy: http://me:plain-secret@proxy:3128
    fallback: [{upstream: other}]
  other: {url: https://other.example.com, headers: {cookie: a=plain-secret}}
routes:
  - {name: ask, path: /ask, upstream: api, preset: json-query, scope: client}
"""
    )
    loaded = read(path, {})
    assert loaded.settings is not None, loaded.problems
    text = explain(loaded, "ask")
    assert "plain-secret" not in text
    assert "X-Team: blue" in text
    assert "other.example.com" in text


def test_every_bound_is_listed_with_its_default() -> None:
    text = explain(read(CASES / "fine-small.yaml", {}), "ask")
    for line in (
        "max_request_body: 100MiB",
        "max_connections: 1024",
        "promote_at: 3000",
        "max_bytes: 256MiB",
        "queue: 256",
        "first_byte: 1m",
        "attempts: 1",
        "max_entries: 1000000",
        "ttl: 24h",
        "candidate: 0.6",
        "top_k: 5",
        "trusted_proxies: []",
        "forwarded: both",
        "remove_headers: []",
        "failures: 25",
        "body_timeout: 1m",
        "longest: 15s",
        "followers: 1000",
        "release: 500",
        "uncacheable: 10s",
        "lock: none",
        "on_disconnect: finish",
        "stale_if_error: null",
        "stale_while_revalidate: null",
        "hit: auto",
        "pace: instant",
        "fresh_ids: false",
    ):
        assert line in text
    assert "# Preset json-query, version 1." in text


def test_how_a_route_serves_is_shown_as_it_is_written() -> None:
    settings = explained("fine-streams", "chat")
    (route,), upstreams = settings["routes"], settings["upstreams"]
    assert (route["stale_if_error"], route["stale_while_revalidate"]) == ("1h", "30s")
    assert route["coalesce"] == {"followers": 50, "release": 10, "uncacheable": "1m", "lock": "redis"}
    assert route["on_disconnect"] == "abort"
    assert (route["response"]["pace"], route["response"]["fresh_ids"]) == ("recorded", True)
    assert route["dialect"] == "openai-chat"
    assert upstreams["openai"]["breaker"] == {"failures": 5, "pause": "500ms", "longest": "1m"}
    assert upstreams["openai"]["retry"]["max_wait"] == "5s"
    assert upstreams["openai"]["fallback"][0]["path"].startswith("/openai/deployments/{model}/")
    assert settings["server"]["trusted_proxies"] == ["10.0.0.7", "fd00::/8", "127.0.0.1"]


def test_what_has_no_effect_is_left_out() -> None:
    settings = explained("fine-streams", "chat")
    (route,), upstreams = settings["routes"], settings["upstreams"]
    assert "terminal" not in route["keep"], "the dialect knows"
    assert upstreams["openai"]["remove_headers"] == ["Cookie", "X-Internal"], "it sets its own Authorization"
    assert upstreams["azure"]["breaker"] == {"failures": 0}
    assert upstreams["azure"]["retry"] == {"attempts": 1}
    settings = explained("fine-streams", "two-partitions")
    (route,), upstreams = settings["routes"], settings["upstreams"]
    assert route["coalesce"] == {"followers": 0}
    assert "stale-if-error" not in route["allow"]["cache-control"]
    assert set(upstreams["local"]["retry"]) == {"attempts", "on"}, "a fallback is asked at once"


def test_of_clients_and_prices_only_what_concerns_the_route_is_shown() -> None:
    settings = explained("fine-live-operation", "openai-chat")
    assert [(client["name"], client["routes"]) for client in settings["clients"]] == [
        ("web", ["openai-*"]),
        ("operator", []),
    ]
    assert settings["clients"][0]["limits"]["dollars_per_month"] == 50
    assert list(settings["prices"]) == ["gpt-4o-mini", "gpt-4o*", "*"], "the first that matches counts"
    assert settings["server"]["tracing"]["headers"] == {"X-Api-Key": MASK}
    settings = explained("fine-live-operation", "hello")
    assert [client["name"] for client in settings["clients"]] == ["web", "batch", "operator"]
    assert settings["clients"][0]["limits"] == {"requests_per_minute": 600}, "its answers do not say what they used"
    assert "prices" not in settings


def test_a_route_that_no_client_may_use_is_said_to_be_one() -> None:
    text = explain(read(CASES / "client-route-of-nobody.yaml", {}), "left-over")
    assert "# None of the clients may use it.\n" in text
    assert "clients:" not in text


def test_what_is_included_is_shown_as_one_file() -> None:
    settings = explained("include-whole", "ask")
    assert set(settings["upstreams"]) == {"api"}
    assert settings["upstreams"]["api"]["headers"] == {"X-Key": MASK}
    assert "include" not in settings


def test_a_dialect_that_is_turned_off_stays_off() -> None:
    (route,) = explained("fine-streams", "two-partitions")["routes"]
    assert route["dialect"] is None
    assert "terminal" in route["keep"]


def explained(case: str, route: str) -> dict[str, Any]:
    shown = yaml.safe_load(explain(read(CASES / f"{case}.yaml", ENV), route))
    assert isinstance(shown, dict)
    return shown


def test_a_broken_file_and_an_unknown_route_are_said_so() -> None:
    with pytest.raises(ConfigError, match="there is no route `nope`; the file has `ask`"):
        explain(read(CASES / "fine-small.yaml", {}), "nope")
    with pytest.raises(ConfigError, match="has errors"):
        explain(read(CASES / "missing-version.yaml", {}), "ask")


def test_the_usual_similarity_of_denied_questions_is_told() -> None:
    loaded = read(CASES / "fine-deny.yaml", {})
    explained: Any = yaml.safe_load(explain(loaded, "ask"))
    assert [each["at_least"] for each in explained["deny"]] == [0.9, 1.0]
    assert [each["at_least"] for each in explained["routes"][0]["deny"]] == [0.85, 0.9]
    words: Any = yaml.safe_load(explain(loaded, "words"))
    assert [list(each) for each in words["routes"][0]["deny"]] == [["text", "then"]]
