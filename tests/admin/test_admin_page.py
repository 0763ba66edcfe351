"""docs/admin.md keeps up with the API: every path and every member of an order has its place there."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import GUARDED

from gateway.fronts.admin.operations import LookupQuestion, PurgeOrder
from gateway.runtime.importing import WarmingLine

PAGE = (Path(__file__).parents[2] / "docs" / "admin.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_every_path_is_explained(method: str, path: str):
    assert f"`{method} {path.replace('01a1fd2e', 'ID')}" in PAGE


@pytest.mark.parametrize("shape", [LookupQuestion, PurgeOrder, WarmingLine])
def test_every_member_is_explained(shape: type):
    assert [name for name in shape.__struct_fields__ if f"`{name}`" not in PAGE and f'"{name}"' not in PAGE] == []
