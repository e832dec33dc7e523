"""helm/alerts.yaml: texts, runbooks, the table in docs/alerts.md, and the example configurations."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.aws.errors import THROTTLING_CODES
from tests.alerts.scenario import RULES, Monitor, Product, alert, assert_texts

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
RECORDED = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
NAMES = [
    "StackInstanceInoperable",
    "StackInstanceOutdated",
    "StackInstanceOutdatedTooLong",
    "StackInstancesSuspended",
    "StackInstancesOutdatedMany",
    "ProvisionedProductFailed",
    "ProvisionedProductChangeStuck",
    "StackInstancesDisappeared",
    "StackSetMonitorDown",
    "StackSetMonitorDataStale",
    "StackSetMonitorPollErrors",
    "StackSetMonitorAccessDenied",
    "StackSetMonitorDescribeDenied",
    "StackSetMonitorDetailsFailed",
    "StackSetMonitorThrottled",
    "StackSetMonitorPollOverrun",
    "StackSetMonitorNoProductsDiscovered",
    "StackSetMonitorDiscoveredProductsDropped",
    "StackSetMonitorStatusUnknown",
    "StackSetMonitorSeriesDropped",
    "StackSetMonitorStateErrors",
    "StackSetMonitorStateNotCommitted",
    "StackSetMonitorLogLinesDropped",
    "StackSetMonitorConfigReloadFailed",
]


@pytest.mark.needs("promtool")
def test_promtool_accepts_the_rules() -> None:
    """Promtool accepts the rules and the Prometheus configuration that loads them."""
    for command in (["check", "rules", str(RULES)], ["check", "config", str(ROOT / "config" / "prometheus.yml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        assert "SUCCESS" in done.stdout


@pytest.mark.needs("amtool")
def test_amtool_accepts_the_example() -> None:
    """Amtool accepts the example, and the routes send alerts to the intended receivers."""
    config = str(ROOT / "config" / "alertmanager.yml")
    done = subprocess.run(["amtool", "check-config", config], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done.stderr
    for labels, receiver in (
        (["alertname=StackInstanceInoperable", "severity=critical"], "on-call"),
        (["alertname=StackInstanceOutdated", "severity=warning"], "platform-team"),
        (["alertname=StackInstancesSuspended", "severity=info"], "platform-team"),
        (["alertname=StackSetMonitorDown", "severity=critical"], "on-call"),
    ):
        command = ["amtool", "config", "routes", "test", f"--config.file={config}", *labels]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.stdout.strip() == receiver


def test_alert_names_are_fixed() -> None:
    """The alert names do not change, because routes, silences and inhibitions of users refer to them."""
    assert list(ALERTS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_texts_and_a_runbook(name: str) -> None:
    """Severity, a summary, a description, and a runbook with the usual sections."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) - {"monitor_url"} == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"https://runbooks.example.com/stackset-monitor/{name}"
    # A notification of several alerts shows the summary only if they have one in common.
    assert "{{" not in rule["annotations"]["summary"]
    runbook = (RUNBOOKS / f"{name}.md").read_text()
    assert runbook.startswith(f"# {name}\n")
    sections = ["Meaning", "Impact", "Diagnosis", "Mitigation", "When to silence"]
    assert re.findall(r"^## (.+)$", runbook, re.MULTILINE) == sections


def test_each_alert_links_a_page_of_the_monitor() -> None:
    """An alert about a product links the page of the product; only a monitor that is down has no page to link."""
    pages = {name: rule["annotations"].get("monitor_url") for name, rule in ALERTS.items()}
    assert [name for name, page in pages.items() if page is None] == ["StackSetMonitorDown"]
    for name, page in pages.items():
        about_a_product = "$labels.provisioned_product_id" in ALERTS[name]["annotations"]["description"]
        assert ("products/{{ $labels.provisioned_product_id }}" in (page or "")) == about_a_product, name


def test_each_runbook_has_an_alert() -> None:
    """No runbook remains after its alert was renamed or removed."""
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == sorted(NAMES)


