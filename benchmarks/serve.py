"""The web server of the monitor with the stored instances of a `Fleet`, and without its limit of eight scrapes at once.

Run as a program, it prints its address and serves until its standard input ends.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from benchmarks.clients import Target
from benchmarks.fleets import Fleet
from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.model.diff import diff
from monitor.model.instances import Listing
from monitor.poller.protocols import StoredProduct
from monitor.web.app import application
from monitor.web.listen import listen
from monitor.web.server import Server
from tests.web.fake_views import FakeViews

SCRAPES = 512


@contextmanager
def serve(fleet: Fleet) -> Iterator[tuple[Target, int]]:
    """Run the program until the end of the block, and yield its address and process id."""
    command = [sys.executable, "-m", "benchmarks.serve", str(fleet.products), str(fleet.instances)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield Target(process.stdout.readline().strip()), process.pid
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


class _Healthy:
    def alive(self) -> bool:
        return True

    def ready(self) -> bool:
        return True


def published(fleet: Fleet, options: SeriesOptions | None = None) -> MetricsCache:
    """Return the metrics of a fleet after a restart."""
    metrics = MetricsCache(options or SeriesOptions(), MonitorMetrics(version="", revision="").render)
    listing, now = Listing(fleet.statuses(), 1, {}), datetime.now(UTC)
    for product in map(fleet.product, range(fleet.products)):
        snapshot = diff(None, listing, product, "poll", now).snapshot
        metrics.restored(MonitoredProduct(product, "default", 300.0, 240.0), StoredProduct(snapshot, missing=False))
    return metrics


def main() -> None:
    """Serve until standard input ends."""
    app = application(
        published(Fleet(int(sys.argv[1]), int(sys.argv[2]))), _Healthy(), FakeViews(), version="", scrapes=SCRAPES
    )
    server = Server(app, listen("127.0.0.1:0"))
    server.start()
    sys.stdout.write(f"{server.address}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.stop(1)


if __name__ == "__main__":
    main()
