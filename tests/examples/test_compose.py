"""examples/compose: right by the compose specification, and in agreement with the image and its own routes file."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from appliance import DRAIN_SECONDS, EXAMPLES, Image, image, problems, refusals

FILE = EXAMPLES / "compose" / "compose.yaml"
# Long enough for every rule about secrets; not empty, as an empty variable says that something is not wanted.
GIVEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def semgate() -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]["semgate"]
    return service


@pytest.fixture(scope="module")
def built() -> Image:
    return image()


def test_it_is_right_by_the_specification() -> None:
    assert refusals("compose-spec", FILE) == ""


def test_a_wrong_key_would_be_found(tmp_path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(FILE.read_text().replace("healthcheck:", "healthchek:"))
    assert "healthchek" in refusals("compose-spec", wrong)


def test_its_routes_file_is_right_with_the_variables_that_it_sets(semgate) -> None:
    given = {name: str(value) for name, value in semgate["environment"].items()}
    given = {name: value if value.startswith(("redis:", "postgresql:")) else GIVEN for name, value in given.items()}
    assert problems(FILE.parent / "routes" / "routes.yaml", given) == []


def test_it_runs_the_image_as_the_image_is_made(semgate, built) -> None:
    assert built.tag in semgate["image"]
    assert [port.rpartition(":")[2] for port in semgate["ports"]] == [built.port]
    assert semgate["healthcheck"]["test"] == ["CMD", *built.health]
    assert [mount["target"] for mount in semgate["volumes"]] == [built.routes_folder]
    assert f"{built.volume}:uid={built.user},gid={built.user},mode=0700" in semgate["tmpfs"]


def test_the_routes_folder_is_mounted_whole_so_that_a_renamed_file_is_seen(semgate) -> None:
    source = FILE.parent / semgate["volumes"][0]["source"]
    assert source.is_dir()
    assert (source / "routes.yaml").is_file()


def test_requests_in_flight_have_time_to_end(semgate) -> None:
    assert int(semgate["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS


def test_it_has_no_more_rights_than_it_needs(semgate) -> None:
    assert semgate["read_only"] is True
    assert semgate["cap_drop"] == ["ALL"]


def test_the_stores_are_the_services_beside_it(semgate) -> None:
    services = yaml.safe_load(FILE.read_text())["services"]
    assert set(semgate["depends_on"]) | {"semgate"} == set(services)
    assert "@postgres:5432/semgate" in semgate["environment"]["SEMGATE_POSTGRES_URL"]
    assert semgate["environment"]["SEMGATE_REDIS_URL"].startswith("redis://redis:6379/")
    assert services["postgres"]["image"].startswith("docker.io/pgvector/pgvector:pg")
