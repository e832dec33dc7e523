"""Effects of values, and invalid values."""

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import trustme
import yaml
from helm_python.errors import HelmError

from tests.chart.chart import CASES, CHART, container, manifest, manifests, rendered, values

ALERTS = yaml.safe_load((CHART / "alerts.yaml").read_text())["groups"]
NAMES = [rule["alert"] for group in ALERTS for rule in group["rules"] if "alert" in rule]
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
NUMBERS = {"number", "integer"}


def files(given: dict[str, Any]) -> dict[str, str]:
    """Return the configuration files that a pod mounts."""
    name = "fleet-watch" if given.get("fullnameOverride") else "demo-stackset-monitor"
    kind = given.get("configKind", "ConfigMap")
    one = manifest(given, kind, name)
    found: dict[str, str] = one["stringData" if kind == "Secret" else "data"]
    return found


def rules(alerts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the alerts of the PrometheusRule, by name."""
    groups = manifest({"prometheusRule": {"enabled": True}, "alerts": alerts}, "PrometheusRule")["spec"]["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


@pytest.mark.parametrize("case", [case for case in CASES if case not in {"defaults", "existing"}])
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
    """The state is on a volume, on an emptyDir or on a claim of the user."""
    kept, gone = manifest({}, "StatefulSet")["spec"], manifest(values("shards"), "StatefulSet")["spec"]
    assert [claim["metadata"]["name"] for claim in kept["volumeClaimTemplates"]] == ["state"]
    assert "volumeClaimTemplates" not in gone
    assert {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}} in gone["template"]["spec"]["volumes"]
    own = manifest(values("existing"), "StatefulSet")["spec"]
    assert "volumeClaimTemplates" not in own
    claim = {"name": "state", "persistentVolumeClaim": {"claimName": "stackset-monitor"}}
    assert claim in own["template"]["spec"]["volumes"]


@pytest.mark.parametrize("state", [None, {}, {"path": "state/monitor.db"}, {"history": "7d"}, {"path": "./a/../b.db"}])
def test_state_is_always_on_the_volume(state: dict[str, Any] | None) -> None:
    """The volume has one fixed folder, and relative paths are below it."""
    one = container({"config": {"state": state}})
    assert {"name": "state", "mountPath": "/var/lib/stackset-monitor"} in one["volumeMounts"]
    assert one["workingDir"] == "/var/lib/stackset-monitor"
    path = yaml.safe_load(files({"config": {"state": state}})["monitor.yaml"])["state"]["path"]
    assert path == (state or {}).get("path", "/var/lib/stackset-monitor/monitor.db")


def test_example_configuration_renders() -> None:
    """config/monitor.yaml can be used as `config` unchanged."""
    config = yaml.safe_load((CHART.parent / "config" / "monitor.yaml").read_text())
    assert yaml.safe_load(files({"config": config})["monitor.yaml"]) == config


def test_strings_survive_rendering() -> None:
    """Text that looks like another type of YAML, for any version of YAML, stays text."""
    texts = [
        *(
            "0123",
            "1:20",
            "190:20:30.15",
            "yes",
            "NO",
            "on",
            "y",
            "~",
            "null",
            "2027-01-31",
            "1_000",
            "0x1F",
            "0b1",
            "0o7",
        ),
        *(
            "1e3",
            ".5",
            "+1",
            ".inf",
            "-.INF",
            ".nan",
            "=",
            "<<",
            "!",
            "&a",
            "*a",
            "# a",
            "a: b",
            "- a",
            "{{ a }}",
            "%a",
        ),
        *("a #b", " a", "a ", "a\nb", "a\tb", '"', "'", "\u00e9", "\u2028", "123456789012", "1.0", ""),
    ]
    tags = {f"key{number}": text for number, text in enumerate(texts)}
    config = {"sources": [{"name": "0123", "discover": {"tags": tags}}]}
    (source,) = yaml.safe_load(files({"config": config})["monitor.yaml"])["sources"]
    assert source == config["sources"][0]


def test_names_that_look_like_numbers_stay_text() -> None:
    """Each scalar of the output that comes from a value is quoted."""
    given = {
        "fullnameOverride": "123",
        "namespaceOverride": "456",
        "priorityClassName": "1e3",
        "persistence": {"storageClassName": "0123", "existingClaim": ""},
        "serviceAccount": {"name": "true"},
        "commonLabels": {"team": "007"},
        "serviceMonitor": {"enabled": True, "jobLabel": "1"},
        "imagePullSecrets": ["99"],
    }
    for one in manifests(given):
        if one["kind"] != "ServiceMonitor":
            kubernetes_validate.validate(one, "1.37", strict=True)
        assert (one["metadata"]["namespace"], one["metadata"]["labels"]["team"]) == ("456", "007")


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
        *given["extraConfigFiles"],
    ]


def test_probes_with_client_certificates_use_tcp() -> None:
    """A kubelet has no client certificate, and neither has `helm test`."""
    given = values("mutual-tls")
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container(given)[probe]["tcpSocket"] == {"port": "metrics"}
        assert "httpGet" not in container(given)[probe]
    assert "tests/products.yaml" not in rendered(given)


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
    """With the default values, the PrometheusRule has the groups of alerts.yaml, without links and marks."""
    spec = manifest({"prometheusRule": {"enabled": True}}, "PrometheusRule")["spec"]
    expected = copy.deepcopy(ALERTS)
    for group in expected:
        for rule in group["rules"]:
            rule["expr"] = re.sub(r" +# alerts\.\w+", "", rule["expr"])
            for link in ("runbook_url", "monitor_url"):
                rule.get("annotations", {}).pop(link, None)
    assert spec["groups"] == expected


def test_hold_changes_all_recording_rules() -> None:
    """alerts.hold is the range of all recording rules, and of no alert."""
    groups = manifest({"prometheusRule": {"enabled": True}, "alerts": {"hold": "90m"}}, "PrometheusRule")["spec"][
        "groups"
    ]
    before = [rule for group in ALERTS for rule in group["rules"]]
    after = [rule for group in groups for rule in group["rules"]]
    changed = 0
    for old, new in zip(before, after, strict=True):
        expression = re.sub(r" +# alerts\.\w+", "", old["expr"])
        assert new["expr"] == (expression.replace("[1h]", "[90m]") if "record" in old else expression)
        changed += new["expr"] != expression
    assert changed


THRESHOLDS = [key for key, part in SCHEMA["properties"]["alerts"]["properties"].items() if part.get("type") in NUMBERS]


@pytest.mark.parametrize("name", THRESHOLDS)
def test_each_threshold_is_a_value(name: str) -> None:
    """Each threshold is marked in alerts.yaml with its default, and its value replaces it."""
    default = yaml.safe_load((CHART / "values.yaml").read_text())["alerts"][name]
    expressions = [rule["expr"] for group in ALERTS for rule in group["rules"]]
    marked = [one for one in expressions if f"# alerts.{name}" in one]
    assert marked
    for one in marked:
        assert re.findall(rf"([0-9.]+),? +# alerts\.{name}\b", one) == [str(default)] * one.count(f"# alerts.{name}")
    value = 0.25 if name.endswith("Share") else 7
    spec = manifest({"prometheusRule": {"enabled": True}, "alerts": {name: value}}, "PrometheusRule")["spec"]
    after = [rule["expr"] for group in spec["groups"] for rule in group["rules"]]
    for old, new in zip(expressions, after, strict=True):
        replaced = re.sub(rf"[0-9.]+(,?) +# alerts\.{name}\b", rf"{value}\1", old)
        assert new == re.sub(r" +# alerts\.\w+", "", replaced)


@pytest.mark.needs("promtool")
def test_rules_with_other_thresholds_are_valid(tmp_path: Path) -> None:
    """The rules are valid for promtool with thresholds of any size."""
    alerts = {"hold": "90m", "maxInstanceAlerts": 1000000, "outdatedShare": 0.00001, "outdatedDays": 0.5}
    given = {**values("everything"), "alerts": alerts}
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": manifest(given, "PrometheusRule")["spec"]["groups"]}))
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1000000," in path.read_text()


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_the_alert_without_monitors_has_a_namespace(monitor: str) -> None:
    """Namespaced routes also match the form of StackSetMonitorDown without a monitor."""
    given = {"prometheusRule": {"enabled": True}, monitor: {"enabled": True}}
    groups = manifest(given, "PrometheusRule")["spec"]["groups"]
    (down,) = (rule for group in groups for rule in group["rules"] if rule.get("alert") == "StackSetMonitorDown")
    assert 'absent(stackset_monitor_build_info{namespace="aws"})' in down["expr"]
    assert "absent(stackset_monitor_build_info)" in rules({})["StackSetMonitorDown"]["expr"]


def test_targets_of_a_renamed_release_are_found() -> None:
    """The alert on targets that never were up also covers a Service whose name is a value."""
    groups = manifest(values("everything"), "PrometheusRule")["spec"]["groups"]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]]
    assert len([one for one in expressions if 'job=~".*stackset-monitor.*|.*fleet-watch.*"' in one]) == 1


def test_alert_overrides_change_only_their_alert() -> None:
    """alerts.rules changes, disables and annotates single alerts."""
    before, after = rules({}), rules({**values("everything")["alerts"], "hold": "1h"})
    assert set(before) - set(after) == {"StackInstancesDisappeared"}
    outdated = after["StackInstanceOutdated"]
    assert (outdated["for"], outdated["labels"]) == ("2h", {"severity": "info", "team": "platform"})
    assert outdated["annotations"]["dashboard"] == "https://grafana.example.com/d/stackset-monitor"
    assert outdated["annotations"]["runbook_url"] == (
        "https://runbooks.example.com/stackset-monitor/StackInstanceOutdated.md"
    )
    pages = "https://stacksets.example.com/"
    assert outdated["annotations"]["monitor_url"] == pages + "products/{{ $labels.provisioned_product_id }}"
    assert after["StackSetMonitorThrottled"]["annotations"]["monitor_url"] == pages + "sources"
    assert "monitor_url" not in after["StackSetMonitorDown"]["annotations"]
    assert after["StackSetMonitorDown"]["keep_firing_for"] == "10m"
    inoperable = after["StackInstanceInoperable"]
    assert inoperable["labels"] == {"severity": "critical", "team": "platform"}
    assert (inoperable["for"], inoperable["expr"]) == ("5m", before["StackInstanceInoperable"]["expr"])


def test_runbooks_are_pages_of_the_monitor_by_default() -> None:
    """Without an address of the runbooks, alerts link those of the monitor, except if the monitor is down."""
    after = rules({"monitorUrl": "https://monitor.example.com"})
    for name, rule in after.items():
        down = name == "StackSetMonitorDown"
        expected = None if down else f"https://monitor.example.com/runbooks/{name}"
        assert rule["annotations"].get("runbook_url") == expected


@pytest.mark.parametrize("runbooks", ["", "https://runbooks.example.com/mine/"])
@pytest.mark.parametrize("pages", ["", "https://monitor.example.com/"])
def test_dashboard_links_only_addresses_of_the_values(runbooks: str, pages: str) -> None:
    """A link whose address is not set is removed, and everything else equals the file."""

    def kept(value: Any) -> Any:
        if isinstance(value, list):
            return [kept(one) for one in value if not (isinstance(one, dict) and one.get("url") == "")]
        return {key: kept(one) for key, one in value.items()} if isinstance(value, dict) else value

    def linked(found: dict[str, Any]) -> dict[str, Any]:
        url = found.get("url", "")
        if url.startswith("https://runbooks.example.com/stackset-monitor/"):
            name = url.removeprefix("https://runbooks.example.com/stackset-monitor/")
            found["url"] = f"{runbooks}{name}.md" if runbooks else pages and f"{pages}runbooks/{name}"
        elif url.startswith("https://stackset-monitor.example.com/"):
            found["url"] = pages and url.replace("https://stackset-monitor.example.com/", pages)
        return found

    given = {"dashboard": {"enabled": True}, "alerts": {"runbookUrl": runbooks, "monitorUrl": pages}}
    one = manifest(given, "ConfigMap", "demo-stackset-monitor-dashboard")
    assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
    source = json.loads((CHART / "dashboards" / "stackset-monitor.json").read_text(), object_hook=linked)
    assert json.loads(one["data"]["stackset-monitor.json"]) == kept(source)


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
            "config.web.config_file cannot be used with web.tls, web.basicAuthUsers or web.existingSecret",
        ),
        ({"image": {"repository": ""}}, "image.repository is required"),
        ({"config": {"state": {"path": "/monitor.db"}}}, '"/monitor.db" is not on the volume'),
        (
            {"config": {"state": {"path": "/var/lib/stackset-monitor/../x.db"}}},
            "use /var/lib/stackset-monitor/monitor.db",
        ),
        ({"config": {"state": {"path": "../x.db"}}}, '"../x.db" is not on the volume'),
        ({"config": {"web": {"listen": "127.0.0.1:9935"}}}, 'cannot reach "127.0.0.1:9935"; use :9935'),
        ({"config": {"web": {"listen": "[::1]:9935"}}}, 'cannot reach "[::1]:9935"'),
        ({"config": {"web": {"listen": ":0"}}}, '":0" has no usable port'),
        ({"config": {"web": {"listen": ":70000"}}}, '":70000" has no usable port'),
        ({"existingSecret": "a", "existingConfigMap": "b"}, "existingConfigMap and existingSecret are both set"),
        ({"existingSecret": "a", "config": {"products": ["pp-a"]}}, 'monitor.yaml comes from "a"'),
        (
            {"configKind": "Secret", "web": {"existingSecret": "a", "basicAuthUsers": {"me": "$2y$12$x"}}},
            "move the users to the web.yml",
        ),
        ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "commonLabels: app.kubernetes.io/name selects the pods"),
        ({"podLabels": {"app.kubernetes.io/instance": "x"}}, "podLabels: app.kubernetes.io/instance selects the pods"),
        (
            {"serviceMonitor": {"enabled": True, "interval": "15s", "scrapeTimeout": "20s"}},
            "serviceMonitor.scrapeTimeout: 20s is longer than the interval 15s",
        ),
        (
            {"podMonitor": {"enabled": True}, "web": {"tls": {"secretName": "a", "clientAuth": True}}},
            "podMonitor.tlsConfig: web.tls.clientAuth requires a client certificate",
        ),
        (
            {
                "serviceMonitor": {"enabled": True},
                "configKind": "Secret",
                "web": {"basicAuthUsers": {"me": "$2y$12$x"}},
            },
            "serviceMonitor.basicAuth: web.basicAuthUsers requires a password",
        ),
        ({"serviceMonitor": {"enabled": True, "tlsConfig": {"serverName": "a"}}}, "set web.tls.secretName"),
        ({"prometheusRule": {"interval": "5m"}}, "prometheusRule.interval: 5m is longer than 4m"),
        ({"prometheusRule": {"interval": "3m61s"}}, "3m61s is longer than 4m"),
        ({"alerts": {"interval": "5m"}}, "alerts.interval was renamed: use prometheusRule.interval"),
        ({"alerts": {"enabled": True}}, "alerts.enabled was renamed: use prometheusRule.enabled"),
        ({"env": []}, "env was renamed: use extraEnv"),
        ({"replicaCount": 2}, "use replicas, which share a table of DynamoDB, or shards"),
        ({"persistence": {"existingClaim": "a"}, "shards": 2}, "one volume cannot hold the state of 2 shards"),
        ({"extraArgs": ["--listen=:1"]}, "extraArgs: the chart sets --listen"),
        ({"alerts": {"outdatedShare": 10}}, "exclusiveMaximum: got 10, want 1"),
        ({"alerts": {"hold": "an hour"}}, "does not match pattern"),
        ({"extraEnv": [{"nme": "A", "value": "b"}]}, "'nme' not allowed"),
        ({"envFrom": [{"secretReff": {"name": "a"}}]}, "'secretReff' not allowed"),
        ({"tolerations": [{"kei": "a"}]}, "'kei' not allowed"),
        ({"affinity": {"nodeAfinity": {}}}, "'nodeAfinity' not allowed"),
        ({"topologySpreadConstraints": [{"maxSkw": 1}]}, "'maxSkw' not allowed"),
        ({"extraVolumes": [{"name": "a", "configmap": {"name": "a"}}]}, "'configmap' not allowed"),
        ({"extraVolumeMounts": [{"name": "a", "mountpath": "/a"}]}, "'mountpath' not allowed"),
        ({"extraContainers": [{"name": "a", "imag": "a"}]}, "'imag' not allowed"),
        ({"extraInitContainers": [{"name": "a", "imag": "a"}]}, "'imag' not allowed"),
        ({"extraConfigFiles": [{"secrets": {"name": "a"}}]}, "'secrets' not allowed"),
        ({"networkPolicy": {"ingressFrom": [{"namespaceSelecter": {}}]}}, "'namespaceSelecter' not allowed"),
        ({"networkPolicy": {"extraEgress": [{"port": []}]}}, "'port' not allowed"),
        ({"podSecurityContext": {"runAsUsr": 1}}, "'runAsUsr' not allowed"),
        ({"securityContext": {"readOnlyRootFileSystem": True}}, "'readOnlyRootFileSystem' not allowed"),
        ({"resources": {"limit": {}}}, "'limit' not allowed"),
        ({"lifecycle": {"prestop": {}}}, "'prestop' not allowed"),
        ({"dnsConfig": {"nameserver": []}}, "'nameserver' not allowed"),
        ({"hostAliases": [{"ip": "10.0.0.1", "hostname": []}]}, "'hostname' not allowed"),
        ({"updateStrategy": {"typ": "OnDelete"}}, "'typ' not allowed"),
        ({"serviceMonitor": {"relabelings": [{"sourceLabel": []}]}}, "'sourceLabel' not allowed"),
        ({"serviceMonitor": {"tlsConfig": {"servername": "a"}}}, "'servername' not allowed"),
        ({"podMonitor": {"basicAuth": {"user": {}}}}, "'user' not allowed"),
        ({"imagePullSecrets": [{"nam": "a"}]}, "'nam' not allowed"),
    ],
)
def test_invalid_values_are_refused(given: dict[str, Any], said: str) -> None:
    """Helm refuses invalid values with a clear message that contains no secret."""
    with pytest.raises(HelmError) as refused:
        rendered(given)
    assert said in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_notes_list_the_next_steps() -> None:
    """The notes have three commands, and a warning if nothing is scraped."""
    notes = rendered({})["NOTES.txt"]
    assert re.findall(r"^\d\. ", notes, re.MULTILINE) == ["1. ", "2. ", "3. "]
    assert "Prometheus does not scrape it yet" in notes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "NO PRODUCTS YET"),
        ({"config": {"products": ["pp-aaaaaaaaaaaaa"]}}, "1 provisioned product."),
        (values("everything"), "2 provisioned products."),
        (values("discover"), "the products that its sources discover."),
        ({"config": {"sources": [{"name": "hub", "discover": {}}]}}, "the products that its sources discover."),
        ({"config": {"sources": [{"name": "hub"}]}}, "NO PRODUCTS YET"),
        (
            {"config": {"products": ["pp-aaaaaaaaaaaaa"], "sources": [{"name": "hub", "discover": {}}]}},
            "1 listed provisioned product and those that its sources discover.",
        ),
        ({"existingConfigMap": "mine"}, "the products in monitor.yaml of ConfigMap mine."),
    ],
)
def test_notes_tell_what_is_monitored(given: dict[str, Any], said: str) -> None:
    """The first line of the notes is right for lists, discovery (also of everything) and existing configurations."""
    assert rendered(given)["NOTES.txt"].startswith(f"stackset-monitor 0.1.0 monitors {said}")


def test_replicas_that_share_a_table_are_a_deployment_without_volumes() -> None:
    """They roll one after the other, prefer different zones, and may be disrupted one at a time."""
    given = values("replicas")
    deployment = manifest(given, "Deployment")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    pod = deployment["template"]["spec"]
    assert [volume["name"] for volume in pod["volumes"] if "emptyDir" in volume] == ["state"]
    assert not any("persistentVolumeClaim" in volume for volume in pod["volumes"])
    assert pod["topologySpreadConstraints"][0]["topologyKey"] == "topology.kubernetes.io/zone"
    assert manifest(given, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "StatefulSet" not in {one["kind"] for one in manifests(given)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"replicas": 2}, "replicas: 2 replicas need a shared state; set config.state.dynamodb"),
        ({"replicas": 2, "shards": 3}, "replicas: 2 replicas and 3 shards cannot be combined; set shards to 1"),
        (
            {"shards": 3, "config": {"products": ["pp-a"], "state": {"dynamodb": {"table": "state"}}}},
            "shards: with config.state.dynamodb the replicas divide the products; set shards to 1",
        ),
    ],
)
def test_replicas_without_a_shared_state_are_refused(more: dict[str, Any], message: str) -> None:
    """One sentence says what to set."""
    with pytest.raises(HelmError, match=re.escape(message)):
        rendered(more)
