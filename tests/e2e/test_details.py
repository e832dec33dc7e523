"""A rollout that fails in one account and skips another, followed from CloudFormation to metrics, log and page."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Aws
from tests.e2e.process import DaemonProcess, eventually
from tests.making import EU, ONE, THREE, TWO, US

PRODUCT = "pp-aaaaaaaaaaaaa"
REASON = "Resource handler returned message: You have reached the limit of 10 <VPCs>"
SUSPENDED = "SKIPPED_SUSPENDED_ACCOUNT"


@pytest.fixture
def config(aws: Aws, tmp_path: Path) -> Path:
    """Add a product in three accounts and two Regions, all CURRENT; the third account is accepted."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for account in (ONE, TWO, THREE):
        for region in (EU, US):
            aws.stack_sets.set(PRODUCT, account, region, "CURRENT")
    path = tmp_path / "monitor.yaml"
    path.write_text(
        f"""
poll: {{interval: 2s, timeout: 2s}}
sources: [{{name: hub, region: eu-west-1, calls_per_second: 1000, details: true}}]
products: [{PRODUCT}]
accepted: [{{account: "{THREE}", statuses: [OUTDATED], until: 2999-12-31, reason: is being closed}}]
state: {{path: {tmp_path}/monitor.db}}
web: {{listen: "127.0.0.1:0"}}
log: {{level: debug}}
"""
    )
    return path


def get(daemon: DaemonProcess, path: str) -> str:
    """Return a page of the daemon."""
    status, body = daemon.get(path)
    assert status == 200
    return body.decode()


def events(daemon: DaemonProcess, name: str) -> list[dict[str, Any]]:
    """Return the events with this name."""
    return [entry for entry in daemon.entries if entry["event"] == name]


def test_a_rollout_is_explained_from_its_start_to_its_end(aws: Aws, config: Path, tmp_path: Path) -> None:
    """Progress while it runs, the reason on the transition, one event at its end, and the same after a restart."""
    products = aws.stack_sets
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("provisioned_product.baseline")
        products.set_status(PRODUCT, "UNDER_CHANGE")
        operation = products.start_operation(PRODUCT, region_order=(US, EU))
        products.set(PRODUCT, ONE, US, "OUTDATED", "FAILED", REASON)
        products.set(PRODUCT, TWO, US, "OUTDATED", SUSPENDED)
        products.set(PRODUCT, THREE, US, "OUTDATED", "CANCELLED")
        progress = "servicecatalog_rollout_instances"
        assert eventually(lambda: list(daemon.samples(progress, state="failed").values()) == [3.0])
        assert daemon.samples("servicecatalog_rollout_end_timestamp_seconds") == {}
        products.end_operation(PRODUCT, "FAILED", "the failure tolerance was exceeded")
        products.set_status(PRODUCT, "TAINTED", "1 of 6 stack instances failed")
        ended = daemon.wait_for_event("rollout.completed")
        assert (ended["level"], ended["operation_id"], ended["status"]) == ("warning", operation, "FAILED")
        assert (ended["succeeded"], ended["failed"], ended["instances"]) == (0, 3, 6)
        metric = "servicecatalog_stack_instance_detailed_status"
        assert eventually(lambda: len(daemon.samples(metric)) == 3)
        assert list(daemon.samples(metric, account=TWO, region=US, detailed_status=SUSPENDED).values()) == [1.0]
        assert daemon.samples("servicecatalog_stack_instance_accepted", account=THREE) == {(US,): 1.0}
        assert daemon.samples("servicecatalog_stack_instances_accepted", status="OUTDATED") == {(): 1.0}
        tainted = daemon.wait_for_event("provisioned_product.transition", status="TAINTED")
        assert "1 of 6 stack instances failed" in tainted["status_reason"]
        instances = json.loads(get(daemon, f"/api/v1/products/{PRODUCT}/instances"))
        assert REASON in json.dumps(instances)
        page = get(daemon, f"/products/{PRODUCT}")
        assert "limit of 10 &lt;VPCs&gt;" in page
        assert "is being closed" in page
        assert daemon.stop() == 0
    failed = [entry for entry in events(daemon, "stack_instance.transition") if entry["account"] == ONE]
    assert [(entry["detailed_status"], entry["status_reason"], entry["operation_id"]) for entry in failed] == [
        ("FAILED", REASON, operation)
    ]
    assert len(events(daemon, "rollout.completed")) == 1
    products.denied |= {"ListStackInstances", "ListStackSetOperations"}
    with DaemonProcess(config) as daemon:
        assert len(daemon.samples(metric)) == 3  # at the first scrape, from the state
        error = daemon.wait_for_event("details.failed")
        assert error["error_code"] == "AccessDenied"
        assert eventually(lambda: list(daemon.samples("servicecatalog_details_up").values()) == [0.0])
        assert len(daemon.samples(metric)) == 3
        assert list(daemon.samples("servicecatalog_up").values()) == [1.0]
        products.denied.clear()
        daemon.wait_for_event("details.recovered")
        assert daemon.stop() == 0
    assert events(daemon, "rollout.completed") == []
