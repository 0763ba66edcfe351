"""Settings of a program: Python objects, judged as a file is, and files that a gateway has as well."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.config import model
from gateway.config.load import read
from gateway.config.model_values import Settings
from gateway.config.objects import SERVER, prepare
from gateway.config.plain import plain
from gateway.doors import settings as typed
from gateway.doors.defaults import APP
from gateway.errors import ConfigError
from gateway.fronts.conversation import ask_caller
from gateway.runtime.inside import Inside

ROUTE = {"name": "ask", "path": "/ask", "query": "$.q", "scope": "public"}
KV = {"name": "kv", "path": "/kv/{id}/*", "kind": "cache", "scope": "public"}


def ready(config: Any, **more: Any) -> Any:
    return prepare(config, default=APP, namespace="mine", env={}, **more)


def refused(config: Any) -> str:
    with pytest.raises(ConfigError) as error:
        ready(config)
    return str(error.value)


def test_objects_say_what_a_file_says(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(
        """\
version: 1
server: {namespace: mine}
stores: {memory: {max_bytes: 1MiB}, postgres: {pool: 3}}
embedders: {mine: {type: openai, base_url: "http://127.0.0.1:1/v1", model: m, dimensions: 4}}
routes:
  - {name: ask, path: "/ask/{id}", query: [$.q, "query:q"], scope: [path:id, header:X-Team], ttl: 90s, thresholds: {hit: 0.9},
     audit: 1%, keep: {status: [200, 2xx]}, allow: {cache-control: [no-cache]}, embedder: mine, response: {fresh_ids: false}}
"""
    )
    objects = {
        "stores": {"memory": {"max_bytes": "1MiB"}, "postgres": {"pool": 3}},
        "embedders": {"mine": {"type": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m", "dimensions": 4}},
        "routes": [
            {
                "name": "ask",
                "path": "/ask/{id}",
                "query": ["$.q", "query:q"],
                "scope": ("path:id", "header:X-Team"),
                "ttl": "90s",
                "thresholds": {"hit": 0.9},
                "audit": 0.01,
                "keep": {"status": [200, "2xx"]},
                "allow": {"cache-control": ["no-cache"]},
                "embedder": "mine",
                "response": {"fresh_ids": False},
            }
        ],
    }
    assert plain(ready(objects).settings) == plain(ready(file).settings)
    assert ready(objects).digest == ready(str(file)).digest


def test_a_gateways_file_can_be_shared(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("routes: [{name: b, path: /b, upstream: api, query: $.q, scope: client}]\n")
    file = tmp_path / "routes.yaml"
    file.write_text(
        """\
version: 1
include: [more.yaml]
server: {listen: "0.0.0.0:80", workers: 4, data_dir: /var/lib/x, admin: {token: "${NOT_SET}"}}
clients: [{name: web, key: "${NOT_SET_EITHER}"}]
upstreams: {api: {url: "https://api.example.com", headers: {Authorization: "Bearer ${NEVER_SET}"}}}
routes: [{name: a, path: /a, upstream: api, strip_prefix: /a, query: $.q, scope: client}]
"""
    )
    assert read(file, {}).settings is None  # a gateway would want its variables
    prepared = ready(file)
    assert [route.name for route in prepared.settings.routes] == ["a", "b"]
    assert prepared.settings.server == model.Server(namespace="mine", data_dir="/var/lib/x")
    assert prepared.settings.clients == ()
    assert prepared.warnings == ()


OTHER_KINDS = """\
version: 1
upstreams: {api: {url: "https://api.example.com"}}
routes:
  - {name: kv, path: "/kv/{id}/*", kind: cache, scope: public}
  - {name: small, path: /small, kind: query, upstream: api, scope: public, ask: {model: m}}
