"""The setting that evidence is about: another one for whatever changes what is served, the same for all else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.config.load import load
from gateway.config.preset import fill
from gateway.runtime.entries import RouteEntries
from gateway.runtime.proving import setting_of
from gateway.runtime.rules import policy_of

CONFIG = """
version: 1
upstreams: {llm: {url: "http://127.0.0.1:9"}}
verifiers:
  judge: {type: llm, model: small, api_key: one, timeout: 2s}
  pairs: {type: cross-encoder, model: some/pairs, timeout: 50ms}
routes: [{name: a, path: /a, upstream: llm, preset: openai-chat, scope: public, verify: VERIFY}]
"""
JUDGE, PAIRS, HIT = "judge", "pairs", "none, thresholds: {hit: 0.9}"


def setting(folder: Path, verify: str = JUDGE, space: str | None = "space", **changed: str) -> bytes:
    text = CONFIG.replace("VERIFY", verify)
    for old, new in changed.items():
        text = text.replace(old, new)
    file = folder / "routes.yaml"
    file.write_text(text)
    settings = load(file, {}).settings
    assert settings is not None
    route = fill(settings.routes[0], settings.defaults)
    entries = cast("RouteEntries", cast("Any", SimpleNamespace(space=space)))
    return setting_of(settings, route, policy_of(route), entries)()


@pytest.mark.parametrize("verify", [JUDGE, PAIRS, "pairwise", HIT])
def test_any_verifier_has_one(tmp_path: Path, verify: str) -> None:
    assert len(setting(tmp_path, verify)) == 16
    assert setting(tmp_path, verify) == setting(tmp_path, verify)
    assert setting(tmp_path, verify, space=None) == b""
    assert setting(tmp_path, verify, space="another") != setting(tmp_path, verify)


def test_it_changes_with_what_decides_only(tmp_path: Path) -> None:
    known = setting(tmp_path)
    assert setting(tmp_path, one="two") == known
    assert setting(tmp_path, **{"2s": "3s"}) == known
    assert setting(tmp_path, small="large") != known
    assert setting(tmp_path, "{with: judge, at_least: 0.7}") != known
    assert setting(tmp_path, PAIRS) != known
