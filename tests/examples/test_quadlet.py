"""examples/quadlet: keys that systemd's generator of podman knows, in agreement with the image."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from appliance import DRAIN_SECONDS, EXAMPLES, Image, image

FOLDER = EXAMPLES / "quadlet"
GENERATOR = Path("/usr/lib/systemd/system-generators/podman-system-generator")
# Of podman-systemd.unit(5), as of podman 5.0: those that a service like this one may want.
CONTAINER_KEYS = """
    AddCapability AddDevice AddHost Annotation AutoUpdate ContainerName DNS DropCapability Entrypoint Environment
    EnvironmentFile EnvironmentHost Exec ExposeHostPort GIDMap GlobalArgs Group HealthCmd HealthInterval
    HealthOnFailure HealthRetries HealthStartPeriod HealthStartupCmd HealthTimeout HostName Image IP IP6 Label
    LogDriver Mask Mount Network NoNewPrivileges Notify PidsLimit PodmanArgs PublishPort Pull ReadOnly ReadOnlyTmpfs
    Rootfs RunInit SeccompProfile Secret ShmSize StopTimeout SubGIDMap SubUIDMap Sysctl Timezone Tmpfs UIDMap Ulimit
    Unmask User UserNS Volume WorkingDir
"""
VOLUME_KEYS = (
    "ContainersConfModule Copy Device Driver GlobalArgs Group Image Label Options PodmanArgs Type User VolumeName"
)


def units(name: str) -> dict[str, list[tuple[str, str]]]:
    """A unit's sections, each with its keys and values in order; a key may come several times."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for line in (FOLDER / name).read_text().splitlines():
        if line.startswith("["):
            sections[line.strip("[]")] = current = []
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            current.append((key, value))
    return sections


@pytest.fixture(scope="module")
def container() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in units("semgate.container")["Container"]:
        found.setdefault(key, []).append(value)
    return found


@pytest.fixture(scope="module")
def built() -> Image:
    return image()


def test_every_key_is_known() -> None:
    assert {key for key, _ in units("semgate.container")["Container"]} <= set(CONTAINER_KEYS.split())
    assert {key for key, _ in units("semgate.volume")["Volume"]} <= set(VOLUME_KEYS.split())


@pytest.mark.skipif(not GENERATOR.exists(), reason="needs the generator of podman 5; the podman of Debian 12 is older")
def test_the_generator_takes_it() -> None:
    env = {**os.environ, "QUADLET_UNIT_DIRS": str(FOLDER)}
    done = subprocess.run([GENERATOR, "--dryrun"], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "podman run --name semgate" in done.stdout


def test_it_runs_the_image_as_the_image_is_made(container, built) -> None:
    assert container["Image"] == [built.tag]
    assert container["PublishPort"] == [f"127.0.0.1:8080:{built.port}"]
    assert container["HealthCmd"] == [" ".join(built.health)]
    assert container["Volume"] == [f"semgate.volume:{built.volume}", f"/etc/semgate:{built.routes_folder}:ro,z"]


def test_it_has_no_more_rights_than_it_needs(container) -> None:
    assert (container["ReadOnly"], container["DropCapability"]) == (["true"], ["all"])
    assert container["NoNewPrivileges"] == ["true"]


def test_requests_in_flight_have_time_to_end(container) -> None:
    assert int(container["StopTimeout"][0]) > DRAIN_SECONDS
    assert int(dict(units("semgate.container")["Service"])["TimeoutStopSec"]) > int(container["StopTimeout"][0])
