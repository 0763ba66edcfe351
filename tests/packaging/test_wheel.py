"""The wheel is the product: what it must carry is in it, and it runs from anywhere, without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, cwd: Path, *command: str) -> str:
    """A Python that finds the unpacked wheel before anything else."""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_of_the_package_is_in_the_wheel(installed: Path) -> None:
    def files(package: Path) -> set[str]:
        found = (file.relative_to(package) for file in package.rglob("*") if file.is_file())
        return {str(file) for file in found if "__pycache__" not in file.parts and file.parts[0] != "schemas"}

    assert files(installed / "gateway") == files(ROOT / "gateway")


def test_the_schemas_come_along_as_part_of_the_package(installed: Path) -> None:
    for file in (ROOT / "schemas").rglob("*"):
        if file.is_file():
            assert (
                installed / "gateway" / "schemas" / file.relative_to(ROOT / "schemas")
            ).read_bytes() == file.read_bytes()


def test_licence_notice_and_type_marker_come_along(installed: Path) -> None:
    licences = next(installed.glob("semgate-*.dist-info")) / "licenses"
    assert (licences / "LICENSE").read_text().strip().startswith("Apache License")
    assert "all-MiniLM-L6-v2" in (licences / "NOTICE").read_text()
    assert (installed / "gateway" / "py.typed").exists()


def test_nothing_but_the_package_is_installed(installed: Path) -> None:
    assert {file.name.partition("-")[0] for file in installed.iterdir()} == {"gateway", "semgate"}


def test_it_is_small_enough_for_a_package_index(wheel: Path) -> None:
    assert wheel.stat().st_size < 50_000_000


def test_the_commands_run_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import gateway; print(gateway.__file__)")
    assert where.startswith(str(installed))
    routes = tmp_path / "routes.yaml"
    routes.write_bytes((ROOT / "routes.yaml").read_bytes())
    assert "semgate serve" in run(installed, tmp_path, "-m", "gateway.cli.main", "--help")
    assert run(installed, tmp_path, "-m", "gateway.cli.main", "check", "routes.yaml").rstrip().endswith(")")
    schema = run(installed, tmp_path, "-m", "gateway.cli.main", "schema")
    assert schema == (ROOT / "schemas" / "routes.schema.json").read_text()


def test_the_installed_package_finds_its_migrations_and_its_model(installed: Path, tmp_path: Path) -> None:
    found = run(
        installed,
        tmp_path,
        "-c",
        "from gateway.stores.schema import sql_folder\n"
        "from gateway.embedders.folder import SHIPPED\n"
        "print(sql_folder() / '001_init.sql')\n"
        "print(SHIPPED / 'all-MiniLM-L6-v2' / 'model.onnx')",
    )
    for line in found.splitlines():
        assert line.startswith(str(installed))
        assert Path(line).is_file()


def test_the_project_metadata_points_to_the_readme(installed: Path) -> None:
    metadata = (next(installed.glob("semgate-*.dist-info")) / "METADATA").read_text()
    assert "License-Expression: Apache-2.0" in metadata
    assert "# semgate" in metadata
