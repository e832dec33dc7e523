"""Effects of values, and invalid values."""

import copy
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from helm_python.errors import HelmError

from monitor.config.json_schema import json_schema
from tests.chart.chart import CASES, CHART, container, manifest, manifests, rendered, values

ALERTS = yaml.safe_load((CHART / "alerts.yaml").read_text())["groups"]
NAMES = [rule["alert"] for group in ALERTS for rule in group["rules"] if "alert" in rule]
SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def files(given: dict[str, Any]) -> dict[str, str]:
    """Return the configuration files that a pod mounts."""
    name = "fleet-watch" if given.get("fullnameOverride") else "demo-stackset-monitor"
    kind = given.get("configKind", "ConfigMap")
    one = manifest(given, kind, name)
    found: dict[str, str] = one["stringData" if kind == "Secret" else "data"]
    return found


def rules(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the alerts of the PrometheusRule, by name."""
    groups = manifest({"alerts": {"enabled": True, **given}}, "PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize("case", [case for case in CASES if case != "defaults"])
def test_check_accepts_the_mounted_configuration(case: str, tmp_path: Path) -> None:
    """`check` accepts the files that the pod mounts."""
    ca = trustme.CA()
    certificate = ca.issue_cert("stackset-monitor")
    (tmp_path / "tls.crt").write_bytes(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    (tmp_path / "tls.key").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "ca.crt").write_bytes(ca.cert_pem.bytes())
    for name, text in files(values(case)).items():
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "monitor", "check", "--config", str(tmp_path / "monitor.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_check_refuses_a_chart_without_products(tmp_path: Path) -> None:
    """The default values contain no product, so `check` fails in the init container."""
    (tmp_path / "monitor.yaml").write_text(files({})["monitor.yaml"])
    command = [sys.executable, "-m", "monitor", "check", "--config", str(tmp_path / "monitor.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "products" in done.stderr


def test_large_numbers_are_not_rendered_as_floats() -> None:
    """Helm parses numbers as floats, and the monitor would refuse 5e+06."""
    assert "max_instance_series: 5000000\n" in files(values("everything"))["monitor.yaml"]


def test_init_container_matches_the_monitor() -> None:
    """The init container has the same image, file, environment and volumes."""
    pod = manifest(values("everything"), "StatefulSet")["spec"]["template"]["spec"]
    check, run = pod["initContainers"][0], pod["containers"][0]
    assert (check["args"][0], run["args"][0]) == ("check", "run")
    assert check["args"][1:] == run["args"][1:3] == ["--config", "/etc/stackset-monitor/monitor.yaml"]
    for key in ("image", "env", "envFrom", "volumeMounts", "securityContext"):
        assert check[key] == run[key]


@pytest.mark.parametrize(
    ("config", "restarts"),
    [
        ({"products": ["pp-bbbbbbbbbbbbb"]}, False),
        ({"poll": {"interval": "1m"}}, False),
        ({"sources": [{"name": "hub"}]}, False),
        ({"metrics": {"zero_series": False}}, False),
        ({"poll": {"concurrency": 4}}, True),
        ({"log": {"level": "debug"}}, True),
        ({"web": {"listen": "0.0.0.0:9000"}}, True),
        ({"state": {"history": "7d"}}, True),
    ],
)
def test_only_some_keys_restart_the_pod(config: dict[str, Any], restarts: bool) -> None:
    """Only changed keys that a reload cannot apply change the pod template."""

    def template(given: dict[str, Any]) -> Any:
        return manifest(given, "StatefulSet")["spec"]["template"]

    assert (template({"config": config}) != template({})) is restarts


def test_each_shard_gets_its_ordinal() -> None:
    """Each pod gets its shard from its index; a single pod gets none."""
    given = values("shards")
    assert manifest(given, "StatefulSet")["spec"]["replicas"] == 3
    index, shard = container(given)["env"]
    assert index["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"
    assert shard == {"name": "STACKSET_MONITOR_SHARD", "value": f"$({index['name']})/3"}
    assert "env" not in container({})
    test = manifest(given, "Pod")["spec"]["containers"][0]["args"]
    assert [url.split(".")[0] for url in test[1:]] == [f"http://demo-stackset-monitor-{n}" for n in range(3)]


def test_state_is_on_a_volume_or_an_empty_dir() -> None:
    """The volume is mounted at the folder of config.state.path."""
    kept, gone = manifest({}, "StatefulSet")["spec"], manifest(values("shards"), "StatefulSet")["spec"]
    assert [claim["metadata"]["name"] for claim in kept["volumeClaimTemplates"]] == ["state"]
    assert "volumeClaimTemplates" not in gone
    assert {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}} in gone["template"]["spec"]["volumes"]
    moved = container({"config": {"state": {"path": "/data/here/monitor.db"}}})["volumeMounts"]
    assert {"name": "state", "mountPath": "/data/here"} in moved


def test_probes_and_scrapes_use_tls() -> None:
    """The certificate is mounted where the web configuration names it."""
    given = values("everything")
    assert yaml.safe_load(files(given)["web.yml"]) == {
        "tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"},
        "basic_auth_users": given["web"]["basicAuthUsers"],
    }
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(given)[probe]["httpGet"]["scheme"] == "HTTPS"
    (endpoint,) = manifest(given, "ServiceMonitor")["spec"]["endpoints"]
    assert (endpoint["scheme"], endpoint["honorLabels"]) == ("https", True)
    (volume,) = (
        one
        for one in manifest(given, "StatefulSet")["spec"]["template"]["spec"]["volumes"]
        if one["name"] == "configuration"
    )
    assert [*volume["projected"]["sources"]] == [
        {"secret": {"name": "fleet-watch"}},
        {"secret": {"name": "stackset-monitor-tls"}},
    ]


def test_probes_with_client_certificates_use_tcp() -> None:
    """A kubelet has no client certificate, and neither has `helm test`."""
    given = values("mutual-tls")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(given)[probe]["tcpSocket"] == {"port": "metrics"}
        assert "httpGet" not in container(given)[probe]
    assert "tests/ready.yaml" not in rendered(given)


def test_network_policy_rules() -> None:
    """Ingress is limited to the scraper; egress is DNS, 443, the Pod Identity agent and extraEgress."""
    policy = manifest(values("everything"), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    (ingress,) = policy["ingress"]
    assert ingress["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert ingress["from"][0] == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert [sorted({port["port"] for port in rule["ports"]}) for rule in policy["egress"]] == [
        [53],
        [443],
        [80],
        [3128],
    ]
    assert [to["ipBlock"]["cidr"] for to in policy["egress"][2]["to"]] == ["169.254.170.23/32", "fd00:ec2::23/128"]


def test_rules_equal_alerts_yaml() -> None:
    """The PrometheusRule contains the groups of alerts.yaml; only the addresses of the runbooks differ."""
    groups = manifest({"alerts": {"enabled": True}}, "PrometheusRule")["spec"]["groups"]
    expected = copy.deepcopy(ALERTS)
    for rule in (rule for group in (*groups, *expected) for rule in group["rules"] if "alert" in rule):
        assert rule["annotations"].pop("runbook_url").removesuffix(".md").endswith(f"/{rule['alert']}")
    assert groups == expected


def test_alert_overrides_change_only_their_alert() -> None:
    """alerts.rules changes, disables and annotates single alerts."""
    before, after = rules({}), rules(values("everything")["alerts"])
    assert set(before) - set(after) == {"StackInstancesDisappeared"}
    outdated = after["StackInstanceOutdated"]
    assert (outdated["for"], outdated["labels"]) == ("2h", {"severity": "info", "team": "platform"})
    assert outdated["annotations"]["dashboard"] == "https://grafana.example.com/d/stackset-monitor"
    assert outdated["annotations"]["runbook_url"] == (
        "https://runbooks.example.com/stackset-monitor/StackInstanceOutdated.md"
    )
    assert after["StackSetMonitorDown"]["keep_firing_for"] == "10m"
    inoperable = after["StackInstanceInoperable"]
    assert inoperable["labels"] == {"severity": "critical", "team": "platform"}
    assert (inoperable["for"], inoperable["expr"]) == ("5m", before["StackInstanceInoperable"]["expr"])


def test_dashboard_equals_the_file() -> None:
    """The ConfigMap has the label that the sidecar of Grafana selects."""
    one = manifest({"dashboard": {"enabled": True}}, "ConfigMap", "demo-stackset-monitor-dashboard")
    assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
    source = json.loads((CHART / "dashboards" / "stackset-monitor.json").read_text())
    assert json.loads(one["data"]["stackset-monitor.json"]) == source


def test_extra_manifests_are_templates() -> None:
    """Objects and text in extraManifests can refer to the release."""
    names = {one["metadata"]["name"] for one in manifests(values("everything"))}
    assert {"aws-settings", "fleet-watch-more"} <= names


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shard": 3}, "additional properties 'shard' not allowed"),
        ({"shards": 0}, "minimum: got 0, want 1"),
        ({"config": {"product": []}}, "additional properties 'product' not allowed"),
        ({"config": {"poll": {"interval": "5 m"}}}, "does not match pattern"),
        ({"config": {"products": [{"name": "without an id"}]}}, "missing property 'id'"),
        (
            {"alerts": {"rules": {"StackInstanceOutdatd": {}}}},
            "additional properties 'StackInstanceOutdatd' not allowed",
        ),
        ({"alerts": {"rules": {"StackInstanceOutdated": {"for": "an hour"}}}}, "does not match pattern"),
        ({"image": {"digest": "latest"}}, "does not match pattern"),
        ({"terminationGracePeriodSeconds": 5}, "minimum: got 5, want 11"),
        ({"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}, "each pod would be scraped twice"),
        ({"web": {"tls": {"clientAuth": True}}}, "because client certificates need TLS"),
        ({"web": {"basicAuthUsers": {"me": "$2y$12$x"}}}, "set configKind to Secret"),
        ({"web": {"basicAuthUsers": {"me": "password"}}}, "does not match pattern"),
        ({"config": {"sources": [{"name": "hub", "external_id": "hidden"}]}}, "hub has an external_id"),
        (
            {"config": {"web": {"config_file": "mine.yml"}}, "web": {"tls": {"secretName": "tls"}}},
            "config.web.config_file cannot be used with web.tls or web.basicAuthUsers",
        ),
    ],
)
def test_invalid_values_are_refused(given: dict[str, Any], said: str) -> None:
    """Helm refuses invalid values with a clear message that contains no secret."""
    with pytest.raises(HelmError) as refused:
        rendered(given)
    assert said in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_notes_list_the_next_steps() -> None:
    """The notes have three commands, and warnings if nothing is monitored or scraped."""
    notes = rendered({})["NOTES.txt"]
    assert re.findall(r"^\d\. ", notes, re.MULTILINE) == ["1. ", "2. ", "3. "]
    assert "monitors NO PRODUCTS YET" in notes
    assert "Prometheus does not scrape it yet" in notes
    assert "monitors 2 provisioned products." in rendered(values("everything"))["NOTES.txt"]
    assert "monitors the products that its sources discover." in rendered(values("discover"))["NOTES.txt"]


def test_schema_contains_the_configuration_schema() -> None:
    """values.schema.json contains the output of `stackset-monitor schema` in $defs."""
    own = json_schema()
    own.pop("$schema")
    parts = own.pop("$defs")
    assert SCHEMA["$defs"]["Configuration"] == own
    assert {name: part for name, part in SCHEMA["$defs"].items() if name not in {"AlertRule", "Configuration"}} == parts


def test_schema_lists_every_alert() -> None:
    """alerts.rules accepts exactly the names of alerts.yaml."""
    assert list(SCHEMA["properties"]["alerts"]["properties"]["rules"]["properties"]) == NAMES


OPAQUE = {"config", "resources", "podSecurityContext", "securityContext", "dashboard.labels"}
"""Values that README.md documents without their fields."""


def leaves(part: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Return the path and default of each value."""
    for name, value in part.items():
        here = f"{path}.{name}".removeprefix(".")
        if isinstance(value, dict) and value and here not in OPAQUE:
            yield from leaves(value, here)
        else:
            yield here, value


def test_readme_lists_every_value() -> None:
    """README.md has each value with its default, in the order of values.yaml."""
    rows = re.findall(r"^\| `([\w.]+)` \| (.*?) \| .+ \|$", (CHART / "README.md").read_text(), re.MULTILINE)
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert rows == [
        (path, "see values.yaml" if path in OPAQUE else f"`{json.dumps(value)}`") for path, value in leaves(defaults)
    ]


def test_first_values_of_the_readme_render() -> None:
    """The first example renders, with the service account that docs/iam.md names."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (CHART / "README.md").read_text(), re.DOTALL)
    objects = manifests(yaml.safe_load(textwrap.dedent(text)))
    kinds = {one["kind"] for one in objects}
    assert {"StatefulSet", "ServiceMonitor", "PrometheusRule", "NetworkPolicy", "ServiceAccount"} <= kinds
    (account,) = (one for one in objects if one["kind"] == "ServiceAccount")
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].startswith("arn:aws:iam::")
