"""Who may call, which route takes a request, and that no secret, scope or question ever shows."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from running import SEMGATE, Exchange, Gateway, RawUpstream, chat, completion, http_answer, serve

SECRETS = {"UPSTREAM_KEY": "sk-upstream-secret", "WEB_KEY": "web-client-secret", "ADMIN": "admin-token-secret"}
MOBILE_KEY = "mobile-client-secret"

CONFIG = """
server: {{listen: LISTEN, data_dir: {data}, namespace: callers, admin: {{token: "${{ADMIN}}"}}, access_log: true,
  max_request_body: 3MiB}}
clients:
  - {{name: web, key: "${{WEB_KEY}}"}}
  - {{name: mobile, key_sha256: {mobile}}}
upstreams:
  llm: {{url: "{url}", headers: {{Authorization: "Bearer ${{UPSTREAM_KEY}}"}}}}
  bare: {{url: "{url}/base"}}
routes:
  - {{name: gpt, path: /v1/chat/completions, models: ["gpt-*"], upstream: llm, preset: openai-chat, scope: client}}
  - {{name: claude, path: /v1/chat/completions, models: ["claude-*"], upstream: bare, preset: openai-chat, scope: client}}
  - {{name: gemini, path: "/v1beta/models/{{model}}:generateContent", upstream: bare, preset: gemini-generate, scope: client}}
  - {{name: renamed, path: "/ask/{{kind}}", upstream: bare, upstream_path: "/{{kind}}/answer", preset: json-query, scope: public}}
  - {{name: stripped, path: "/tenant/*", strip_prefix: /tenant, upstream: bare, preset: json-query, scope: public}}
  - {{name: limited, path: /limited, upstream: bare, preset: json-query, scope: public, max_body: 1KiB}}
"""

WEB = {"Authorization": f"Bearer {SECRETS['WEB_KEY']}"}
MOBILE = {"x-api-key": MOBILE_KEY}


@pytest.fixture(scope="module")
def gateway(upstream: RawUpstream, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(http_answer(completion(f"answer {exchange.nth}")))

    upstream.behaviour = answer
    mobile = hashlib.sha256(MOBILE_KEY.encode()).hexdigest()
    config = CONFIG.format(data=data_dir, url=upstream.url, mobile=mobile)
    with serve(tmp_path_factory.mktemp("callers"), config, env=SECRETS) as running:
        yield running


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"x-api-key": ""}, {"Authorization": "Basic d2ViOng="}]
)
def test_a_stranger_is_turned_away(gateway: Gateway, upstream: RawUpstream, headers: dict[str, str]):
    asked = len(upstream.seen)
    answer = gateway.ask("/v1/chat/completions", chat("hello?"), headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert "www-authenticate" in answer.headers
    assert answer.json()["status"] == 401
    assert len(upstream.seen) == asked


def test_clients_share_nothing_with_each_other(gateway: Gateway):
    question = chat("who am I?")
    answers = [gateway.ask("/v1/chat/completions", question, who) for who in (WEB, MOBILE, WEB, MOBILE)]
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS", "HIT", "HIT"]
    assert answers[0].content != answers[1].content


def test_the_gateways_own_key_never_reaches_an_upstream(gateway: Gateway, upstream: RawUpstream):
    gateway.ask("/v1/chat/completions", chat("what do you see of me?"), WEB)
    assert upstream.seen[-1].values(b"authorization") == [b"Bearer sk-upstream-secret"]
    gateway.ask("/ask/any", {"query": "and without a key of your own?"}, WEB)
    assert upstream.seen[-1].values(b"authorization") == []
    gateway.ask("/ask/any", {"query": "and by the other header?"}, MOBILE)
    assert upstream.seen[-1].values(b"x-api-key") == []


def test_wishes_to_the_cache_are_not_forwarded(gateway: Gateway, upstream: RawUpstream):
    gateway.ask("/ask/any", {"query": "wishes?"}, {**WEB, "X-Cache-Threshold": "0.99", "X-Cache-TTL": "1s"})
    names = {name.lower() for name, _ in upstream.seen[-1].headers}
    assert not {b"x-cache-threshold", b"x-cache-ttl"} & names


def test_the_model_chooses_among_the_routes_of_a_path(gateway: Gateway, upstream: RawUpstream):
    for model, line in (
        ("gpt-4o", b"POST /v1/chat/completions HTTP/1.1"),
        ("claude-x", b"POST /base/v1/chat/completions HTTP/1.1"),
    ):
        gateway.ask("/v1/chat/completions", {**chat("which upstream?"), "model": model}, WEB)
        assert upstream.seen[-1].request_line == line


@pytest.mark.parametrize("model", ["llama", None])
def test_a_model_of_no_route_is_a_404_that_names_it(gateway: Gateway, model: str | None):
    answer = gateway.ask("/v1/chat/completions", {**chat("x"), "model": model}, WEB)
    assert answer.status_code == 404
    assert "llama" in answer.json()["detail"] or "without a model" in answer.json()["detail"]


def test_an_unknown_path_and_method_are_not_the_upstreams_business(gateway: Gateway, upstream: RawUpstream):
    asked = len(upstream.seen)
    assert gateway.http.get("/nowhere", headers=WEB).status_code == 404
    wrong = gateway.http.get("/v1/chat/completions", headers=WEB)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert len(upstream.seen) == asked


def test_a_path_variable_is_the_model(gateway: Gateway, upstream: RawUpstream):
    body = {"contents": [{"role": "user", "parts": [{"text": "which model?"}]}]}

    async def answer(exchange: Exchange) -> None:
        candidate = {"content": {"role": "model", "parts": [{"text": "this"}]}, "finishReason": "STOP"}
        await exchange.send(http_answer({"candidates": [candidate]}))

    before, upstream.behaviour = upstream.behaviour, answer
    try:
        paths = [f"/v1beta/models/{model}:generateContent" for model in ("gemini-a", "gemini-b", "gemini-a")]
        answers = [gateway.ask(path, body, WEB) for path in paths]
    finally:
        upstream.behaviour = before
    assert [answer.headers["x-cache"] for answer in answers] == ["MISS", "MISS", "HIT"]


def test_paths_are_rewritten_in_raw_bytes(gateway: Gateway, upstream: RawUpstream):
    gateway.ask("/ask/a%2Fb?x=%20", {"query": "rewritten?"}, WEB)
    assert upstream.seen[-1].request_line == b"POST /base/a%2Fb/answer?x=%20 HTTP/1.1"
    gateway.ask("/tenant/some//path", {"query": "stripped?"}, WEB)
    assert upstream.seen[-1].request_line == b"POST /base/some//path HTTP/1.1"


def test_a_body_over_the_routes_bound_is_forwarded_whole(gateway: Gateway, upstream: RawUpstream):
    body = b'{"query": "' + b"x" * 2_000_000 + b'"}'
    answer = gateway.http.post("/limited", content=body, headers=WEB)
    assert answer.headers["cache-status"] == "semgate; fwd=bypass; detail=body-too-large"
    assert upstream.seen[-1].body == body


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_servers_bound_is_refused(gateway: Gateway, chunked: bool):
    body = b"x" * (4 << 20)
    content = iter([body[: 1 << 20]] * 4) if chunked else body
    answer = gateway.http.post("/limited", content=content, headers=WEB)
    assert answer.status_code == 413
    assert "server.max_request_body" in answer.json()["detail"]


def test_no_secret_scope_or_question_shows_anywhere(gateway: Gateway):
    question = "does anybody hear my very private words?"
    gateway.ask("/v1/chat/completions", chat(question), WEB)
    gateway.ask("/v1/chat/completions", chat(question), WEB)
    config = gateway.http.get("/-/config", headers={"Authorization": f"Bearer {SECRETS['ADMIN']}"}).text
    routes = next(gateway.log.parent.glob("routes-*.yaml"))
    command = [SEMGATE, "explain", "gpt", "--config", routes]
    explained = subprocess.run(command, env=SECRETS, capture_output=True, text=True, check=True, timeout=60)
    shown = "\n".join([gateway.logged(), gateway.metrics(), config, explained.stdout, explained.stderr])
    assert '"event":"request"' in gateway.logged()
    for secret in (*SECRETS.values(), MOBILE_KEY, question, "private"):
        assert secret not in shown


def test_a_gateway_that_adds_credentials_is_no_open_relay(data_dir: Path, tmp_path: Path):
    file = tmp_path / "routes.yaml"
    file.write_text(
        f"""
