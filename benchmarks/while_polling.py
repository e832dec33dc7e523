"""The duration of scrapes while many polls run, compared with that of scrapes without polls."""

import tempfile
import time
from pathlib import Path

from benchmarks.clients import Client
from benchmarks.fleets import Fleet
from benchmarks.servers import daemon, pages
from tests.e2e.process import DaemonProcess

FLEET = Fleet(16, 6_250)
"""100,000 instances, in one product for each worker."""
SCRAPES = 500
PAUSE_SECONDS = 0.01


def measure(*, delay: float | None, fleet: Fleet = FLEET, scrapes: int = SCRAPES) -> list[float]:
    """Return the seconds of scrapes, sorted. `delay` is the seconds for a page; None: there are no polls."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet.store(folder / "monitor.db")
        if delay is None:
            with daemon(fleet.configuration(folder)) as process:
                process.wait_for_events(fleet.products, "poll.failed")
                return _scrapes(process, scrapes)
        # A poll takes longer than the interval, so the next one starts when it returns.
        with (
            pages(instances=fleet.instances, delay=delay) as url,
            daemon(fleet.configuration(folder, interval="40s"), url) as process,
        ):
            time.sleep(2)  # all polls have started
            return _scrapes(process, scrapes)


def _scrapes(process: DaemonProcess, count: int) -> list[float]:
    client = Client(process.url.removeprefix("http://"), "/metrics", gzip=True)
    client.scrape()
    took: list[float] = []
    for _ in range(count):
        took.append(client.scrape())
        time.sleep(PAUSE_SECONDS)
    client.close()
    return sorted(took)
