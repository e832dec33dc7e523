"""A real Prometheus that scrapes a large fleet: how many series it finds, and how long it takes for a scrape."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleets import Fleet
from benchmarks.servers import daemon
from tests.e2e.process import eventually
from tests.e2e.prometheus import prometheus

STATUS = "servicecatalog_stack_instance_status"


@dataclass(frozen=True, slots=True)
class Found:
    """What Prometheus says of its last scrape."""

    series: int
    """Of servicecatalog_stack_instance_status."""
    held: int
    """Of these, how many are 1."""
    seconds: float
    """For the scrape, the reading of it included."""


def measure(fleet: Fleet, interval: str = "10s") -> Found:
    """Scrape a fleet from a stored state, and ask Prometheus what it has found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet.store(folder / "monitor.db")
        with (
            daemon(fleet.configuration(folder)) as process,
            prometheus(process.url.removeprefix("http://"), folder, interval=interval) as server,
        ):
            if not eventually(lambda: bool(server.value("scrape_samples_scraped"))):
                raise RuntimeError("Prometheus has found nothing")
            return Found(
                int(server.value(f"count({STATUS})") or 0),
                int(server.value(f"sum({STATUS})") or 0),
                server.value("scrape_duration_seconds") or 0.0,
            )
