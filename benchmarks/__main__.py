"""`make bench`: run all benchmarks, or the named sections, and write docs/performance.md."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import (
    change,
    cycle,
    idle,
    memory,
    prometheus,
    rounds,
    rules,
    scrape,
    series,
    sizing,
    slow_readers,
    start,
    views,
    while_polling,
)
from benchmarks.fleets import Fleet
from benchmarks.report import Table, median_ratio, milliseconds, write
from monitor.config.settings import SeriesOptions
from monitor.model.instances import Status

RUNS = 7
"""Runs of each measurement; the tables show medians."""
IDLE_SECONDS = 30.0
INTERVAL = 300
"""The default of `poll.interval` in seconds."""
MIB = 1024
"""KiB."""


def _poll() -> Table:
    rows = []
    fleet, spread = Fleet(16, 1_000), Fleet(100, 200)
    of_idle = idle.measure(spread, IDLE_SECONDS)
    pages_of = f"{fleet.products} products of {fleet.instances // 20} pages"
    interval = 20
    for case, calls, (ours, bare) in (
        (f"{pages_of}, one at a time", 816, rounds.rounds(fleet, 1, RUNS, changes=False)),
        (f"{pages_of}, 16 at a time", 816, rounds.rounds(fleet, 16, RUNS, changes=False)),
        (f"{pages_of}, 16 at a time, 1 % changes", 816, rounds.rounds(fleet, 16, RUNS, changes=True)),
        (
            "100 products of 10 pages, every 20 s",
            1_100,
            rounds.schedule(spread, interval, RUNS, idle_cores=of_idle.cores),
        ),
    ):
        a_call = f"{statistics.median(ours) / calls * 1e3:.2f} ms"
        rows.append([case, milliseconds(ours), milliseconds(bare), f"{median_ratio(ours, bare):.2f}", a_call])
    columns = ("polls of all products", "the daemon, CPU", "bare paginator, CPU", "ratio", "CPU a call to AWS")
    return Table(columns, rows)


def _idle() -> Table:
    rows = []
    for products in (1, 100, 5_000):
        found = idle.measure(Fleet(products, 20), IDLE_SECONDS)
        rows.append([f"{products:,}", f"{found.cores:.2%}", f"{found.wake_ups:.1f}"])
    return Table(("products", "CPU of one core", "wake-ups a second"), rows)


def _cycle() -> Table:
    rows = []
    for fleet, concurrency, budget in (
        (Fleet(40, 400), 16, 1000.0),
        (Fleet(48, 400), 16, 1000.0),
        (Fleet(10, 4000), 16, 1000.0),
        (Fleet(40, 400), 16, 100.0),
    ):
        took = [cycle.measure(fleet, concurrency, budget) for _ in range(5)]
        least = cycle.bound(fleet, concurrency, budget)
        ratio = statistics.median(took) / least
        case = f"{fleet.products} products of {fleet.instances // 20} pages, {budget:g} calls a second"
        rows.append([case, f"{statistics.median(took):.2f} s", f"{least:.2f} s", f"{ratio:.2f}"])
    return Table(("cycle at 100 ms a page, concurrency 16", "took", "bound", "ratio"), rows)


def _change() -> Table:
    took = change.measure(RUNS, Fleet(1, 100_000))
    rows = [["one of 100,000", milliseconds(took)]]
    return Table(("changed instances", "CPU from the listing to the new response"), rows)


def _sizing() -> Table:
    rows = []
    default = SeriesOptions().max_instance_series
    for fleet, maximum in (
        (Fleet(1, 10), default),
        (Fleet(10, 100), default),
        (Fleet(100, 100), default),
        (Fleet(25, 4_000), default),
        (Fleet(5_000, 20), default),
        (Fleet(250, 4_000), default),
        (Fleet(250, 4_000), 4_000_000),
    ):
        found = sizing.measure(fleet, maximum)
        series = f"{min(3 * fleet.size, maximum):,}"
        rows.append(
            [
                f"{fleet.size:,}",
                f"{fleet.products:,}",
                series,
                f"{found.calls / INTERVAL:.2g}" if found.calls < INTERVAL else f"{found.calls / INTERVAL:.0f}",
                f"{found.memory.now / MIB:.0f} MiB",
                f"{found.memory.peak / MIB:.0f} MiB",
                f"{found.state / 1e6:.1f} MB",
                f"{found.start:.1f} s",
            ]
        )
    columns = (
        "instances",
        "products",
        "instance series",
        "calls a second",
        "resident",
        "peak",
        "state file",
        "start",
    )
    return Table(columns, rows)


def _memory() -> Table:
    rows = []
    for fleet in (Fleet(10, 1_000), Fleet(25, 4_000)):
        ours, gauges = memory.daemon_memory(fleet, polls=sizing.POLLS), memory.gauges_memory(fleet)
        rows.append([f"{fleet.size:,}", f"{ours.now / MIB:.0f} MiB", f"{gauges / MIB:.0f} MiB"])
    return Table(("instances", "the daemon", "a process with the status as gauges of prometheus_client"), rows)


def _slow_readers() -> Table:
    found = slow_readers.measure(Fleet(5, 20_000), 300)
    row = [str(found.answered), f"{found.before / MIB:.0f} MiB", f"{found.during / MIB:.0f} MiB"]
    columns = ("clients that do not read", "resident before", "resident", "scrape (gzip) beside them")
    return Table(columns, [[*row, milliseconds([found.scrape])]])


def _start() -> Table:
    rows = []
    for fleet in (Fleet(5, 20_000), Fleet(5_000, 20), Fleet(10_000, 20)):
        with tempfile.TemporaryDirectory() as folder:
            fleet.store(Path(folder) / "monitor.db")
            first = [start.first_scrape(fleet, Path(folder)) for _ in range(RUNS)]
        rows.append(
            [
                f"first complete scrape, {fleet.products:,} products of {fleet.instances:,} instances",
                f"{statistics.median(first):.1f} s",
            ]
        )
    rows.append(["`stackset-monitor version`", milliseconds([start.version() for _ in range(RUNS)])])
    return Table(("from exec to", "took"), rows)


def _while_polling() -> Table:
    rows = []
    for delay, case in ((None, "at rest"), (0.1, "16 polls, 100 ms a page"), (0.0, "16 polls, as fast as they can")):
        took = while_polling.measure(delay=delay)
        share = len(took) // 100
        rows.append([case, milliseconds(took), milliseconds([took[-share - 1]]), milliseconds([took[-1]])])
    return Table(("scrapes (gzip) of 100,000 instances", "median", "p99", "longest"), rows)


def _prometheus() -> Table:
    fleet = Fleet(5, 20_000)
    found = prometheus.measure(fleet)
    rows = [[f"{3 * fleet.size:,}", f"{found.series:,}", f"{found.held:,}", f"{found.seconds:.2f} s"]]
    columns = ("series", "count(servicecatalog_stack_instance_status)", "sum of it", "scrape_duration_seconds")
    return Table(columns, rows)


def _rules() -> Table:
    fleet = Fleet(25, 4_000)
    rows = []
    # 100,000 alerts take a minute, so that case has fewer runs.
    for runs, status, case in ((RUNS, None, "1 % not CURRENT"), (3, Status.OUTDATED, "all OUTDATED")):
        ours, plain = rules.measure(fleet, runs, status)
        rows.append([case, milliseconds(ours), milliseconds(plain), f"{median_ratio(ours, plain):.2f}"])
    return Table(("evaluation, 100,000 instances", "all shipped rules", "two plain alerts", "ratio"), rows)


def _series() -> Table:
    fleet = Fleet(5, 20_000)
    rows = []
    for name, options in series.CHOICES.items():
        found = series.measure(fleet, options)
        rows.append([name, f"{found.series:,}", f"{found.text / 1e6:.2f} MB", f"{found.gzip / 1e6:.3f} MB"])
    return Table(("`metrics` of 100,000 instances, 1 % not CURRENT", "series", "text", "gzip"), rows)


SECTIONS: Mapping[str, Callable[[], Table]] = {
    "scrape": lambda: scrape.table(RUNS),
    "slow-readers": _slow_readers,
    "poll": _poll,
    "idle": _idle,
    "cycle": _cycle,
    "change": _change,
    "start": _start,
    "while-polling": _while_polling,
    "views": views.requests_table,
    "views-load": views.scrapes_table,
    "prometheus": _prometheus,
    "rules": _rules,
    "series": _series,
    "memory": _memory,
    "sizing": _sizing,
}


def main() -> None:
    """Run the named sections, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    chosen = parser.parse_args().sections or list(SECTIONS)
    if wrong := [name for name in chosen if name not in SECTIONS]:
        parser.error(f"unknown section {wrong[0]!r}")
    for name in chosen:
        table = SECTIONS[name]()
        write(name, table)
        sys.stdout.write(f"\n{table.text()}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
