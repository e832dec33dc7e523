"""Scrapes, compared with nginx, which serves the same bytes as static files, and with prometheus_client."""

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from benchmarks.clients import Target, body, scrapes
from benchmarks.fleets import Fleet
from benchmarks.report import Table, median_ratio, milliseconds
from benchmarks.serve import serve
from benchmarks.servers import daemon, nginx

FLEET = Fleet(5, 20_000)
CASES = ((True, 1, 30), (True, 8, 15), (True, 32, 5), (False, 1, 7), (False, 8, 4), (False, 32, 2))
"""Whether gzip, number of clients, and scrapes of each client in one run."""


def table(runs: int, fleet: Fleet = FLEET) -> Table:
    """Measure, and return the table."""
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory() as folder:
        fleet.store(Path(folder) / "monitor.db")
        with daemon(fleet.configuration(Path(folder))) as process, serve(fleet) as (unlimited, _):
            process.wait_for_events(fleet.products, "poll.failed")
            target = Target(process.url.removeprefix("http://"))
            text, packed = body(target, gzip=False), body(target, gzip=True)
            with nginx(Path(folder) / "nginx", text, packed) as static:
                for gzip, concurrency, each in CASES:
                    # The daemon sends at most six scrapes to one address at once.
                    monitor = target if concurrency == 1 else unlimited
                    ours, theirs = zip(
                        *_paired(monitor, static, runs, gzip=gzip, concurrency=concurrency, each=each), strict=True
                    )
                    ratio = median_ratio(ours, theirs)
                    what = f"{'gzip' if gzip else 'text'}, {len(packed if gzip else text) / 1e6:.1f} MB"
                    rows.append(
                        [
                            what,
                            str(concurrency),
                            milliseconds(ours),
                            f"{milliseconds(theirs)} nginx",
                            f"{ratio:.2f}",
                        ]
                    )
            rendered = _generate_latest(runs, fleet)
            alone = [statistics.median(scrapes(target, gzip=True, concurrency=1, each=30)) for _ in range(runs)]
    ratio = statistics.median(rendered) / statistics.median(alone)
    compared = f"{milliseconds(rendered)} generate_latest"
    rows.append(["gzip, against rendering", "1", milliseconds(alone), compared, f"1 : {ratio:.0f}"])
    return Table(("scrape of 300,000 series", "clients", "monitor", "compared with", "ratio"), rows)


def _paired(
    ours: Target, other: Target, runs: int, *, gzip: bool, concurrency: int, each: int
) -> Iterator[tuple[float, float]]:
    """Yield the medians of pairs of runs. Each run starts with a scrape that is not measured."""
    for _ in range(runs):
        one, two = (
            statistics.median(scrapes(target, gzip=gzip, concurrency=concurrency, each=each))
            for target in (ours, other)
        )
        yield one, two


def _generate_latest(runs: int, fleet: Fleet) -> list[float]:
    """Return the seconds that prometheus_client needs to render the same series."""
    registry = CollectorRegistry()
    labels = ("provisioned_product_id", "provisioned_product_name", "account", "region", "status")
    gauge = Gauge(
        "servicecatalog_stack_instance_status", "The same series as those of the monitor.", labels, registry=registry
    )
    statuses = fleet.statuses()
    for product in map(fleet.product, range(fleet.products)):
        for (account, region), held in statuses.items():
            for status in ("CURRENT", "OUTDATED", "INOPERABLE"):
                gauge.labels(product.id, product.name, account, region, status).set(status == held)
    measured: list[float] = []
    for _ in range(runs):
        started = time.perf_counter()
        generate_latest(registry)
        measured.append(time.perf_counter() - started)
    return measured
