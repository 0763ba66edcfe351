"""Watched files: every way in which editors, tools and orchestrators replace a file is a change; a look alone is none."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from gateway.runtime import watch
from gateway.runtime.watch import Watched


@pytest.fixture(autouse=True)
def settles_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SETTLES", 0.001)


def watching(*paths: Path) -> Watched:
    watched = Watched()
    time.sleep(0.05)  # what was written just before counts as written meanwhile
    watched.read(paths, time.time_ns())
    assert not asyncio.run(watched.changed())
    return watched


def test_nothing_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("a")
    watched = watching(file)
    file.read_text()
    assert not asyncio.run(watched.changed())


def test_a_save_in_place_of_the_same_length(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("a")
    watched = watching(file)
    file.write_text("b")
    assert asyncio.run(watched.changed())


def test_an_atomic_rename_that_keeps_size_and_time(tmp_path: Path) -> None:
    file, other = tmp_path / "routes.yaml", tmp_path / "routes.new"
    file.write_text("a")
    other.write_text("b")
    times = file.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    watched = watching(file)
    other.rename(file)
    assert asyncio.run(watched.changed())


def test_a_symlink_two_folders_up_leads_elsewhere(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "routes.yaml").write_text("a")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "routes.yaml").symlink_to("..data/routes.yaml")
    watched = watching(tmp_path / "routes.yaml")
    (tmp_path / "..tmp").symlink_to("two")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert asyncio.run(watched.changed())


def test_a_file_that_goes_and_one_that_comes(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.write_text("a")
    watched = watching(here, there)
    here.unlink()
    assert asyncio.run(watched.changed())
    watched = watching(here, there)
    there.write_text("b")
    assert asyncio.run(watched.changed())


def test_what_was_written_while_it_was_read_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("a")
    watched = Watched()
    began = time.time_ns()
    file.write_text("b")
    watched.read((file,), began)
    assert asyncio.run(watched.changed())


def test_a_time_to_come_is_no_change(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("a")
    os.utime(file, (time.time() + 3600,) * 2)
    watched = watching(file)
    file.write_text("b")
    assert asyncio.run(watched.changed())


def test_a_writer_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "SETTLES", 0.2)
    file = tmp_path / "routes.yaml"
    file.write_text("0")
    watched = watching(file)

    async def story() -> str:
        async def write() -> None:
            for piece in range(1, 6):
                file.write_text(str(piece))
                await asyncio.sleep(0.05)

        writing = asyncio.create_task(write())
        await asyncio.sleep(0)
        assert await watched.changed()
        await writing
        return file.read_text()

    assert asyncio.run(story()) == "5"
