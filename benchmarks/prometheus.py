"""A real Prometheus that scrapes many instances: the series that it finds, and the duration of the scrape."""

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
    """What Prometheus found in its last scrape."""

    series: int
    """The series of servicecatalog_stack_instance_status."""
    held: int
    """The sum of these series."""
    seconds: float
    """The duration of the scrape, with parsing."""


def measure(fleet: Fleet, interval: str = "10s") -> Found:
    """Scrape a stored state once, and query Prometheus."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet.store(folder / "monitor.db")
        with (
            daemon(fleet.configuration(folder)) as process,
            prometheus(process.url.removeprefix("http://"), folder, interval=interval) as server,
        ):
            if not eventually(lambda: bool(server.value("scrape_samples_scraped"))):
                raise RuntimeError("Prometheus found no samples")
            return Found(
                int(server.value(f"count({STATUS})") or 0),
                int(server.value(f"sum({STATUS})") or 0),
                server.value("scrape_duration_seconds") or 0.0,
            )
