"""The digest key and what is derived from it."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.stores.digest import derive, load_or_create_digest_key


def test_a_derived_key_never_changes() -> None:
    """Another value would make every stored entry unreadable."""
    derived = derive("correct horse battery staple", b"seal")
    assert derived.hex() == "dbd1c287064db203f5eb479cfbc3ae0e60bce7b6d6c241ebcfcb1a5bd3849e94"
    assert derive(b"correct horse battery staple", b"seal") == derived


def test_purposes_and_secrets_give_different_keys() -> None:
    keys = {derive(secret, purpose) for secret in ("a" * 16, "b" * 16) for purpose in (b"seal", b"scope", b"exact")}
    assert len(keys) == 6
    assert {len(key) for key in keys} == {32}


def test_the_generated_key_is_kept_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    key = load_or_create_digest_key(tmp_path / "new" / "folder")
    assert len(key) >= 32
    assert load_or_create_digest_key(tmp_path / "new" / "folder") == key
    files = list((tmp_path / "new" / "folder").iterdir())
    assert [file.name for file in files] == ["digest.key"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert load_or_create_digest_key(tmp_path / "other") != key


def test_workers_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(32) as pool:
        keys = set(pool.map(load_or_create_digest_key, [tmp_path] * 200))
    assert len(keys) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["digest.key"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"server\.data_dir"):
        load_or_create_digest_key(tmp_path / "file" / "below")


def test_a_key_that_was_cut_is_refused(tmp_path: Path) -> None:
    (tmp_path / "digest.key").write_text("short\n")
    with pytest.raises(ConfigError, match="shorter than 16"):
        load_or_create_digest_key(tmp_path)
