"""Scrapes, beside nginx with the very same bytes as static files, and beside prometheus_client."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from benchmarks.clients import Target, body, scrapes
from benchmarks.fleets import Fleet
from benchmarks.report import Table, median_ratio, milliseconds, verdict
from benchmarks.servers import daemon, nginx

FLEET = Fleet(5, 20_000)
CASES = ((True, 1, 30), (True, 8, 15), (False, 1, 7), (False, 8, 4))
"""gzip or not, clients at once, and scrapes of each in one run."""


def table(runs: int, fleet: Fleet = FLEET) -> Table:
    """Measure, and return the figures."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        fleet.store(Path(folder) / "monitor.db")
        with daemon(fleet.configuration(Path(folder))) as process:
            process.wait_for_events(fleet.products, "poll.failed")
            target = Target(process.url.removeprefix("http://"))
            text, packed = body(target, gzip=False), body(target, gzip=True)
            with nginx(Path(folder) / "nginx", text, packed) as static:
                for gzip, at_once, each in CASES:
                    ours, theirs = zip(
                        *_in_turn(target, static, runs, gzip=gzip, at_once=at_once, each=each), strict=True
                    )
                    ratio = median_ratio(ours, theirs)
                    what = f"{'gzip' if gzip else 'text'}, {len(packed if gzip else text) / 1e6:.1f} MB"
                    rows.append(
                        [
                            what,
                            str(at_once),
                            milliseconds(ours),
                            f"{milliseconds(theirs)} nginx",
                            f"{ratio:.2f}",
                            verdict(ratio, 1.2),
                        ]
                    )
            rendered = _generate_latest(runs, fleet)
            alone = [statistics.median(scrapes(target, gzip=True, at_once=1, each=30)) for _ in range(runs)]
    ratio = statistics.median(rendered) / statistics.median(alone)
    goal = "beyond 100: met" if ratio > 100 else "beyond 100: **missed**"  # noqa: PLR2004 - the goal
    theirs_said = f"{milliseconds(rendered)} generate_latest"
    rows.append(["gzip, beside rendering", "1", milliseconds(alone), theirs_said, f"1 : {ratio:.0f}", goal])
    return Table(("scrape of 300,000 series", "clients", "monitor", "beside", "ratio", "goal"), rows)


def _in_turn(
    ours: Target, other: Target, runs: int, *, gzip: bool, at_once: int, each: int
) -> Iterator[tuple[float, float]]:
    """Yield the medians of runs that were made in turn; each begins with a scrape that does not count."""
    for _ in range(runs):
        one, two = (
            statistics.median(scrapes(target, gzip=gzip, at_once=at_once, each=each)) for target in (ours, other)
        )
        yield one, two


def _generate_latest(runs: int, fleet: Fleet) -> list[float]:
    """Return the seconds in which prometheus_client renders the same series."""
    registry = CollectorRegistry()
    labels = ("provisioned_product_id", "provisioned_product_name", "account", "region", "status")
    gauge = Gauge("servicecatalog_stack_instance_status", "As the monitor has it.", labels, registry=registry)
    statuses = fleet.statuses()
    for product in map(fleet.product, range(fleet.products)):
        for (account, region), held in statuses.items():
            for status in ("CURRENT", "OUTDATED", "INOPERABLE"):
                gauge.labels(product.id, product.name, account, region, status).set(status == held)
    measured: list[float] = []
    for _ in range(runs):
        begun = time.perf_counter()
        generate_latest(registry)
        measured.append(time.perf_counter() - begun)
    return measured
