"""Each preset on bodies as its API sends and gets them: what text and model are read, what must be equal, what is kept.

The bodies follow the documentation that the preset names; the rules run in the core's own code.
"""

import json
from pathlib import Path

import pytest
from api_example import Example, Json, turns
from preset_examples import EXAMPLES

from gateway.config.load import read
from gateway.config.model import Thresholds, Verify
from gateway.config.model_routes import AT_LEAST_PAIRWISE, CANDIDATE
from gateway.config.preset import FilledRoute, fill, presets
from gateway.core.body import Document
from gateway.core.keys import Keyer
from gateway.core.messages import Form, Reason, Request, Subject
from gateway.core.policy import examine_body, reject_head
from gateway.core.subject import read_subject
from gateway.runtime.rules import policy_of, rule_of

NAMES = sorted(presets())


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FilledRoute]:
    """Every preset used by a route as a file would."""
    path = tmp_path_factory.mktemp("presets") / "routes.yaml"
    lines = ["version: 1", "upstreams: {api: {url: https://api.example.com}}", "routes:"]
    for name, preset in presets().items():
        lines.append(f"  - {{name: {name}, path: '{preset.path}', upstream: api, preset: {name}, scope: client}}")
    path.write_text("\n".join(lines))
    loaded = read(path, {})
    assert loaded.settings is not None, loaded.problems
    assert loaded.problems == ()
    return {route.name: fill(route, loaded.settings.defaults) for route in loaded.settings.routes}


def subject(
    route: FilledRoute, body: Json, example: Example, headers: list[tuple[bytes, bytes]] | None = None
) -> Subject | Reason:
    request = Request(
        method="POST",
        path=b"/x",
        query_string=b"",
        headers=headers or [],
        body=json.dumps(body).encode(),
        path_params=example.path_params,
        upstream_path=b"/x",
        client=b"web",
        asked_at=0.0,
    )
    return read_subject(rule_of(route), Keyer(b"k" * 32), request, Document(request.body))


def subjects(route: FilledRoute, example: Example, changes: list[Json]) -> list[Subject | Reason]:
    return [subject(route, {**example.request, **change}, example) for change in changes]


