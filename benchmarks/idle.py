"""The CPU time of a daemon while no poll is due."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clients import Target, body
from benchmarks.fleets import Fleet
from benchmarks.memory import polls_of
from benchmarks.servers import daemon, pages
from benchmarks.usage import cpu_seconds, wake_ups
from tests.e2e.process import DaemonProcess

SETTLE_SECONDS = 3.0
"""For the last commits and log lines after the first polls."""


@dataclass(frozen=True, slots=True)
class Idle:
    """What a daemon uses without polls and scrapes."""

    cores: float
    """CPU seconds a second."""
    wake_ups: float
    """Wake-ups of all threads a second."""


def measure(fleet: Fleet, seconds: float) -> Idle:
    """Measure for some seconds, after the first poll of each product; the next ones are due in a day."""
    with tempfile.TemporaryDirectory() as folder, pages(instances=fleet.instances) as url:
        fleet.store(Path(folder) / "monitor.db")
        with daemon(fleet.configuration(Path(folder), interval="1d"), url) as process:
            wait_for_polls(process, fleet, 1)
            time.sleep(SETTLE_SECONDS)
            return watch(process, seconds)


def wait_for_polls(process: DaemonProcess, fleet: Fleet, polls: int) -> None:
    """Wait until each product had so many polls."""
    target = Target(process.url.removeprefix("http://"))
    while len(counts := polls_of(body(target, gzip=True))) < fleet.products or min(counts) < polls:
        time.sleep(0.5)


def watch(process: DaemonProcess, seconds: float) -> Idle:
    """Measure a daemon that is idle now."""
    started, cpu, woken = time.monotonic(), cpu_seconds(process.pid), wake_ups(process.pid)
    time.sleep(seconds)
    took = time.monotonic() - started
    return Idle((cpu_seconds(process.pid) - cpu) / took, (wake_ups(process.pid) - woken) / took)