"""


def test_a_files_routes_of_other_kinds_are_passed_over(tmp_path: Path, data_dir: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(
        f"{OTHER_KINDS}  - {{name: ask, path: /ask, upstream: api, query: $.q, scope: public}}\n"
        f"server: {{data_dir: '{data_dir}'}}\n"
    )
    assert read(file, {}).settings is not None

    async def taken() -> list[bool]:
        inside = Inside(ready(str(file)), ask_caller, place=b"app")
        await inside.open()
        try:
            paths = ("/kv/mine/entries/search", "/small", "/ask")
            return [inside.takes({"method": "POST", "path": path, "headers": []}) for path in paths]
        finally:
            await inside.close()

    assert asyncio.run(taken()) == [False, False, True]


def test_a_file_with_nothing_for_this_door_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(OTHER_KINDS)
    assert refused(str(file)) == f"{file}: $.routes: no route is of `kind: proxy`, so nothing would be cached"


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"server": {"listen": "127.0.0.1:1"}}, "$.server.listen: `listen` has no effect inside a program"),
        ({"clients": []}, "$.clients: `clients` has no effect inside a program"),
        ({"include": ["a.yaml"]}, "$.include: `include` has no effect inside a program"),
        ({"upstreams": {}}, "$.upstreams: `upstreams` has no effect inside a program"),
        ({"routes": [{**ROUTE, "upstream": "a"}]}, "$.routes[0].upstream: `upstream` has no effect inside a program"),
        ({"routes": [{**ROUTE, "kind": "query"}]}, "$.routes[0].kind: `kind: query` has no effect here: it is how"),
        ({"routes": [KV]}, "$.routes[0].kind: `kind: cache` has no effect here: a program uses such a route by hand"),
        ({"routes": [{**ROUTE, "scop": "client"}]}, "$.routes[0].scop: unknown key `scop` (did you mean `scope`?)"),
        ({"routes": [{**ROUTE, "ttl": 60}]}, "$.routes[0].ttl: `ttl` must be a duration like"),
        ({"routes": [{**ROUTE, "top_k": "5"}]}, "$.routes[0].top_k: `top_k` must be a whole number"),
        ({"routes": [{**ROUTE, "keep_if": True}]}, "$.routes[0].keep_if: `keep_if` must be a callable"),
        ({"routes": [{**ROUTE, "ttl": len}]}, "$.routes[0].ttl: settings are plain objects"),
        ({"routes": [{**ROUTE, "query": ["$.q", len]}]}, "not a callable (callables stand for a route's query, model"),
        ({"routes": [{**ROUTE, "scope": "given:scope"}]}, "`given:` cannot be written"),
        ({"routes": [{**ROUTE, "name": {1, 2}}]}, "not set"),
        ({"routes": [{**ROUTE, 5: "x"}]}, "$.routes[0]: a key must be text, not int"),
        ({"routes": [ROUTE, ROUTE]}, "`ask` is the name of two routes (first on `$.routes[0].name`)"),
        ({"routes": []}, "`routes` is empty"),
        ({"server": {"namespace": "no name"}}, "$.server.namespace: `namespace` must be a name"),
        ({"stores": {"redis": {"url": "${NOT_SET}"}}}, "the environment variable NOT_SET is not set"),
        (7, "settings must be a mapping or the path of a file, not int"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(part: Any, problem: str) -> None:
    config = {"routes": [ROUTE], **part} if isinstance(part, dict) and part else part
    assert problem in refused(config)


def test_all_problems_are_told_at_once() -> None:
    said = refused({"routes": [{**ROUTE, "ttl": 60, "scope": "nobody"}], "server": {"listen": "x"}})
    assert said.count("\n") == 2


def test_a_file_that_is_not_there_is_named() -> None:
    assert refused("no/such/file.yaml").startswith("no/such/file.yaml: $: the file cannot be read")


@pytest.mark.parametrize("scope", ["state:user.id", "[state:user.id, header:X-Team]"])
def test_a_gateway_has_no_state(tmp_path: Path, scope: str) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(
        "version: 1\nupstreams: {a: {url: 'http://127.0.0.1:1'}}\n"
        f"routes: [{{name: a, path: /a, upstream: a, query: $.q, scope: {scope}}}]\n"
    )
    loaded = read(file, {})
    assert loaded.settings is None
    assert "a gateway has none: name a header, or `client`" in loaded.problems[0].text
    assert ready(file).settings.routes[0].upstream == "inside-the-program"


def test_a_gateway_has_no_callables(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(
        "version: 1\nupstreams: {a: {url: 'http://127.0.0.1:1'}}\n"
        "routes: [{name: a, path: /a, upstream: a, query: given:query, scope: public, keep_if: x}]\n"
    )
    said = [problem.text for problem in read(file, {}).problems]
    assert any("`given:` cannot be written" in text for text in said)
    assert any("unknown key `keep_if`" in text for text in said)


def test_callables_are_found_by_their_routes() -> None:
    def scope(request: Any) -> str:
        return "x"

    prepared = ready({"routes": [{**ROUTE, "name": "first"}, {**ROUTE, "path": "/b", "scope": scope, "keep_if": len}]})
    assert prepared.callables == {"ask": {"scope": scope, "keep_if": len}}
    again = ready({"routes": [{**ROUTE, "name": "first"}, {**ROUTE, "path": "/b", "scope": scope, "keep_if": len}]})
    other = ready({"routes": [{**ROUTE, "name": "first"}, {**ROUTE, "path": "/b", "scope": scope, "keep_if": max}]})
    assert prepared.key == again.key != other.key
    assert hash(prepared.key) == hash(again.key)


def test_a_route_without_a_name_is_named_after_its_path() -> None:
    def nameless(path: str) -> dict[str, str]:
        return {"path": path, "query": "$.q", "scope": "public"}

    routes = [
        nameless("/v1/{who}/ask"),
        {**ROUTE, "name": "all-2"},
        nameless("/*"),
        nameless("/*"),
        nameless("/{x}/" + "y" * 99),
    ]
    routes[3] |= {"model": "$.model", "models": ["gpt-*"]}
    prepared = ready({"routes": [routes[0], routes[1], routes[3], routes[2], routes[4]]})
    assert [each.name for each in prepared.settings.routes] == ["v1-who-ask", "all-2", "all", "all-3", "x-" + "y" * 48]


def test_the_namespace_is_the_doors_where_none_is_written() -> None:
    assert ready({"routes": [ROUTE]}).settings.server.namespace == "mine"
    assert ready({"routes": [ROUTE], "server": {"namespace": "other"}}).settings.server.namespace == "other"


def test_what_is_left_out_is_the_doors_default() -> None:
    prepared = prepare({"server": {"namespace": "n"}}, default=APP, namespace="mine", env={"SEMGATE_DATA": "/here"})
    assert [route.name for route in prepared.settings.routes] == ["app"]
    assert prepared.settings.server == model.Server(namespace="n", data_dir="/here")
    assert "scope" in prepared.callables["app"]
    assert ready({"routes": [ROUTE]}).settings.routes[0].name == "ask"
    assert ready(None).digest == ready({}).digest


def test_values_from_the_environment_are_filled_in() -> None:
    config = {"routes": [ROUTE], "server": {"data_dir": "${DATA:-/nowhere}"}}
    assert ready(config).settings.server.data_dir == "/nowhere"
    assert prepare(config, default=APP, namespace="n", env={"DATA": "/here"}).settings.server.data_dir == "/here"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just(len)
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["routes", "name", "scope", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["routes", "server", "stores", "upstreams", "x"]), ANYTHING, max_size=3), ANYTHING
)
def test_whatever_the_objects_are_the_answer_is_settings_or_a_configuration_error(
    config: dict[str, Any], value: Any
) -> None:
    for tried in (config, {"routes": [{**ROUTE, "scope": value}]}, {"routes": [ROUTE], "stores": value}):
        try:
            ready(tried)
        except ConfigError:
            continue


# What a program has no use for, by the struct of the model that says it.
NOT_IN_PROGRAMS = {
    "File": {"include", "clients"},
    "Server": set(model.Server.__struct_encode_fields__) - set(SERVER),
    "Route": {"upstream", "upstream_path", "strip_prefix", "ask"},
}
ONLY_IN_PROGRAMS = {"Route": {"keep_if"}}


def test_the_types_say_what_the_model_says() -> None:
    _compare(typed.Config, model.File)


def _compare(said: Any, struct: type[Settings]) -> None:
    name = struct.__name__
    hints = get_type_hints(said)
    expected = set(struct.__struct_encode_fields__) - NOT_IN_PROGRAMS.get(name, set())
    assert set(hints) == expected | ONLY_IN_PROGRAMS.get(name, set()), name
    info = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    for key, hint in hints.items():
        for inner in _typed_dicts(hint):
            (inside,) = [each for each in _structs(info[key]) if each.__name__ == inner.__name__]
            _compare(inner, inside)


def _typed_dicts(hint: Any) -> list[Any]:
    if hasattr(hint, "__total__"):
        return [hint]
    return [found for each in get_args(hint) for found in _typed_dicts(each)]


def _structs(hint: Any) -> list[type[Settings]]:
    if isinstance(hint, type) and get_origin(hint) is None and issubclass(hint, Settings):
        return [hint]
    return [found for each in get_args(hint) for found in _structs(each)]
