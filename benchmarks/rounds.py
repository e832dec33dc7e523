"""The CPU time of polls in the running daemon, compared with that of the bare paginator with the same pages.

A round polls each product once. The idle time of the daemon is subtracted.
"""

import os
import signal
import tempfile
import time
from pathlib import Path

from benchmarks.bare import bare
from benchmarks.fleets import Fleet
from benchmarks.idle import SETTLE_SECONDS, wait_for_polls, watch
from benchmarks.servers import daemon, pages
from benchmarks.usage import cpu_seconds

IDLE_SECONDS = 10.0


def rounds(fleet: Fleet, concurrency: int, runs: int, *, changes: bool) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of rounds of the daemon and of the bare paginator, which alternate.

    All products are due at once: a reload with another interval makes them due.
    """
    with tempfile.TemporaryDirectory() as name, pages(instances=fleet.instances, changes=changes) as url:
        folder = Path(name)

        def configure(interval: str) -> Path:
            return fleet.configuration(folder, interval=interval, concurrency=concurrency, log="{level: debug}")

        with daemon(configure("1d"), url) as process, bare(fleet.products, concurrency) as paginator:
            wait_for_polls(process, fleet, 1)

            def one_round(number: int) -> float:
                process.forget("poll.completed", "stack_instance.transition")
                configure(f"{number + 2}d")
                started, cpu = time.monotonic(), cpu_seconds(process.pid)
                os.kill(process.pid, signal.SIGHUP)
                process.wait_for_events(fleet.products, "poll.completed")
                return cpu_seconds(process.pid) - cpu - idle.cores * (time.monotonic() - started)

            def one_bare() -> float:
                cpu = cpu_seconds(paginator.pid)
                paginator.round()
                return cpu_seconds(paginator.pid) - cpu

            paginator.round()
            time.sleep(SETTLE_SECONDS)
            idle = watch(process, IDLE_SECONDS)
            pairs = [(one_round(number), one_bare()) for number in range(runs + 1)][1:]
    return [ours for ours, _ in pairs], [other for _, other in pairs]


def schedule(fleet: Fleet, interval: int, runs: int, *, idle_cores: float) -> tuple[list[float], list[float]]:
    """Return the CPU seconds an interval of the daemon and of the bare paginator, both at the same time.

    Each polls all products, each product at its own moment of the interval of `interval` seconds.
    """
    with (
        tempfile.TemporaryDirectory() as name,
        pages(instances=fleet.instances) as url,
        daemon(fleet.configuration(Path(name), interval=f"{interval}s"), url) as process,
        bare(fleet.products, 16, interval) as paginator,
    ):
        wait_for_polls(process, fleet, 2)
        pids = (process.pid, paginator.pid)
        ours: list[float] = []
        other: list[float] = []
        for _ in range(runs):
            before = [cpu_seconds(pid) for pid in pids]
            time.sleep(interval)
            used = [cpu_seconds(pid) - cpu for pid, cpu in zip(pids, before, strict=True)]
            ours.append(used[0] - idle_cores * interval)
            other.append(used[1])
    return ours, other