def test_documented_alerts_match_the_file() -> None:
    """The table in docs/alerts.md has the name, severity and `for` of each alert, in the order of the file."""
    rows = re.findall(
        r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \| (\w*) ?\|",
        (ROOT / "docs" / "alerts.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(name, name, rule["labels"]["severity"], rule.get("for", "")) for name, rule in ALERTS.items()]


def test_thresholds_of_the_chart_are_marked() -> None:
    """Each number that the chart replaces has its comment, and is the default of the chart."""
    text = RULES.read_text()
    defaults = {
        "maxInstanceAlerts": "100",
        "outdatedShare": "0.1",
        "outdatedCount": "5",
        "outdatedDays": "2",
        "disappearedShare": "0.1",
        "discoveryDropShare": "0.1",
        "throttledShare": "0.1",
        "overrunShare": "0.3",
    }
    marked = re.findall(r"([0-9.]+),? # alerts\.(\w+)$", text, re.MULTILINE)
    assert set(marked) == {(value, name) for name, value in defaults.items()}


def test_recording_rules_hold_values_for_one_time() -> None:
    """Each `[1h]` of a recording rule is the time that the chart replaces by alerts.hold; no other range is an hour."""
    ranges = {place for rule in RECORDED for place in re.findall(r"\[(\w+)\]", rule["expr"])}
    assert ranges == {"1h", "1d", "7d"}
    longer = [rule["record"] for rule in RECORDED if re.search(r"\[(1d|7d)\]", rule["expr"])]
    assert longer == ["stackset_monitor:missing:count"]


def test_every_aggregation_and_match_has_cluster_namespace_and_job() -> None:
    """Releases and clusters do not hide each other, and routes can match the labels of each alert."""
    for rule in (*RECORDED, *ALERTS.values()):
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", rule["expr"]):
            expected = "" if rule.get("alert") == "StackSetMonitorDown" else "cluster, namespace, job"
            assert labels.startswith(expected), rule
        assert not re.search(r"\b(sum|min|max|count)\(", rule["expr"]), rule


def test_throttling_codes_are_those_of_the_monitor() -> None:
    """The rule counts each error code that the monitor treats as throttling, and the status 429 without a code."""
    (codes,) = re.findall(r'code=~"([^"]*)"', ALERTS["StackSetMonitorThrottled"]["expr"])
    assert codes.split("|") == sorted({"429", *THROTTLING_CODES})


@pytest.mark.needs("promtool")
def test_alert_texts_name_account_region_and_time(tmp_path: Path) -> None:
    """The description contains the account, the Region and the time of the first observation."""
    labels = {
        "job": "stackset-monitor",
        "provisioned_product_id": "pp-aaaaaaaaaaaaa",
        "provisioned_product_name": "baseline",
    }
    one = alert("StackInstanceInoperable", **labels, account="111122223333", region="eu-west-1", status="INOPERABLE")
    product = Product(instances={("111122223333", "eu-west-1", "INOPERABLE"): {1: 1}})
    summary = "Stack instances of a provisioned product are INOPERABLE."
    description = (
        "The stack instance in 111122223333 eu-west-1 has been INOPERABLE since 1970-01-01 00:01:00 +0000 UTC (first"
        " seen): a delete or an import failed. Every later update of baseline (pp-aaaaaaaaaaaaa) skips such an"
        " instance without an error."
    )
    assert_texts((Monitor((product,)),), 10, one, "critical", summary, description, tmp_path)


@pytest.mark.needs("promtool")
def test_poll_error_text_names_the_reason(tmp_path: Path) -> None:
    """The reason is in the text and not in a label, so that a changed reason does not fire a new alert."""
    labels = {
        "job": "stackset-monitor",
        "provisioned_product_id": "pp-aaaaaaaaaaaaa",
        "provisioned_product_name": "baseline",
    }
    summary = "Polls of a provisioned product fail."
    description = (
        "The polls of baseline (pp-aaaaaaaaaaaaa) fail: timeout. The last snapshot stays until poll.stale_after."
    )
    one = alert("StackSetMonitorPollErrors", **labels)
    monitor = Monitor((Product(failing={0: "timeout"}),))
    assert_texts((monitor,), 12, one, "warning", summary, description, tmp_path)
