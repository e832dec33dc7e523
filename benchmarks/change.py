"""The cost of one changed instance, from the listing to the new response."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.fleets import Fleet
from benchmarks.poll import cpu, one_poll
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadline
from monitor.model.instances import Listing, Status
from monitor.model.products import STACK_SET, ProductDetail, ProductStatus


class _FixedListing:
    """A catalog that returns a listing without requests."""

    calls_per_second = 1e6
    page_size = 20
    details = None

    def __init__(self, fleet: Fleet) -> None:
        self.statuses = dict(fleet.statuses())

    def list_stack_instances(
        self,
        product_id: str,  # noqa: ARG002 - there is one
        deadline: Deadline,  # noqa: ARG002
        on_page: Callable[[int, int], None] | None = None,  # noqa: ARG002
    ) -> Listing:
        return Listing(dict(self.statuses), len(self.statuses) // 20, {})

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:  # noqa: ARG002
        return ProductDetail(product_id, "baseline", STACK_SET, ProductStatus.AVAILABLE, "", "", "", "")


def measure(runs: int, fleet: Fleet) -> list[float]:
    """Return the CPU seconds from the listing to the last byte of the gzip response, for each run."""
    listed, monitor_metrics = _FixedListing(fleet), MonitorMetrics(version="", revision="")
    keys = sorted(listed.statuses)
    measured: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        poll, metrics = one_poll(Path(folder), listed, monitor_metrics)

        def change() -> None:
            poll()
            b"".join(metrics.exposition(openmetrics=True).gzip())

        for run in range(runs + 2):
            key = keys[run * 7_919 % len(keys)]
            listed.statuses[key] = Status.OUTDATED if listed.statuses[key] is Status.CURRENT else Status.CURRENT
            measured.append(cpu(change))
    return measured[2:]  # without the baseline and a warm-up
