"""The files for containers: they keep to the schemas of those who read them, and say what our commands and settings are."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from oa_server.cli import main
from oa_server.settings import load
from tests.deployment.site import DEPLOY, SERVERS, WORKER

COMPOSE = DEPLOY / "compose" / "compose.yaml"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
IMAGE = "oa-server:local"
PROCESSES = {**{f"server-{number}": ("serve", number) for number in SERVERS}, "worker": ("worker", WORKER)}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text("utf-8")))


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text("utf-8"))]


def kinds(documents: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [document for document in documents if document["kind"] == kind]


# --- compose ----------------------------------------------------------------------------------------------------------


def judged(path: Path) -> int:
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


def test_compose_keeps_to_its_schema(tmp_path: Path) -> None:
    """The file is what the compose specification calls one; a key that it does not know would be found."""
    assert judged(COMPOSE) == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text("utf-8").replace("    command: [serve]", "    comand: [serve]"), "utf-8")
    assert judged(wrong) != 0


def test_compose_runs_our_processes(compose: dict[str, Any]) -> None:
    """Two servers and a worker run as units of systemd would have them, each asked whether it is alive."""
    ours = {name: item for name, item in compose["services"].items() if item["image"] == IMAGE}
    assert set(ours) == {"migrate", *PROCESSES}
    for name, (command, place) in PROCESSES.items():
        assert ours[name]["command"] == [command]
        assert ours[name]["environment"]["OA_SOCKET"] == f"/run/oa/{place}/http.sock"
        assert ours[name]["healthcheck"]["test"] == ["CMD", "oa", "alive"]
        assert ours[name]["read_only"]
    assert {word for item in ours.values() for word in item["command"]} | {"alive"} <= set(main.commands)


def test_compose_is_whole(compose: dict[str, Any]) -> None:
    """What its services name is there: volumes, networks, the services they wait for, and the files of nginx."""
    services = compose["services"]
    for item in services.values():
        assert set(item.get("depends_on", ())) <= set(services)
        assert set(item["networks"]) <= set(compose["networks"])
        for source in [volume.partition(":")[0] for volume in item.get("volumes", ())]:
            there = (COMPOSE.parent / source).exists() if source.startswith("../") else source in compose["volumes"]
            assert there or source == "./tls", source  # which the installer brings


def test_only_nginx_is_reached(compose: dict[str, Any]) -> None:
    """From outside nothing but nginx is reached."""
    services = compose["services"]
    assert [name for name, item in services.items() if "ports" in item or "outside" in item["networks"]] == ["nginx"]
    assert compose["networks"]["inside"] == {"internal": True}


def test_compose_settings(compose: dict[str, Any]) -> None:
    """The settings that it brings are accepted, and lead to the database that it starts."""
    settings = load(COMPOSE.parent / compose["configs"]["settings"]["file"], environ={})
    database = compose["services"]["postgres"]["environment"]
    user, password, name = (database[f"POSTGRES_{key}"] for key in ("USER", "PASSWORD", "DB"))
    assert settings.database == f"postgres://{user}:{password}@postgres/{name}"
    assert settings.jobs == "worker"


def test_image_is_made_for_its_users(compose: dict[str, Any]) -> None:
    """The image has the folders of the sockets, belongs to the user that Kubernetes names, and runs as nobody else."""
    lines = (COMPOSE.parent / "Dockerfile").read_text("utf-8")
    for _command, place in PROCESSES.values():
        assert f"/run/oa/{place}" in lines
    assert "--uid 990" in lines
    assert re.findall(r"^USER (.*)$", lines, re.MULTILINE) == ["oa"]
    assert 'ENTRYPOINT ["oa"]' in lines


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def test_kubernetes_keeps_to_its_schemas(documents: list[dict[str, Any]]) -> None:
    """Each object is what Kubernetes calls one, without a field that it does not know."""
    assert len(documents) > 4
    for document in documents:
        kubernetes_validate.validate(document, "1.32", strict=True)
    (deployment,) = kinds(documents, "Deployment")
    deployment["spec"]["template"]["spec"]["containrs"] = deployment["spec"]["template"]["spec"]["containers"]
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.32", strict=True)
    del deployment["spec"]["template"]["spec"]["containrs"]


def test_kubernetes_runs_our_processes(documents: list[dict[str, Any]]) -> None:
    """A pod is what a machine is: two servers, a worker and nginx, none of them privileged."""
    (deployment,) = kinds(documents, "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    containers = {container["name"]: container for container in pod["containers"]}
    assert set(containers) == {*PROCESSES, "nginx"}
    for name, (command, place) in PROCESSES.items():
        container = containers[name]
        assert (container["image"], container["args"]) == (IMAGE, [command])
        assert container["env"] == [{"name": "OA_SOCKET", "value": f"/run/oa/{place}/http.sock"}]
        assert container["livenessProbe"]["exec"]["command"] == ["oa", "alive"]
        assert container["securityContext"]["runAsUser"] == 990
    for container in (*containers.values(), *pod["initContainers"]):
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"]
        assert not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsNonRoot"]


def test_kubernetes_is_whole(documents: list[dict[str, Any]]) -> None:
    """What pods mount is there, and the service and the disruption budget find the pods and their ports."""
    (deployment,) = kinds(documents, "Deployment")
    pod, labels = deployment["spec"]["template"]["spec"], deployment["spec"]["template"]["metadata"]["labels"]
    mounted = {m["name"] for c in (*pod["containers"], *pod["initContainers"]) for m in c["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    (claim,) = kinds(documents, "PersistentVolumeClaim")
    assert {"claimName": claim["metadata"]["name"]} in [
        volume.get("persistentVolumeClaim") for volume in pod["volumes"]
    ]
    ports = {port["name"] for container in pod["containers"] for port in container.get("ports", ())}
    (service,) = kinds(documents, "Service")
    assert service["spec"]["selector"] == labels
    assert {port["targetPort"] for port in service["spec"]["ports"]} == ports - {"metrics"}
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        (document,) = kinds(documents, kind)
        assert document["spec"][key] == {"matchLabels": labels}
