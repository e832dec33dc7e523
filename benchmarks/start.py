"""The duration of a start: until the first complete scrape of a stored state, and that of `version`."""

import gzip
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.clients import Target, body
from benchmarks.fleets import Fleet
from benchmarks.servers import environment
from monitor.config.settings import SeriesOptions

COMMAND = [sys.executable, "-m", "monitor"]


def first_scrape(fleet: Fleet, folder: Path, maximum: int = SeriesOptions().max_instance_series) -> float:
    """Return the seconds from exec to the last byte of the first scrape, with at most `maximum` instance series.

    Raises:
        RuntimeError: the scrape is not complete.
    """
    config = fleet.configuration(folder, metrics=f"{{max_instance_series: {maximum}}}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    env = {**os.environ, **environment()}
    started = time.perf_counter()
    process = subprocess.Popen(
        [*COMMAND, "run", "--config", str(config), "--listen", address], stdout=subprocess.DEVNULL, env=env
    )
    try:
        while True:
            try:
                packed = body(Target(address), gzip=True)
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
        took = time.perf_counter() - started
    finally:
        process.kill()
        process.wait()
    found = gzip.decompress(packed).count(b"\nservicecatalog_stack_instance_status{")
    if not found or (found != 3 * fleet.size and 4 * fleet.size <= maximum):
        raise RuntimeError("the first scrape was not complete")
    return took


def version() -> float:
    """Return the seconds that `stackset-monitor version` takes."""
    started = time.perf_counter()
    subprocess.run([*COMMAND, "version"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
