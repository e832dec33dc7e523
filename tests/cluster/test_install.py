"""Installations with each file of helm/ci, in a namespace with the Pod Security Standard restricted."""

import json
from typing import Any

import pytest
import yaml

from tests.chart.chart import CASES, CHART
from tests.cluster.conftest import RELEASE, Namespace, options, prepare, workload
from tests.cluster.control_plane import Object
from tests.e2e.process import eventually

pytestmark = pytest.mark.timeout(180)
every_case = pytest.mark.parametrize("case", CASES)
GITOPS = ("--server-side", "--field-manager=gitops", "--force-conflicts", "--filename=-")


def objects(namespace: Namespace, text: str) -> list[Object]:
    """Return the objects of manifests, each with its namespace."""
    found = [one for one in yaml.safe_load_all(text) if one]
    for one in found:
        one["metadata"].setdefault("namespace", namespace.name)
    return found


def release(namespace: Namespace) -> list[Object]:
    """Return the objects of the release, without hooks, as Helm stored them."""
    return objects(namespace, namespace.helm("get manifest").stdout)


def stored(namespace: Namespace, one: Object) -> Object:
    """Return an object as the API server has it."""
    where = f"--namespace={one['metadata']['namespace']}"
    return namespace.cluster.get(one["kind"], one["metadata"]["name"], where)


def versions(namespace: Namespace) -> dict[str, str]:
    """Return the resource version of each object: it changes with each write that changes the object."""
    return {
        f"{one['kind']}/{one['metadata']['name']}": stored(namespace, one)["metadata"]["resourceVersion"]
        for one in release(namespace)
    }


def differences(manifest: Any, there: Any, path: str = "") -> list[str]:
    """Return the fields of a manifest that are not stored as they are. An empty object may be absent."""
    if isinstance(manifest, dict) and isinstance(there or {}, dict):
        return [
            line for key in manifest for line in differences(manifest[key], (there or {}).get(key), f"{path}.{key}")
        ]
    if isinstance(manifest, list) and isinstance(there, list) and len(manifest) == len(there):
        pairs = enumerate(zip(manifest, there, strict=True))
        return [line for place, pair in pairs for line in differences(*pair, f"{path}[{place}]")]
    return [] if manifest == there else [f"{path}: {json.dumps(manifest)} is stored as {json.dumps(there)}"]


def test_pods_are_ready(installed: Namespace) -> None:
    """The controllers make ready pods on different nodes, bound claims, and a budget that allows one eviction."""
    replicas = workload(installed)["spec"]["replicas"]
    assert eventually(lambda: _ready(installed) == replicas)  # Helm does not wait for pods that are updated OnDelete
    pods = installed.items("pod")
    assert len(pods) == replicas
    assert len({pod["spec"]["nodeName"] for pod in pods}) == replicas
    claims = installed.items("persistentvolumeclaim")
    assert len(claims) == (0 if installed.case in {"replicas", "shards"} else 1)
    assert {claim["status"]["phase"] for claim in claims} <= {"Bound"}
    assert len(installed.items("poddisruptionbudget")) == (0 if installed.case == "shards" else 1)
    assert eventually(lambda: _disruptions(installed) <= {1})


def _ready(namespace: Namespace) -> int:
    return int(workload(namespace)["status"].get("readyReplicas", 0))


def _disruptions(namespace: Namespace) -> set[int]:
    return {budget["status"].get("disruptionsAllowed") for budget in namespace.items("poddisruptionbudget")}


def test_service_has_an_address_for_each_pod(installed: Namespace) -> None:
    """The endpoints of the Service, which Prometheus discovers, are the pods with their port."""
    pods = {pod["metadata"]["name"] for pod in installed.items("pod")}

    def found() -> set[str]:
        slices = installed.items("endpointslice")
        return {end["targetRef"]["name"] for one in slices for end in one["endpoints"] or [] if one["ports"]}

    assert eventually(lambda: found() == pods), found()


