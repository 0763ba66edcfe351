"""examples/kubernetes: right by Kubernetes' own schemas, and in agreement with the image and with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from appliance import DRAIN_SECONDS, EXAMPLES, Image, image, problems

FOLDER = EXAMPLES / "kubernetes"
# The oldest that has autoscaling/v2 and policy/v1 and is still met, and one of today.
VERSIONS = ("1.27", "1.34")
MANIFESTS = sorted(file.name for file in FOLDER.glob("*.yaml") if file.name != "kustomization.yaml")


def manifest(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return document


@pytest.fixture(scope="module")
def built() -> Image:
    return image()


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    spec: dict[str, Any] = manifest("deployment.yaml")["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(pod) -> dict[str, Any]:
    [only] = pod["containers"]
    found: dict[str, Any] = only
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_each_manifest_is_right_by_its_schema(name: str, version: str) -> None:
    kubernetes_validate.validate(manifest(name), version, strict=True)


def test_a_wrong_key_would_be_found() -> None:
    wrong = manifest("deployment.yaml")
    wrong["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_all_manifests_are_applied_but_the_sample_of_a_secret() -> None:
    kustomization = manifest("kustomization.yaml")
    assert {*kustomization["resources"], "secret.example.yaml"} == set(MANIFESTS)
    assert [image["name"] for image in kustomization["images"]] == [image_name(manifest("deployment.yaml"))]


def image_name(deployment: dict[str, Any]) -> str:
    name: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"].partition(":")[0]
    return name


def test_the_routes_file_is_right_with_the_variables_of_the_secret(tmp_path: Path) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text(manifest("configmap.yaml")["data"]["routes.yaml"])
    assert problems(routes, manifest("secret.example.yaml")["stringData"]) == []


def test_the_sample_of_a_secret_holds_no_secret() -> None:
    for value in manifest("secret.example.yaml")["stringData"].values():
        assert "REPLACE" in value or ".example:" in value


def test_the_container_is_run_as_the_image_is_made(pod, container, built) -> None:
    assert container["image"] == built.tag
    assert [str(port["containerPort"]) for port in container["ports"]] == [built.port]
    assert str(pod["securityContext"]["runAsUser"]) == str(pod["securityContext"]["fsGroup"]) == built.user
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == {"routes": built.routes_folder, "data": built.volume, "tmp": "/tmp"}


def test_a_changed_config_map_reaches_the_pods_without_a_restart(pod, container) -> None:
    [routes] = [volume for volume in pod["volumes"] if volume["name"] == "routes"]
    assert routes["configMap"]["name"] == manifest("configmap.yaml")["metadata"]["name"]
    assert all("subPath" not in mount for mount in container["volumeMounts"])
    assert "configMapGenerator" not in manifest("kustomization.yaml")


def test_the_pod_has_no_more_rights_than_it_needs(pod, container) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_probes_ask_where_the_gateway_answers(container) -> None:
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert {where["port"] for where in asked.values()} == {container["ports"][0]["name"]}
    assert {name: where["path"] for name, where in asked.items()} == {
        "startupProbe": "/-/live",
        "readinessProbe": "/-/ready",
        "livenessProbe": "/-/live",
    }


def test_requests_in_flight_have_time_to_end(pod, container) -> None:
    waited = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > waited + DRAIN_SECONDS


def test_everything_names_the_same_pods(container) -> None:
    deployment = manifest("deployment.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert manifest("service.yaml")["spec"]["selector"] == labels
    assert manifest("disruptionbudget.yaml")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("autoscaler.yaml")["spec"]["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert manifest("service.yaml")["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert container["envFrom"] == [{"secretRef": {"name": manifest("secret.example.yaml")["metadata"]["name"]}}]


def test_the_autoscaler_alone_says_how_many_there_are() -> None:
    assert "replicas" not in manifest("deployment.yaml")["spec"]
    assert manifest("autoscaler.yaml")["spec"]["minReplicas"] > 1
