"""The libraries that come with the dashboard are those that are named, with their licences."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gateway.fronts.admin.ui.static import FILES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "gateway" / "fronts" / "admin" / "ui" / "static" / "vendor"
LIBRARIES = json.loads((FOLDER / "vendor.json").read_text())


def test_each_file_is_the_one_that_was_taken_from_its_package() -> None:
    listed = {name: file["sha256"] for library in LIBRARIES for name, file in library["files"].items()}
    there = {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in FOLDER.glob("*/*")
    }
    assert there == listed


def test_each_library_has_its_licence_beside_it_and_is_in_the_notice() -> None:
    notice = (ROOT / "NOTICE").read_text()
    for library in LIBRARIES:
        assert any(name.endswith("/LICENSE") for name in library["files"])
        assert f"{library['package']} {library['version']}" in notice


def test_they_are_served() -> None:
    assert {f"vendor/{name}" for library in LIBRARIES for name in library["files"]} <= FILES.keys()
