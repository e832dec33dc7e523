"""The memory of the daemon after some polls, compared with the same series as gauges of prometheus_client."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.clients import Target, body
from benchmarks.fleets import Fleet
from benchmarks.servers import daemon, pages
from benchmarks.usage import Memory, memory
from monitor.config.settings import SeriesOptions

_GAUGES = """
import sys
from prometheus_client import CollectorRegistry, Gauge
from benchmarks.fleets import Fleet
fleet = Fleet(int(sys.argv[1]), int(sys.argv[2]))
labels = ("provisioned_product_id", "provisioned_product_name", "account", "region", "status")
gauge = Gauge("servicecatalog_stack_instance_status", "The same series.", labels, registry=CollectorRegistry())
for product in map(fleet.product, range(fleet.products)):
    for (account, region), held in fleet.statuses().items():
        for status in ("CURRENT", "OUTDATED", "INOPERABLE"):
            gauge.labels(product.id, product.name, account, region, status).set(status == held)
print(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
"""


def daemon_memory(fleet: Fleet, *, polls: int, maximum: int = SeriesOptions().max_instance_series) -> Memory:
    """Return the memory of a daemon with at most `maximum` instance series.

    It has polled each product `polls` times while it was scraped.
    """
    pages_of_all = fleet.products * -(-fleet.instances // 20)
    interval = max(5, pages_of_all // 400)  # seconds; longer than a cycle on a busy machine
    with tempfile.TemporaryDirectory() as folder, pages(instances=fleet.instances, changes=True) as url:
        config = fleet.configuration(
            Path(folder), interval=f"{interval}s", metrics=f"{{max_instance_series: {maximum}}}"
        )
        with daemon(config, url) as process:
            target = Target(process.url.removeprefix("http://"))
            while True:
                process.forget("stack_instance.transition", "poll.completed", "provisioned_product.baseline")
                text = body(target, gzip=True)
                counts = polls_of(text)
                if len(counts) == fleet.products and min(counts) >= polls:
                    return memory(process.pid)
                time.sleep(max(1, fleet.size / 20_000))  # parsing a large response takes seconds


def gauges_memory(fleet: Fleet) -> int:
    """Return the memory in KiB of a process that holds the status of each instance as a gauge."""
    command = [sys.executable, "-c", _GAUGES, str(fleet.products), str(fleet.instances)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def polls_of(packed: bytes) -> list[int]:
    """Return how many polls each product had, from a scrape with gzip."""
    import gzip  # noqa: PLC0415

    text = gzip.decompress(packed)
    return [
        int(line.rsplit(b" ", 1)[1]) for line in text.splitlines() if line.startswith(b"servicecatalog_polls_total{")
    ]
