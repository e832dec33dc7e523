"""The file of the alerts itself: its texts, its runbooks, its table in the documents, and the examples around it."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.story import RULES, Monitor, Product, alert, texts

ROOT = Path(__file__).parents[2]
RUNBOOKS = ROOT / "docs" / "runbooks"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
NAMES = [
    "StackInstanceInoperable",
    "StackInstanceOutdated",
    "StackInstancesOutdatedMany",
    "ProvisionedProductFailed",
    "ProvisionedProductChangeStuck",
    "StackInstancesDisappeared",
    "StackSetMonitorDown",
    "StackSetMonitorDataStale",
    "StackSetMonitorPollErrors",
    "StackSetMonitorAccessDenied",
    "StackSetMonitorThrottled",
    "StackSetMonitorPollOverrun",
    "StackSetMonitorConfigReloadFailed",
]


@pytest.mark.needs("promtool")
def test_promtool_has_nothing_to_say() -> None:
    """Neither of the rules nor of the configuration that loads them."""
    for command in (["check", "rules", str(RULES)], ["check", "config", str(ROOT / "config" / "prometheus.yml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == 0, done.stderr
        assert "SUCCESS" in done.stdout


@pytest.mark.needs("amtool")
def test_amtool_takes_the_example() -> None:
    """Routes, matchers and inhibitions are read as they are meant."""
    config = str(ROOT / "config" / "alertmanager.yml")
    done = subprocess.run(["amtool", "check-config", config], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, "SUCCESS" in done.stdout) == (0, True), done.stderr
    for labels, receiver in (
        (["alertname=StackInstanceInoperable", "severity=critical"], "on-call"),
        (["alertname=StackInstanceOutdated", "severity=warning"], "platform-team"),
        (["alertname=StackSetMonitorDown", "severity=critical"], "on-call"),
    ):
        command = ["amtool", "config", "routes", "test", f"--config.file={config}", *labels]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
        assert done.stdout.strip() == receiver


def test_every_alert_is_there() -> None:
    """The names are fixed: routes, silences and inhibitions of users go by them."""
    assert list(ALERTS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_has_what_a_human_needs(name: str) -> None:
    """Severity, a summary, a description, and a runbook with the usual sections."""
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}.md")
    runbook = (RUNBOOKS / f"{name}.md").read_text()
    assert runbook.startswith(f"# {name}\n")
    sections = ["Meaning", "Impact", "Diagnosis", "Mitigation", "When to silence"]
    assert re.findall(r"^## (.+)$", runbook, re.MULTILINE) == sections


def test_there_is_no_runbook_without_an_alert() -> None:
    """A name that was changed would leave one behind."""
    assert sorted(path.stem for path in RUNBOOKS.glob("*.md")) == sorted(NAMES)


def test_the_table_in_the_documents_says_the_same() -> None:
    """Name, severity and `for` of each alert, in the order of the file."""
    rows = re.findall(
        r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \| (\w*) ?\|",
        (ROOT / "docs" / "alerts.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [(name, name, rule["labels"]["severity"], rule.get("for", "")) for name, rule in ALERTS.items()]


@pytest.mark.needs("promtool")
def test_an_alert_reads_as_a_sentence(tmp_path: Path) -> None:
    """With the account, the Region and the time that the on-call needs."""
    labels = {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
    one = alert("StackInstanceInoperable", **labels, account="111122223333", region="eu-west-1", status="INOPERABLE")
    product = Product(instances={("111122223333", "eu-west-1", "INOPERABLE"): {1: 1}})
    summary = "baseline is INOPERABLE in 111122223333 eu-west-1"
    description = (
        "A delete of this stack instance failed (first seen 1970-01-01 00:01:00 +0000 UTC). Every later update of"
        " baseline (pp-aaaaaaaaaaaaa) skips it without an error."
    )
    texts((Monitor((product,)),), 10, one, "critical", summary, description, tmp_path)


@pytest.mark.needs("promtool")
def test_an_alert_of_failing_polls_says_why(tmp_path: Path) -> None:
    """The reason is no label, or the alert would fire anew when it changes."""
    labels = {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
    summary = "Polls of baseline fail"
    description = (
        "The polls of baseline (pp-aaaaaaaaaaaaa) fail: timeout. Its last snapshot stays until poll.stale_after."
    )
    one = alert("StackSetMonitorPollErrors", **labels)
    monitor = Monitor((Product(failing={0: "timeout"}),))
    texts((monitor,), 12, one, "warning", summary, description, tmp_path)
