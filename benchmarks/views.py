"""Pages and responses of the API with many instances, scrapes beside them, and the memory of the views.

Run as a program, it loads a server with several clients until its standard input ends, and prints the requests.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.clients import Client
from benchmarks.fleets import Fleet
from benchmarks.report import Table, milliseconds
from benchmarks.servers import daemon
from benchmarks.usage import cpu_seconds
from tests.e2e.process import DaemonProcess

FLEET = Fleet(250, 4_000)
REQUESTS = 300
CLIENTS = 8
PATHS = (
    "/",
    "/products/{product}",
    "/?status=INOPERABLE",
    "/transitions",
    "/sources",
    "/api/v1/products",
    "/api/v1/products/{product}",
    "/api/v1/products/{product}/instances",
    "/api/v1/instances?status=OUTDATED&status=INOPERABLE",
    "/api/v1/instances?account={account}",
    "/api/v1/instances?limit=1000",
    "/api/v1/transitions",
    "/api/v1/sources",
)
LOADS = ("/", "/api/v1/instances?limit=1000")

_VIEWS = """
import os
import sys
from datetime import UTC, datetime
from benchmarks.fleets import Fleet
from benchmarks.usage import memory
from monitor.daemon.product_views import ProductViews
from monitor.config.settings import MonitoredProduct
from monitor.model.diff import diff
from monitor.model.instances import Listing
from monitor.poller.protocols import StoredProduct

fleet = Fleet(int(sys.argv[1]), int(sys.argv[2]))
now = datetime.now(UTC)
snapshots = {}
for product in map(fleet.product, range(fleet.products)):
    snapshots[product] = diff(None, Listing(fleet.statuses(), 1, {}), product, "poll", now).snapshot
before = memory(os.getpid()).now
views = ProductViews(lambda _: None)
for product, snapshot in snapshots.items():
    monitored = MonitoredProduct(product, "default", 300.0, 240.0)
    views.restored(monitored, StoredProduct(snapshot, missing=False), stale=False)
print(memory(os.getpid()).now - before)
"""


def requests_table(fleet: Fleet = FLEET, requests: int = REQUESTS) -> Table:
    """Measure requests of each path one after the other, and return the table."""
    rows = []
    with _started(fleet) as process:
        for path in PATHS:
            before = cpu_seconds(process.pid)
            took = _requests(process, _actual(path, fleet), requests)
            cpu = (cpu_seconds(process.pid) - before) / requests
            rows.append([f"`{path}`", milliseconds(took), milliseconds([_p99(took)]), milliseconds([cpu])])
    return Table((f"request, {fleet.size:,} stack instances", "median", "p99", "CPU"), rows)


def scrapes_table(fleet: Fleet = FLEET, requests: int = REQUESTS) -> Table:
    """Measure scrapes while clients request a path without a pause, and return the table."""
    rows = []
    with _started(fleet) as process:
        for path in (None, *LOADS):
            took, load = _beside_load(process, path and _actual(path, fleet), requests)
            clients = f"{CLIENTS} clients of `{path}`, {load:.0f} requests a second" if path else "no other client"
            rows.append([clients, milliseconds(took), milliseconds([_p99(took)])])
    return Table((f"scrapes (gzip), {fleet.size:,} stack instances, beside", "median", "p99"), rows)


def views_memory(fleet: Fleet = FLEET) -> int:
    """Return the KiB that the views need beside the snapshots, which they share with the poller."""
    command = [sys.executable, "-c", _VIEWS, str(fleet.products), str(fleet.instances)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@contextmanager
def _started(fleet: Fleet) -> Iterator[DaemonProcess]:
    """Run a daemon with stored snapshots, whose AWS cannot be reached."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet.store(folder / "monitor.db")
        with daemon(fleet.configuration(folder)) as process:
            process.wait_for_events(fleet.products, "poll.failed")
            yield process


def _actual(path: str, fleet: Fleet) -> str:
    account, _ = next(iter(fleet.statuses()))
    return path.format(product=fleet.product(0).id, account=account)


def _requests(process: DaemonProcess, path: str, count: int) -> list[float]:
    """Return the seconds of requests, sorted."""
    client = Client(process.url.removeprefix("http://"), path, gzip=True)
    client.scrape()  # loads the API, and fills the cache of the scrape
    took = sorted(client.scrape() for _ in range(count))
    client.close()
    return took


def _p99(took: list[float]) -> float:
    return took[-len(took) // 100 - 1]


def _beside_load(process: DaemonProcess, path: str | None, requests: int) -> tuple[list[float], float]:
    """Return the seconds of scrapes beside clients of a path, if any, and the requests a second of these."""
    if path is None:
        return _requests(process, "/metrics", requests), 0.0
    command = [sys.executable, "-m", "benchmarks.views", process.url.removeprefix("http://"), path, str(CLIENTS)]
    clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert clients.stdin
    assert clients.stdout
    clients.stdout.readline()  # they have begun
    took = _requests(process, "/metrics", requests)
    clients.stdin.close()
    per_second = float(clients.stdout.readline())
    clients.stdout.close()
    clients.wait(20)
    return took, per_second


def main() -> None:
    """Request a path with several clients until standard input ends; print a line at the start, and the rate."""
    address, path, count = sys.argv[1:]
    ended = threading.Event()

    def work(client: Client) -> int:
        requests = 0
        while not ended.is_set():
            client.scrape()
            requests += 1
        return requests

    clients = [Client(address, path, gzip=False) for _ in range(int(count))]
    for client in clients:
        client.scrape()
    started = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        counts = [pool.submit(work, client) for client in clients]
        sys.stdout.write("started\n")
        sys.stdout.flush()
        sys.stdin.read()
        ended.set()
        total = sum(one.result() for one in counts)
    sys.stdout.write(f"{total / (time.perf_counter() - started)}\n")


if __name__ == "__main__":
    main()
