"""`from gateway import ...`: what is there, that it is described and typed, and that naming it loads nothing else."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import gateway

# What no program pays for that does not use it.
HEAVY = (
    "litestar",
    "granian",
    "onnxruntime",
    "asyncpg",
    "aiohttp",
    "numpy",
    "redis",
    "httpx",
    "msgspec",
    "click",
    "rich",
)
CLASSES = sorted(set(gateway.__all__) - {"Config", "Route"})


def test_there_are_few_names_and_each_is_there() -> None:
    assert len(gateway.__all__) < 12
    assert sorted(gateway.__all__) == list(gateway.__all__)
    for name in gateway.__all__:
        assert getattr(gateway, name) is not None
        assert name in dir(gateway)


def test_another_name_is_an_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Cache'"):
        gateway.Cache  # noqa: B018


def test_importing_it_loads_nothing_else() -> None:
    script = "import sys, gateway; print([name for name in sys.modules if name.startswith('gateway')], *sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert found.startswith("['gateway'] ")
    assert not set(HEAVY) & {name.partition(".")[0] for name in found.split()}


def test_the_types_of_settings_load_nothing_heavy() -> None:
    script = "import sys; from gateway import Config, Route, SemgateError; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert not {"litestar", "granian", "onnxruntime", "asyncpg", "aiohttp", "numpy", "redis"} & set(found.split())


@pytest.mark.parametrize("name", gateway.__all__)
def test_each_name_is_described(name: str) -> None:
    assert len(inspect.getdoc(getattr(gateway, name)) or "") > 20


@pytest.mark.parametrize("name", CLASSES)
def test_each_public_method_is_described_and_typed(name: str) -> None:
    for method, function in inspect.getmembers(getattr(gateway, name), inspect.isfunction):
        if method.startswith("_") or not function.__module__.startswith("gateway"):
            continue
        assert inspect.getdoc(function), f"{name}.{method}"
        signature = inspect.signature(function)
        untyped = [
            each.name for each in signature.parameters.values() if each.annotation is each.empty and each.name != "self"
        ]
        assert not untyped, f"{name}.{method}: {untyped}"
        assert signature.return_annotation is not signature.empty, f"{name}.{method}"


def test_type_checkers_see_the_same_names() -> None:
    """What is imported lazily is imported for them as well: under TYPE_CHECKING."""
    tree = ast.parse(Path(str(gateway.__file__)).read_text())
    named = {
        each.name: node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for each in node.names
    }
    assert {name: place for name, place in named.items() if name in gateway.__all__} == gateway._PLACES
