"""What a daemon with so many instances needs: calls to AWS, memory, disk, and time to start."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleets import Fleet
from benchmarks.memory import daemon_memory
from benchmarks.start import first_scrape
from benchmarks.usage import Memory
from monitor.config.settings import SeriesOptions

STARTS = 3
POLLS = 3
"""Polls of each product: a baseline, then two in each of which 1 % of the instances change."""
PAGE = 20


@dataclass(frozen=True, slots=True)
class Size:
    """The needs of a daemon."""

    calls: int
    """To AWS, for one poll of each product."""
    memory: Memory
    state: int
    """Bytes of the state file with the snapshots, without transitions."""
    start: float
    """Seconds from exec to the first complete scrape."""


def measure(fleet: Fleet, maximum: int = SeriesOptions().max_instance_series) -> Size:
    """Measure with at most `maximum` instance series."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fleet.store(folder / "monitor.db")
        state = (folder / "monitor.db").stat().st_size
        start = statistics.median(first_scrape(fleet, folder, maximum) for _ in range(STARTS))
    calls = fleet.products * (1 + -(-fleet.instances // PAGE))
    return Size(calls, daemon_memory(fleet, polls=POLLS, maximum=maximum), state, start)