def test_stored_objects_have_every_field_of_the_manifests(installed: Namespace) -> None:
    """The API server stores each field as the chart writes it, so a comparison shows no difference."""
    for one in release(installed):
        one.pop("stringData", None)  # the API server returns it as `data`
        assert differences(one, stored(installed, one)) == [], one["kind"]


def test_second_apply_changes_nothing(installed: Namespace) -> None:
    """An upgrade with the same values, and a second server-side apply of the same manifests, write nothing."""
    before = versions(installed)
    installed.upgrade(*options(installed.case))
    assert versions(installed) == before

    text = yaml.safe_dump_all(release(installed))
    installed.cluster.kubectl("apply", *GITOPS, stdin=text)  # its field manager owns the fields from now on
    before = versions(installed)
    installed.cluster.kubectl("apply", *GITOPS, stdin=text)
    assert versions(installed) == before
    assert installed.cluster.kubectl("diff", *GITOPS, stdin=text) == ""
    assert workload(installed)["metadata"]["generation"] == 1


@every_case
def test_server_side_dry_run(namespace: Namespace, case: str) -> None:
    """The API server accepts each object in a dry run, and nothing is there afterwards."""
    prepare(namespace, case)
    done = namespace.helm("install", str(CHART), *options(case), "--dry-run=server")
    assert (done.returncode, done.stderr) == (0, "")
    rendered = objects(namespace, namespace.helm("template", str(CHART), *options(case)).stdout)
    strict = ("create", "--dry-run=server", "--validate=strict", "--filename=-")
    namespace.cluster.kubectl(*strict, stdin=yaml.safe_dump_all(rendered))
    assert namespace.items("statefulset") == []


@pytest.mark.parametrize(
    ("case", "kept"),
    [
        ("defaults", [f"state-{RELEASE}-stackset-monitor-0"]),
        ("everything", []),
        ("existing", ["stackset-monitor"]),
        ("shards", []),
    ],
)
def test_uninstall_keeps_only_volumes(namespace: Namespace, case: str, kept: list[str]) -> None:
    """Everything is removed, except claims with the retention policy Retain and those that the user made."""
    prepare(namespace, case)
    namespace.install(*options(case))
    created = release(namespace)
    done = namespace.helm("uninstall", "--wait", "--timeout=60s")
    assert (done.returncode, done.stderr) == (0, "")
    for one in created:
        where = f"--namespace={one['metadata']['namespace']}"
        assert namespace.cluster.kubectl("get", one["kind"], one["metadata"]["name"], where, "--ignore-not-found") == ""

    def claims() -> list[str]:
        return [claim["metadata"]["name"] for claim in namespace.items("persistentvolumeclaim")]

    assert eventually(lambda: claims() == kept), claims()


@pytest.mark.parametrize("program", ["helm", "helm3"])
def test_helm_test_can_print_its_log(namespace: Namespace, program: str) -> None:
    """The pod of `helm test` runs, and is still there when `--logs` reads its log; the next test replaces it."""
    namespace.program = program
    namespace.install(*options("defaults"))
    for _ in range(2):
        done = namespace.helm("test", "--timeout=60s")
        assert done.returncode == 0, done.stderr
        assert "Succeeded" in done.stdout
    pod = namespace.get("pod", f"{RELEASE}-stackset-monitor-test")
    assert pod["status"]["phase"] == "Succeeded"


def test_namespace_enforces_the_standard(namespace: Namespace) -> None:
    """The tests above would fail with a weaker security context: its pods are refused."""
    weaker = "--set=securityContext.allowPrivilegeEscalation=true"
    done = namespace.helm("install", str(CHART), *options("defaults"), weaker)
    assert "would violate PodSecurity" in done.stderr

    def refused() -> bool:
        return any('violates PodSecurity "restricted:latest"' in one["message"] for one in namespace.items("event"))

    assert eventually(refused)
    assert namespace.items("pod") == []