version: 1
server: {{listen: "0.0.0.0:1", data_dir: {data_dir}}}
upstreams: {{llm: {{url: "https://llm.example", headers: {{Authorization: Bearer sk-upstream-secret}}}}}}
routes: [{{name: a, path: /a, upstream: llm, preset: json-query, scope: client}}]
"""
    )
    done = subprocess.run([SEMGATE, "serve", file], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "clients" in done.stderr
    assert "sk-upstream-secret" not in done.stderr + done.stdout


def test_the_sdk_sees_the_gateways_401_as_its_own_error(gateway: Gateway):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="wrong", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello?"}])


def test_what_connection_names_is_no_part_of_the_key(upstream: RawUpstream, data_dir: Path, tmp_path: Path):
    config = f"""
server: {{listen: LISTEN, data_dir: {data_dir}, namespace: connection}}
upstreams: {{llm: {{url: "{upstream.url}"}}}}
routes:
  - {{name: ask, path: /ask, upstream: llm, preset: json-query, scope: public, vary: {{headers: [Accept-Language]}}}}
"""

    async def in_the_language(exchange: Exchange) -> None:
        language = (exchange.values(b"accept-language") or [b"none"])[0].decode()
        await exchange.send(http_answer({"language": language}))

    upstream.behaviour = in_the_language
    with serve(tmp_path, config) as gateway:
        german = {"accept-language": "de"}
        poisoning = gateway.ask("/ask", {"query": "hello?"}, {**german, "connection": "accept-language"})
        assert poisoning.json() == {"language": "none"}
        assert gateway.ask("/ask", {"query": "hello?"}, german).json() == {"language": "de"}
        assert gateway.ask("/ask", {"query": "hello?"}).headers["x-cache"] == "HIT", "as it was asked without"
