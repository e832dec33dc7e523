"""Names, labels, images and pull secrets that several templates share."""

from typing import Any

import pytest

from tests.chart.chart import container, manifest, manifests, pods, values


def test_specific_labels_override_common_ones() -> None:
    """Label maps are merged; the most specific value holds."""
    given = values("everything")
    assert manifest(given, "Service")["metadata"]["labels"]["team"] == "monitoring"
    assert manifest(given, "StatefulSet")["spec"]["template"]["metadata"]["labels"]["tier"] == "exporter"
    assert manifest(given, "StatefulSet")["metadata"]["labels"]["tier"] == "monitoring"
    assert manifest(given, "StatefulSet")["metadata"]["annotations"] == {
        "example.com/backup": "true",
        "example.com/owner": "platform",
    }


def test_annotations_of_hooks_cannot_be_changed() -> None:
    """CommonAnnotations do not turn the test into an ordinary pod."""
    one = manifest({"commonAnnotations": {"helm.sh/hook": "none"}}, "Pod")
    assert one["metadata"]["annotations"]["helm.sh/hook"] == "test"


def test_objects_in_another_namespace_name_the_release_namespace() -> None:
    """Two releases of one name in two namespaces do not share an object in a third namespace."""
    for kind in ("ServiceMonitor", "PrometheusRule"):
        assert manifest(values("everything"), kind)["metadata"]["name"] == "fleet-watch-aws"
    assert manifest(values("discover"), "ServiceMonitor")["metadata"]["name"] == "demo-stackset-monitor"
    names = [one["metadata"]["name"] for one in manifests(values("everything")) if one["kind"] == "ConfigMap"]
    assert "fleet-watch-dashboard-aws" in names


def test_namespace_override_moves_all_objects() -> None:
    """NamespaceOverride is the namespace of every object and of the addresses of the pods."""
    given = {**values("discover"), "namespaceOverride": "other"}
    assert {one["metadata"]["namespace"] for one in manifests(given)} == {"other"}
    assert manifest(given, "Pod")["spec"]["containers"][0]["args"][1].endswith(".other.svc:9935")
    assert manifest(given, "ServiceMonitor")["spec"]["namespaceSelector"]["matchNames"] == ["other"]


@pytest.mark.parametrize(
    ("image", "registry", "said"),
    [
        ({"repository": "a/b"}, "", "a/b:0.1.0"),
        ({"repository": "a/b", "tag": "7"}, "", "a/b:7"),
        ({"registry": "r.example.com", "repository": "b"}, "", "r.example.com/b:0.1.0"),
        ({"registry": "r.example.com", "repository": "b"}, "g.example.com/", "g.example.com/b:0.1.0"),
        ({"repository": "b", "tag": "7", "digest": f"sha256:{'0' * 64}"}, "", f"b@sha256:{'0' * 64}"),
    ],
)
def test_image_reference(image: dict[str, Any], registry: str, said: str) -> None:
    """global.imageRegistry overrides image.registry, and the digest overrides the tag."""
    assert container({"image": image, "global": {"imageRegistry": registry}})["image"] == said


def test_pull_secrets_are_names_or_objects() -> None:
    """The pull secrets of the parent chart come first, each once."""
    given = {"global": {"imagePullSecrets": ["a", {"name": "b"}]}, "imagePullSecrets": ["b", {"name": "c"}]}
    for _, pod in pods(manifests(given)):
        assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}, {"name": "c"}]


def test_all_pods_are_placed_alike() -> None:
    """The pods of `helm test` and of the check run where the monitor may run."""
    found = dict(pods(manifests(values("everything"))))
    assert found.keys() == {"fleet-watch", "fleet-watch-test", "fleet-watch-check"}
    for key in ("nodeSelector", "tolerations", "priorityClassName", "runtimeClassName", "dnsConfig", "hostAliases"):
        assert found["fleet-watch-test"][key] == found["fleet-watch"][key] == found["fleet-watch-check"][key]


def test_shards_prefer_different_nodes_and_zones() -> None:
    """Several shards have a soft anti-affinity and topology spread, unless values set their own."""
    spread = manifest(values("shards"), "StatefulSet")["spec"]["template"]["spec"]
    (term,) = spread["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    (constraint,) = spread["topologySpreadConstraints"]
    assert (constraint["topologyKey"], constraint["whenUnsatisfiable"]) == (
        "topology.kubernetes.io/zone",
        "ScheduleAnyway",
    )
    single = manifest({}, "StatefulSet")["spec"]["template"]["spec"]
    assert not {"affinity", "topologySpreadConstraints"} & single.keys()
    own = manifest({**values("shards"), "affinity": {"nodeAffinity": {}}}, "StatefulSet")["spec"]["template"]["spec"]
    assert own["affinity"] == {"nodeAffinity": {}}


def test_parent_charts_can_use_a_condition() -> None:
    """A parent chart passes `enabled` for its condition, and any global value."""
    assert manifests({"enabled": True, "global": {"storageClass": "gp3"}})
