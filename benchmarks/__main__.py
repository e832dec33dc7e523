"""`make bench`: run all benchmarks, or the named sections, and write docs/performance.md."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import change, cycle, memory, poll, prometheus, rules, scrape, series, start, while_polling
from benchmarks.fleets import Fleet
from benchmarks.report import Table, median_ratio, milliseconds, write
from monitor.model.instances import Status

RUNS = 7
"""Runs of each measurement; the tables show medians."""
MIB = 1024
"""KiB."""


def _poll() -> Table:
    rows = []
    for changes, case in ((False, "no changes"), (True, "1 % changes")):
        ours, bare = poll.measure(RUNS, changes=changes)
        ratio = median_ratio(ours, bare)
        rows.append([case, milliseconds(ours), milliseconds(bare), f"{ratio:.2f}"])
    columns = (f"poll of {poll.INSTANCES:,} instances", "whole poll, CPU", "bare paginator, CPU", "ratio")
    return Table(columns, rows)


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


def _memory() -> Table:
    rows = []
    base = None
    for fleet in (Fleet(10, 1_000), Fleet(25, 4_000), Fleet(250, 4_000)):
        found, gauges = memory.daemon_memory(fleet), memory.gauges_memory(fleet)
        base = base or (fleet.size, found.now)
        growth = (found.now - base[1]) * 1024 / (fleet.size - base[0]) if fleet.size > base[0] else 0
        rows.append(
            [
                f"{fleet.size:,} in {fleet.products} products",
                f"{found.now / MIB:.0f} MiB",
                f"{found.peak / MIB:.0f} MiB",
                f"{growth:.0f} B" if growth else "",
                f"{gauges / MIB:.0f} MiB",
            ]
        )
    columns = ("instances", "resident", "peak", "growth an instance", "gauges of prometheus_client")
    return Table(columns, rows)


def _start() -> Table:
    fleet = Fleet(5, 20_000)
    with tempfile.TemporaryDirectory() as folder:
        fleet.store(Path(folder) / "monitor.db")
        first = [start.first_scrape(fleet, Path(folder)) for _ in range(RUNS)]
    version = [start.version() for _ in range(RUNS)]
    rows = [
        ["first complete scrape, 100,000 instances", milliseconds(first)],
        ["`stackset-monitor version`", milliseconds(version)],
    ]
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
    "poll": _poll,
    "cycle": _cycle,
    "change": _change,
    "start": _start,
    "while-polling": _while_polling,
    "prometheus": _prometheus,
    "rules": _rules,
    "series": _series,
    "memory": _memory,
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
