"""More due polls than workers, with the daemon as a process."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.e2e.process import DaemonProcess, eventually
from tests.faulty_aws.exchange import Plan
from tests.faulty_aws.faults import late
from tests.faulty_aws.server import FaultyAws, forward_to

SLOW, QUICK = "pp-aaaaaaaaaaaaa", "pp-bbbbbbbbbbbbb"


def test_late_polls_are_counted_and_never_overlap(aws: Aws, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a slow product occupies the only worker, polls of the other one are skipped; they continue afterwards."""
    for product in (SLOW, QUICK):
        aws.stack_sets.add_product(product, product)
        aws.stack_sets.set(product, "111111111111", "eu-west-1", "CURRENT")
    slow = FaultyAws(forward_to(aws.url))
    monkeypatch.setenv("AWS_ENDPOINT_URL", slow.start())
    slow.plan(Plan(late(0.8), product_id=SLOW, times=None))
    config.write_text(
        config.read_text()
        .replace("interval: 300ms", "interval: 2s\n  concurrency: 1")
        .replace("  timeout: 300ms\n", "")
        .replace("products:", f"products:\n  - id: {QUICK}\n    interval: 200ms")
    )
    with DaemonProcess(config) as daemon:
        overruns = "servicecatalog_polls_skipped_total"
        assert eventually(lambda: by_product(daemon, overruns, reason="overrun")[QUICK] >= 4)
        daemon.wait_for_events(3, "poll.completed", provisioned_product_id=SLOW)
        assert by_product(daemon, overruns, reason="overrun")[SLOW] == 0
        completed = [e for e in daemon.entries if e["event"] == "poll.completed"]
        assert daemon.stop() == 0
    slow.stop()
    between = {e["provisioned_product_id"] for one, e in pairwise(completed) if one["provisioned_product_id"] == SLOW}
    assert QUICK in between


def by_product(daemon: DaemonProcess, name: str, **labels: str) -> dict[str, float]:
    """Return the samples with this name by product."""
    return {
        sample.labels["provisioned_product_id"]: sample.value
        for sample in daemon.scrape()
        if sample.name == name and labels.items() <= sample.labels.items()
    }
