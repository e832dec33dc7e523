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

COMMAND = [sys.executable, "-m", "monitor"]


def first_scrape(fleet: Fleet, folder: Path) -> float:
    """Return the seconds from exec to the last byte of the first scrape. Raises: `RuntimeError` if it is incomplete."""
    config = fleet.configuration(folder)
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
    if gzip.decompress(packed).count(b"\nservicecatalog_stack_instance_status{") != 3 * fleet.size:
        raise RuntimeError("the first scrape was not complete")
    return took


def version() -> float:
    """Return the seconds that `stackset-monitor version` takes."""
    started = time.perf_counter()
    subprocess.run([*COMMAND, "version"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
