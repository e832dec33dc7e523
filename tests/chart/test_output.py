"""The rendered chart is valid for Kubernetes and complies with the Pod Security Standard restricted."""

import base64
import json
import os
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import kubernetes_validate
import pytest
import yaml
from helm_python.chart import Chart, lint

from tests.chart import operator
from tests.chart.chart import CASES, CHART, IMAGE, manifests, pods, rendered, values
from tests.chart.restricted import violations

SNAPSHOTS = Path(__file__).parent / "snapshots"
VERSIONS = ("1.28", "1.32", "1.37")
"""The oldest supported Kubernetes, one in between, and the newest with published schemas."""
OPERATOR = set(operator.SPECIFICATIONS)
COPIES = {"dashboard.yaml", "prometheusrule.yaml"}
"""Templates that copy a file of the chart."""
every_case = pytest.mark.parametrize("case", CASES)


@every_case
def test_helm_lint_reports_nothing(case: str) -> None:
    """Helm lint has no error, no warning and no recommendation."""
    assert lint(CHART, {"image": IMAGE, **values(case)}, namespace="aws")["messages"] == []


@every_case
def test_output_matches_the_snapshot(case: str) -> None:
    """The output of all templates, without the dashboard and the rules, equals the file in snapshots/.

    STACKSET_MONITOR_SNAPSHOTS=write updates the file. Other tests compare the dashboard and the rules.
    """
    parts = {name: part for name, part in rendered(values(case)).items() if name not in COPIES}
    text = "".join(f"# {name}\n{part.strip()}\n---\n" for name, part in parts.items())
    path = SNAPSHOTS / f"{case}.yaml"
    if os.environ.get("STACKSET_MONITOR_SNAPSHOTS") == "write":
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("version", VERSIONS)
@every_case
def test_manifests_match_the_kubernetes_schemas(case: str, version: str) -> None:
    """Each manifest is valid for the schemas of Kubernetes, which refuse unknown keys."""
    seen = [one for one in manifests(values(case)) if one["kind"] not in OPERATOR]
    for one in seen:
        kubernetes_validate.validate(one, version, strict=True)
    workload = "Deployment" if case == "replicas" else "StatefulSet"
    assert {workload, "Service"} <= {one["kind"] for one in seen}


def test_kubernetes_schemas_refuse_unknown_keys() -> None:
    """The test above would detect a misspelled key."""
    one = next(one for one in manifests({}) if one["kind"] == "StatefulSet")
    one["spec"]["template"]["spec"]["automountServiceAccountTokens"] = False
    with pytest.raises(kubernetes_validate.ValidationError, match="automountServiceAccountTokens"):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)


@every_case
def test_manifests_match_the_operator_schemas(case: str) -> None:
    """Each manifest of the Prometheus Operator is valid for its schema."""
    for one in manifests(values(case)):
        if one["kind"] in OPERATOR:
            operator.validate(one)


def test_cases_contain_all_operator_kinds() -> None:
    """The test above validates at least one manifest of each kind."""
    kinds = {one["kind"] for case in CASES for one in manifests(values(case))}
    assert kinds >= OPERATOR


@every_case
def test_pods_comply_with_restricted(case: str) -> None:
    """Each pod complies with the standard, has a read-only root file system and no API token."""
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
def test_violations_are_detected(change: dict[str, object], said: str) -> None:
    """The test above would detect values that weaken the security context."""
    assert said in [what for _, pod in pods(manifests(change)) for what in violations(pod)]


@every_case
def test_objects_have_the_recommended_labels(case: str) -> None:
    """Each object has the label of the release and a namespace."""
    for one in manifests(values(case)):
        if one["metadata"]["name"].startswith(("demo", "fleet-watch")) and not one["metadata"]["name"].endswith(
            "-more"
        ):
            assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "demo"
            assert one["metadata"]["namespace"] in {"aws", "monitoring", "grafana"}


def test_selectors_match_only_the_monitor_pods() -> None:
    """All selectors use the same labels, which the pod of `helm test` does not have."""
    objects = {one["kind"]: one for one in manifests({})}
    labels = objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    selector = objects["StatefulSet"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= labels.items()
    assert objects["Service"]["spec"]["selector"] == selector
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == selector
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == selector
    assert not selector.items() <= objects["Pod"]["metadata"]["labels"].items()


class _UniqueKeys(yaml.SafeLoader):
    """A loader that refuses equal keys in one mapping, as kustomize and Flux do."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT002
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"duplicate keys {keys} {node.start_mark}"
        return super().construct_mapping(node, deep=deep)


@every_case
def test_no_mapping_has_equal_keys(case: str) -> None:
    """No manifest has duplicate keys, also if several values contain one label or annotation."""
    for name, text in rendered(values(case)).items():
        if not name.endswith(".txt"):
            list(yaml.load_all(text, Loader=_UniqueKeys))


def test_icon_is_inline() -> None:
    """The icon is an SVG in a data URI, and no field of Chart.yaml is an address."""
    with Chart.load(CHART) as chart:
        metadata = chart.metadata
    svg = base64.b64decode(metadata.pop("icon").removeprefix("data:image/svg+xml;base64,"), validate=True)
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "://" not in json.dumps(metadata)


def test_chart_names_no_address_that_does_not_exist() -> None:
    """Every URL in the chart is a placeholder under example.com, a documentation site, or on loopback."""
    for path in CHART.rglob("*"):
        if path.is_file() and path.suffix in {".yaml", ".tpl", ".txt", ".md", ".py"}:
            hosts = set(re.findall(r"https?://([\w.-]+)", path.read_text()))
            assert {host for host in hosts if not re.fullmatch(r"(.+\.)?example\.com|127\.0\.0\.1", host)} == set(), (
                path
            )


def test_artifact_hub_changes_are_valid() -> None:
    """The annotation with the changes is a list of a kind and a description each."""
    with Chart.load(CHART) as chart:
        changes = yaml.safe_load(chart.metadata["annotations"]["artifacthub.io/changes"])
    assert changes
    for change in changes:
        assert change.keys() == {"kind", "description"}
        assert change["kind"] in {"added", "changed", "deprecated", "removed", "fixed", "security"}


def test_app_version_is_the_version_of_the_monitor() -> None:
    """The default image tag is the version of the package."""
    from monitor import __version__  # noqa: PLC0415

    with Chart.load(CHART) as chart:
        assert chart.metadata["appVersion"] == __version__


def test_package_contains_what_templates_read() -> None:
    """The packaged chart contains the files that templates read, and not the values for tests."""
    with Chart.load(CHART) as chart:
        names = {file["name"] for file in chart.files}
    assert {"alerts.yaml", "dashboards/stackset-monitor.json", "README.md"} <= names
    assert not any(name.startswith("ci/") for name in names)


def test_example_values_have_a_comment() -> None:
    """Each file of example values starts with a comment that explains it."""
    for path in CASES.values():
        if path is not None:
            assert path.read_text().startswith("# ")
            assert isinstance(yaml.safe_load(path.read_text()), dict)