def test_every_preset_has_an_example() -> None:
    assert sorted(EXAMPLES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_text_and_model_are_read(name: str, routes: dict[str, FilledRoute]) -> None:
    example = EXAMPLES[name]
    found = subject(routes[name], example.request, example)
    assert isinstance(found, Subject)
    assert (found.text, found.model) == (example.text, example.model)
    assert found.exact_only == (routes[name].match == "exact")


@pytest.mark.parametrize("name", NAMES)
def test_who_asks_does_not_matter_and_all_else_does(name: str, routes: dict[str, FilledRoute]) -> None:
    example = EXAMPLES[name]
    route, asked = routes[name], subject(routes[name], example.request, example)
    assert all(found == asked for found in subjects(route, example, example.equal))
    partitions = [
        found.partition for found in subjects(route, example, [{}, *example.apart]) if isinstance(found, Subject)
    ]
    assert len(set(partitions)) == len(partitions) == len(example.apart) + 1
    for header in example.headers_apart:
        other = subject(route, example.request, example, [(header.lower().encode(), b"another")])
        assert isinstance(other, Subject) and isinstance(asked, Subject)
        assert other.partition != asked.partition


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_plain_question_of_the_user_is_exact_only(name: str, routes: dict[str, FilledRoute]) -> None:
    for found in subjects(routes[name], EXAMPLES[name], EXAMPLES[name].exact_only):
        assert isinstance(found, Subject)
        assert found.exact_only


@pytest.mark.parametrize("name", NAMES)
def test_what_acts_or_hangs_on_state_elsewhere_is_not_cached(name: str, routes: dict[str, FilledRoute]) -> None:
    example = EXAMPLES[name]
    found = subjects(routes[name], example, example.bypassed)
    assert found == [Reason.BYPASS_RULE] * len(example.bypassed)


@pytest.mark.parametrize("name", NAMES)
def test_only_whole_answers_are_kept(name: str, routes: dict[str, FilledRoute]) -> None:
    example, rule = EXAMPLES[name], policy_of(routes[name]).keep
    for change in ({}, *example.kept):
        body = json.dumps({**example.answer, **change}).encode()
        assert not isinstance(examine_body(rule, Form.SINGLE, body), Reason), change
    for change in example.rejected:
        body = json.dumps({**example.answer, **change}).encode()
        assert examine_body(rule, Form.SINGLE, body) is Reason.REJECTED, change


@pytest.mark.parametrize("name", ["openai-chat", "openai-responses", "anthropic-messages", "cohere-chat"])
def test_a_cdns_cookie_does_not_make_an_answer_private(name: str, routes: dict[str, FilledRoute]) -> None:
    rule = policy_of(routes[name]).keep
    assert reject_head(rule, None, 200, ((b"set-cookie", b"__cf_bm=x; path=/; HttpOnly; Secure"),)) is None
    assert reject_head(rule, None, 200, ((b"set-cookie", b"session=x; path=/"),)) is Reason.SET_COOKIE


@pytest.mark.parametrize("name", ["ollama-chat", "ollama-generate"])
def test_ollama_streams_unless_told_otherwise(name: str, routes: dict[str, FilledRoute]) -> None:
    assert routes[name].stream_default
    assert routes[name].stream == ("$.stream",)


@pytest.mark.parametrize("body", [{"query": "a"}, {"prompt": "a"}, {"input": "a"}, {"messages": turns("x", "y", "a")}])
def test_json_query_takes_the_usual_fields(body: Json, routes: dict[str, FilledRoute]) -> None:
    found = subject(routes["json-query"], body, EXAMPLES["json-query"])
    assert isinstance(found, Subject)
    assert found.text == "a"


MERGED = """
version: 1
upstreams: {api: {url: https://api.example.com}}
defaults: {ttl: 2h, embedder: other}
embedders: {other: {type: onnx}, third: {type: onnx}}
routes:
  - name: plain
    path: /a
    upstream: api
    preset: openai-chat
    scope: client
  - name: written
    path: /b
    upstream: api
    preset: openai-chat
    scope: [$.user, header:X-Team]
    embedder: third
    ttl: 5m
    role: []
    bypass: []
    vary: {headers: [X-Team, openai-beta]}
    keep: {max_body: 1MiB, reject: [$.oops]}
"""


def test_what_a_route_writes_wins_and_preset_headers_stay(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(MERGED)
    settings = read(path, {}).settings
    assert settings is not None
    plain, written = (fill(route, settings.defaults) for route in settings.routes)
    assert (plain.embedder, plain.ttl, plain.preset, plain.preset_version) == ("other", 7200.0, "openai-chat", 1)
    assert (written.embedder, written.ttl) == ("third", 300.0)
    assert (written.query, written.scope) == (("$.messages[-1].content",), ("$.user", "header:X-Team"))
    assert (written.role, written.bypass) == ((), ())
    # Member by member: what is not written stays the preset's.
    assert written.vary.ignore == plain.vary.ignore
    assert written.keep.require == plain.keep.require
    assert (written.keep.max_body, written.keep.reject) == (1 << 20, ("$.oops",))
    # Added, not replaced; a name that is there already in other letters is not doubled.
    assert written.vary.headers == ("X-Team", "openai-beta", "OpenAI-Organization", "OpenAI-Project", "Origin")


def test_a_route_without_a_preset_has_none(tmp_path: Path) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(MERGED.replace("preset: openai-chat", "query: $.q"))
    settings = read(path, {}).settings
    assert settings is not None
    filled = fill(settings.routes[0], settings.defaults)
    assert (filled.preset, filled.preset_version, filled.query, filled.model) == ("", 0, ("$.q",), ())


@pytest.mark.parametrize(
    ("written", "verify", "thresholds"),
    [
        ("", Verify(by="pairwise", at_least=AT_LEAST_PAIRWISE), Thresholds(0.95, CANDIDATE)),
        ("thresholds: {candidate: 0.9}", Verify(by="pairwise", at_least=AT_LEAST_PAIRWISE), Thresholds(0.95, 0.9)),
        ("verify: {with: pairwise, at_least: 0.3}", Verify(by="pairwise", at_least=0.3), Thresholds(0.95, CANDIDATE)),
        # Who says at which similarity to serve, and nothing of a second opinion, wants none.
        ("thresholds: {hit: 0.97}", None, Thresholds(0.97)),
        ("verify: none", None, Thresholds(0.95)),
    ],
)
def test_llm_presets_ask_for_a_second_opinion_unless_told_otherwise(
    tmp_path: Path, written: str, verify: Verify | None, thresholds: Thresholds
) -> None:
    path = tmp_path / "routes.yaml"
    path.write_text(MERGED.replace("    ttl: 5m\n", f"    {written}\n").replace("    role: []\n", ""))
    settings = read(path, {}).settings
    assert settings is not None
    filled = fill(settings.routes[1], settings.defaults)
    assert (filled.verify, filled.thresholds) == (verify, thresholds)
