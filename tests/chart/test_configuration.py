"""Where the configuration comes from, and how a change of it is applied."""

from typing import Any

import pytest
from helm_python.chart import Chart
from helm_python.errors import HelmError

from tests.chart.chart import CHART, IMAGE, container, manifest, manifests, rendered, values


def sources(given: dict[str, Any], kind: str = "StatefulSet") -> list[dict[str, Any]]:
    """Return the sources of the folder with the configuration."""
    pod = manifest(given, kind)["spec"]["template"]["spec"]
    (volume,) = (one for one in pod["volumes"] if one["name"] == "configuration")
    found: list[dict[str, Any]] = volume["projected"]["sources"]
    return found


def test_existing_objects_replace_the_configuration() -> None:
    """With existing Secrets the chart renders no configuration, mounts them and sets the port."""
    given = values("existing")
    assert "configuration.yaml" not in rendered(given)
    assert [one["secret"]["name"] for one in sources(given)] == [
        "stackset-monitor-configuration",
        "stackset-monitor-web",
        "stackset-monitor-tls",
    ]
    assert sources({"existingConfigMap": "mine"}) == [{"configMap": {"name": "mine"}}]
    assert container(given)["args"][-2:] == ["--listen", ":9935"]
    assert "--listen" not in container({})["args"]


def test_existing_configuration_with_users_of_the_chart() -> None:
    """web.yml can come from the chart while monitor.yaml comes from an existing object."""
    given = {"existingConfigMap": "mine", "web": {"tls": {"secretName": "tls"}}}
    assert manifest(given, "ConfigMap")["data"].keys() == {"web.yml"}
    assert [next(iter(one.values()))["name"] for one in sources(given)] == ["demo-stackset-monitor", "mine", "tls"]


def test_extra_files_are_beside_the_configuration() -> None:
    """A Secret with an external ID is in the folder of monitor.yaml, so external_id_file can be relative."""
    extra = [{"secret": {"name": "external-ids", "items": [{"key": "hub", "path": "hub"}]}}]
    given = {
        "config": {"sources": [{"name": "hub", "external_id_file": "hub"}], "products": ["pp-aaaaaaaaaaaaa"]},
        "extraConfigFiles": extra,
    }
    assert sources(given) == [{"configMap": {"name": "demo-stackset-monitor"}}, *extra]


@pytest.mark.parametrize("reload", [True, False])
def test_reload_false_restarts_on_each_change(reload: bool) -> None:
    """Without reload, each change of a configuration file changes the pod template."""

    def template(config: dict[str, Any]) -> Any:
        return manifest({"reload": reload, "config": config}, "StatefulSet")["spec"]["template"]

    assert (template({"products": ["pp-a"]}) == template({"products": ["pp-b"]})) is reload


def test_upgrade_is_checked_with_the_new_configuration() -> None:
    """The Job mounts the new configuration, which its hook creates before."""
    given = {"preUpgradeCheck": {"enabled": True}, "config": {"products": ["pp-aaaaaaaaaaaaa"]}}
    hooks = {one["kind"]: one for one in manifests(given) if one["metadata"]["name"] == "demo-stackset-monitor-check"}
    assert hooks["ConfigMap"]["data"] == manifest(given, "ConfigMap", "demo-stackset-monitor")["data"]
    annotations = [hooks[kind]["metadata"]["annotations"] for kind in ("ConfigMap", "Job")]
    assert {one["helm.sh/hook"] for one in annotations} == {"pre-upgrade"}
    weights = [int(one["helm.sh/hook-weight"]) for one in annotations]
    assert weights == sorted(set(weights))
    assert sources(given, "Job") == [{"configMap": {"name": "demo-stackset-monitor-check"}}]
    job = hooks["Job"]["spec"]["template"]["spec"]
    assert job["containers"][0]["args"][0] == "check"
    assert "serviceAccountName" not in job
    assert "Job" not in {one["kind"] for one in manifests({})}


def test_scrapes_with_tls_verify_the_name_of_the_service() -> None:
    """Prometheus scrapes addresses of pods, so the server name is that of the Service unless it is set."""
    given = {"web": {"tls": {"secretName": "tls"}}, "serviceMonitor": {"enabled": True}}
    (endpoint,) = manifest(given, "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["tlsConfig"] == {"serverName": "demo-stackset-monitor.aws.svc"}
    (endpoint,) = manifest(values("everything"), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["tlsConfig"] == {"serverName": "stackset-monitor.example.com"}


def test_scrape_timeout_is_that_of_prometheus() -> None:
    """An interval alone renders no timeout, which the operator would compare with it."""
    (endpoint,) = manifest({"serviceMonitor": {"enabled": True, "interval": "15s"}}, "ServiceMonitor")["spec"][
        "endpoints"
    ]
    assert (endpoint["interval"], "scrapeTimeout" in endpoint) == ("15s", False)


def test_monitor_keys_reach_the_object() -> None:
    """jobLabel, target labels and the limit of samples are fields of the ServiceMonitor."""
    spec = manifest(values("everything"), "ServiceMonitor")["spec"]
    for key in ("jobLabel", "targetLabels", "podTargetLabels", "sampleLimit"):
        assert spec[key] == values("everything")["serviceMonitor"][key]
    assert "sampleLimit" not in manifest(values("discover"), "ServiceMonitor")["spec"]


def test_service_has_the_address_families() -> None:
    """The families are rendered if they are set."""
    spec = manifest(values("ipv6"), "Service")["spec"]
    assert (spec["ipFamilyPolicy"], spec["ipFamilies"]) == ("SingleStack", ["IPv6"])
    assert not {"ipFamilyPolicy", "ipFamilies"} & manifest({}, "Service")["spec"].keys()


def test_openshift_assigns_the_user() -> None:
    """No pod has a fixed user or group, and DNS is reachable on port 5353."""
    for one in manifests(values("openshift")):
        if one["kind"] in {"StatefulSet", "Pod"}:
            pod = one["spec"].get("template", one)["spec"]
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & pod["securityContext"].keys()
    ports = [
        port["port"]
        for rule in manifest(values("openshift"), "NetworkPolicy")["spec"]["egress"]
        for port in rule["ports"]
    ]
    assert ports.count(5353) == 2


def paths(part: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of each value."""
    found = []
    for key, value in part.items():
        found.append((*path, key))
        if isinstance(value, dict):
            found += paths(value, (*path, key))
    return found


def refusal(given: dict[str, Any]) -> str:
    """Return the message with which Helm refuses values, or an empty text."""
    try:
        rendered(given)
    except HelmError as error:
        return str(error)
    return ""


def test_null_never_fails_a_template() -> None:
    """`key: null` removes a default: the chart renders without it, or the message names the missing key."""
    with Chart.load(CHART) as chart:
        defaults = chart.values
    for path in paths(defaults):
        given: dict[str, Any] = {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")}
        given |= {"image": {**IMAGE}, "preUpgradeCheck": {"enabled": True}}
        part = given
        for key in path[:-1]:
            part = part.setdefault(key, {})
        part[path[-1]] = None
        message = refusal(given)
        assert "nil pointer" not in message, path
        assert not message or path[-1] in message, path
