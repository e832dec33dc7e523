"""What Helm makes of the chart: whole, valid for Kubernetes, and restricted."""

import os
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from helm_python.chart import Chart, lint

from tests.chart import operator
from tests.chart.chart import CASES, CHART, manifests, pods, rendered, values
from tests.chart.restricted import violations

SNAPSHOTS = Path(__file__).parent / "snapshots"
VERSIONS = ("1.28", "1.32", "1.37")
"""The oldest Kubernetes that the chart installs on, one between, and the newest that there are schemas of."""
OPERATOR = set(operator.SPECIFICATIONS)
INFO = 1
every_case = pytest.mark.parametrize("case", CASES)


def test_helm_lint_has_nothing_to_say() -> None:
    """No warning and no error; it would like an icon, which we do not have."""
    messages = lint(CHART)["messages"]
    assert [message["error"] for message in messages if message["severity"] > INFO] == []
    assert [message["error"] for message in messages] == ["icon is recommended"]


@every_case
def test_the_whole_output_is_the_one_in_the_file(case: str) -> None:
    """Every manifest of every template: a change to any of them changes a file in snapshots/.

    STACKSET_MONITOR_SNAPSHOTS=write writes them anew.
    """
    text = "".join(f"# {name}\n{part.strip()}\n---\n" for name, part in rendered(values(case)).items())
    path = SNAPSHOTS / f"{case}.yaml"
    if os.environ.get("STACKSET_MONITOR_SNAPSHOTS") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("version", VERSIONS)
@every_case
def test_kubernetes_takes_every_manifest(case: str, version: str) -> None:
    """By its own schemas, where a key that it does not know is an error."""
    seen = [one for one in manifests(values(case)) if one["kind"] not in OPERATOR]
    for one in seen:
        kubernetes_validate.validate(one, version, strict=True)
    assert {"StatefulSet", "Service"} <= {one["kind"] for one in seen}


def test_kubernetes_schemas_are_strict() -> None:
    """The test above sees a key that is misspelt."""
    one = next(one for one in manifests({}) if one["kind"] == "StatefulSet")
    one["spec"]["template"]["spec"]["automountServiceAccountTokens"] = False
    with pytest.raises(kubernetes_validate.ValidationError, match="automountServiceAccountTokens"):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)


@every_case
def test_the_operator_takes_its_manifests(case: str) -> None:
    """By its API reference, where a key that it does not know is an error."""
    for one in manifests(values(case)):
        if one["kind"] in OPERATOR:
            operator.validate(one)


def test_the_operators_manifests_are_there() -> None:
    """The test above has something to look at."""
    kinds = {one["kind"] for case in CASES for one in manifests(values(case))}
    assert kinds >= OPERATOR


@every_case
def test_every_pod_is_restricted(case: str) -> None:
    """Pod Security Standard restricted, a root file system that is read-only, and no token of the API."""
    found = list(pods(manifests(values(case))))
    assert found
    for name, pod in found:
        assert list(violations(pod)) == [], name
        assert pod["automountServiceAccountToken"] is False
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"securityContext": {"privileged": True}}, "stackset-monitor: is privileged"),
        ({"securityContext": {"capabilities": {"drop": []}}}, "stackset-monitor: has capabilities"),
        ({"podSecurityContext": {"runAsUser": 0}}, "stackset-monitor: runs as root"),
        (
            {"podSecurityContext": {"seccompProfile": {"type": "Unconfined"}}},
            "stackset-monitor: has no seccomp profile",
        ),
        ({"extraVolumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "volume node"),
    ],
)
def test_what_is_not_restricted_is_seen(change: dict[str, object], said: str) -> None:
    """The check above sees what values may loosen."""
    assert said in [what for _, pod in pods(manifests(change)) for what in violations(pod)]


@every_case
def test_names_and_labels_are_the_recommended_ones(case: str) -> None:
    """Each object of ours can be found by the release, and knows its namespace."""
    for one in manifests(values(case)):
        if one["metadata"]["name"].startswith(("demo", "fleet-watch")) and not one["metadata"]["name"].endswith(
            "-more"
        ):
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "demo"
            assert one["metadata"]["namespace"] in {"aws", "monitoring", "grafana"}


def test_the_selectors_find_the_pods_and_only_them() -> None:
    """Service, policy, budget and StatefulSet select by the same labels, which the pod of `helm test` has not."""
    objects = {one["kind"]: one for one in manifests({})}
    labels = objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    selector = objects["StatefulSet"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    assert objects["Service"]["spec"]["selector"] == selector
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == selector
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    assert not selector.items() <= objects["Pod"]["metadata"]["labels"].items()


def test_the_version_is_the_monitors() -> None:
    """AppVersion is the image's tag."""
    from monitor import __version__  # noqa: PLC0415

    with Chart.load(CHART) as chart:
        assert chart.metadata["appVersion"] == __version__


def test_what_a_package_holds() -> None:
    """The files that templates read are in it; what only our tests need is not."""
    with Chart.load(CHART) as chart:
        names = {file["name"] for file in chart.files}
    assert {"alerts.yaml", "dashboards/stackset-monitor.json", "README.md"} <= names
    assert not any(name.startswith("ci/") for name in names)


def test_the_examples_are_yaml_that_people_can_copy() -> None:
    """Each begins with a comment that says what it is for."""
    for path in CASES.values():
        if path is not None:
            assert path.read_text().startswith("# ")
            assert isinstance(yaml.safe_load(path.read_text()), dict)
