"""Two replicas that share a table of DynamoDB: each product is shown, polled and logged by one of them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.conftest import Aws
from tests.e2e.process import DaemonProcess, eventually
from tests.making import EU, ONE, TWO

STATUS = "servicecatalog_stack_instance_status"
OWNER = "stackset_monitor_lease_owner"
PRODUCTS = [f"pp-{letter * 13}" for letter in "abcdef"]
LEASE_SECONDS = 5
TABLE = "stackset-monitor"


def create_table(endpoint: str) -> None:
    """Create the table, without anything that an earlier test left in it."""
    client: Any = boto3.client("dynamodb", endpoint_url=endpoint)
    if TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=TABLE)
    keys = {"pk": "HASH", "sk": "RANGE"}
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
    )
    client.close()


@pytest.fixture
def shared(aws: Aws, tmp_path: Path) -> Path:
    """Fill the simulated AWS and the configuration of the replicas."""
    create_table(aws.url)
    for product_id in PRODUCTS:
        aws.stack_sets.add_product(product_id, product_id)
        aws.stack_sets.set(product_id, ONE, EU, "CURRENT")
    path = tmp_path / "monitor.yaml"
    path.write_text(
        "poll: {interval: 300ms, timeout: 300ms, stale_after: 1h}\n"
        "sources: [{name: default, calls_per_second: 1000}]\n"
        f"products: [{', '.join(PRODUCTS)}]\n"
        f"state: {{dynamodb: {{table: {TABLE}}}}}\n"
        f"cluster: {{shards: 4, lease: {LEASE_SECONDS}s}}\n"
        "web: {listen: 127.0.0.1:0}\n"
    )
    return path


def shown(daemon: DaemonProcess) -> set[str]:
    """Return the products whose instances a replica shows."""
    return {s.labels["provisioned_product_id"] for s in daemon.scrape() if s.name == STATUS}


def owned(daemon: DaemonProcess) -> int:
    """Return how many leases a replica holds."""
    return round(sum(daemon.samples(OWNER).values()))


def transitions(*daemons: DaemonProcess) -> list[tuple[str, str, str | None]]:
    """Return the id, the product and the status of each logged transition."""
    return [
        (entry["event_id"], entry["provisioned_product_id"], entry["status"])
        for daemon in daemons
        for entry in daemon.entries
        if entry["event"] == "stack_instance.transition"
    ]


@pytest.mark.timeout(120)
def test_replicas_divide_the_products_and_take_over(aws: Aws, shared: Path) -> None:
    """Every product is shown once, a killed replica is replaced, and no transition is lost or has a second id."""
    with DaemonProcess(shared) as one:
        assert eventually(lambda: shown(one) == set(PRODUCTS))
        with DaemonProcess(shared) as two:
            assert eventually(lambda: owned(one) == owned(two) == 2)
            assert eventually(lambda: shown(one) | shown(two) == set(PRODUCTS))
            assert not shown(one) & shown(two)

            taken = sorted(shown(two))
            two.stop(signal.SIGKILL)
            for product_id in PRODUCTS:
                aws.stack_sets.set(product_id, TWO, EU, "OUTDATED")
            assert eventually(lambda: shown(one) == set(PRODUCTS))
            assert eventually(lambda: len(transitions(one)) == len(PRODUCTS))
            assert {product_id for _, product_id, _ in transitions(one)} == set(PRODUCTS) > set(taken)
            assert all(len([t for t in transitions(one, two) if t[1] == product_id]) == 1 for product_id in PRODUCTS)
        # A baseline is logged for each product once, by whichever replica polled it first.
        baselines = [e for d in (one, two) for e in d.entries if e["event"] == "provisioned_product.baseline"]
        assert len(baselines) == len(PRODUCTS)


@pytest.mark.timeout(120)
def test_a_graceful_stop_hands_over_at_once(aws: Aws, shared: Path) -> None:
    """The other replica does not wait for the end of the lease; transitions in between are logged."""
    with DaemonProcess(shared) as one, DaemonProcess(shared) as two:
        assert eventually(lambda: owned(one) == owned(two) == 2)
        assert one.stop() == 0
        stopped = time.monotonic()
        assert eventually(lambda: shown(two) == set(PRODUCTS))
        assert time.monotonic() - stopped < LEASE_SECONDS
        assert one.wait_for_events(2, "lease.lost", reason="released")
        aws.stack_sets.set(PRODUCTS[0], ONE, EU, "INOPERABLE")
        two.wait_for_event("stack_instance.transition", status="INOPERABLE")


@pytest.mark.timeout(120)
def test_a_replica_that_was_stopped_shows_nothing_afterwards(aws: Aws, shared: Path) -> None:
    """After SIGSTOP for longer than the lease, no scrape has a product of the new owner, and it commits nothing."""
    with DaemonProcess(shared) as one:
        assert eventually(lambda: shown(one) == set(PRODUCTS))
        os.kill(one.pid, signal.SIGSTOP)
        with DaemonProcess(shared) as two:
            assert eventually(lambda: shown(two) == set(PRODUCTS))
            for product_id in PRODUCTS:
                aws.stack_sets.set(product_id, ONE, EU, "OUTDATED")
            two.wait_for_events(len(PRODUCTS), "stack_instance.transition")
            os.kill(one.pid, signal.SIGCONT)
            assert not shown(one) & set(PRODUCTS) or owned(one)
            assert not shown(one) & shown(two)
            assert eventually(lambda: owned(one) == owned(two) == 2)
            assert eventually(lambda: shown(one) | shown(two) == set(PRODUCTS))
            ids = [event_id for event_id, _, _ in transitions(one, two)]
            assert len(set(ids)) == len(PRODUCTS)
            assert [event["event"] for event in one.entries].count("lease.lost") >= 4


def test_a_daemon_without_its_table_serves_and_waits(aws: Aws, shared: Path) -> None:
    """It says what is missing and how to make it, and monitors as soon as the table is there."""
    client: Any = boto3.client("dynamodb", endpoint_url=aws.url)
    client.delete_table(TableName=TABLE)
    client.close()
    with DaemonProcess(shared) as daemon:
        failed = daemon.wait_for_event("state.failed")
        assert "ResourceNotFoundException" in failed["message"]
        assert "aws-template" in failed["message"]
        assert daemon.get("/livez")[0] == 200
        create_table(aws.url)
        assert eventually(lambda: shown(daemon) == set(PRODUCTS))
        assert daemon.stop() == 0
