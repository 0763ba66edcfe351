"""The committed schema and reference are what the structs give, and the schema serves editors."""

import importlib.util
from pathlib import Path
from types import ModuleType

import jsonschema
import msgspec
import pytest
import yaml

from gateway.config.model import File, Preset, Settings
from gateway.config.preset import FOLDER
from gateway.config.schema import routes_schema, schema_text

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_schema_is_current() -> None:
    assert (ROOT / "schemas" / "routes.schema.json").read_text("utf-8") == schema_text(), "run scripts/build_schema.py"


def test_the_committed_reference_is_current() -> None:
    reference = script("build_reference").reference()
    assert (ROOT / "docs" / "configuration.md").read_text("utf-8") == reference, "run scripts/build_reference.py"


def test_every_anchor_of_the_reference_has_its_heading() -> None:
    reference = script("build_reference")
    text = reference.reference()
    headings = {reference._anchor(line.lstrip("#").strip()) for line in text.splitlines() if line.startswith("#")}
    links = {part.partition(")")[0] for part in text.split("](#")[1:]}
    assert links <= headings


def test_the_schema_is_valid_and_takes_the_shipped_file() -> None:
    schema = routes_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(SHIPPED), schema, cls=jsonschema.Draft202012Validator)


SHIPPED = """
version: 1
server: {workers: "${N}"}
upstreams: {api: {url: https://api.example.com, timeout: {connect: "${T:-5s}"}}}
routes: [{name: ask, path: /ask, upstream: api, preset: json-query, scope: client, thresholds: {hit: "${HIT}"}}]
"""


def structs(kind: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    return [each for sub in kind.__subclasses__() for each in (sub, *structs(sub))]


def test_every_setting_has_a_description_and_defaults_are_written_with_units() -> None:
    definitions = {**routes_schema()["$defs"], "File": routes_schema()}  # type: ignore[dict-item]
    for name, definition in definitions.items():
        for key, member in definition.get("properties", {}).items():
            assert member.get("description") or key == "type", f"{name}.{key}"
    assert definitions["Memory"]["properties"]["max_bytes"]["default"] == "256MiB"
    assert definitions["Defaults"]["properties"]["ttl"]["default"] == "24h"


def test_every_struct_of_a_routes_file_is_in_the_schema() -> None:
    known = routes_schema()["$defs"]
    assert isinstance(known, dict)
    own = {each.__name__ for each in structs(Settings) if each.__module__.startswith("gateway.config.model")}
    bases = {"EmbedderSettings", "VerifierSettings", "RouteSettings", Preset.__name__, File.__name__}
    assert own - bases <= set(known)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_preset_file_is_named_as_it_says_and_fits_the_schema_of_a_route(path: Path) -> None:
    preset = yaml.safe_load(path.read_text("utf-8"))
    assert preset["name"] == path.stem
    schema = routes_schema()
    route = {"name": "x", "path": preset["path"], "upstream": "x", "scope": "client", **preset["route"]}
    jsonschema.validate(route, {"$ref": "#/$defs/Route", "$defs": schema["$defs"]}, cls=jsonschema.Draft202012Validator)
