"""The daemon stops within 10 seconds with exit code 0, whatever it does, also if stdout is blocked."""

import fcntl
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.e2e.process import DaemonProcess, eventually
from tests.support import free_port

PRODUCT = "pp-aaaaaaaaaaaaa"
LONGEST = 10.0


@pytest.fixture
def fleet(aws: Aws) -> Aws:
    """Add products to the simulated AWS."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for number in range(20):
        aws.stack_sets.set(PRODUCT, f"{number:012}", "eu-west-1", "CURRENT")
    return aws


def stops(daemon: DaemonProcess) -> None:
    """Send SIGTERM, and expect exit code 0 in time and the last event."""
    begun = time.monotonic()
    assert daemon.stop(signal.SIGTERM) == 0
    assert time.monotonic() - begun < LONGEST
    assert daemon.entries[-1]["event"] == "monitor.stopped"
    assert daemon.stderr() == ""


def test_stop_while_a_page_is_read(silent: socket.socket, config: Path) -> None:
    """A worker that waits for a response is interrupted; the poll counts neither as failed nor as complete."""
    config.write_text(config.read_text().replace("300ms", "50m"))
    with DaemonProcess(config) as daemon:
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(65536).startswith(b"POST / HTTP/1.1")
            stops(daemon)
        assert daemon.entries[-1]["polls_ended"] is True
        assert [entry["event"] for entry in daemon.entries] == ["monitor.started", "monitor.stopped"]


def test_stop_during_a_commit(fleet: Aws, config: Path, tmp_path: Path) -> None:
    """A worker that waits for the disk is abandoned after some time; its commit is complete or absent."""
    state = tmp_path / "state" / "monitor.db"
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("poll.completed")
        with closing(sqlite3.connect(state, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            fleet.stack_sets.set(PRODUCT, "0" * 12, "eu-west-1", "OUTDATED")
            assert eventually(lambda: other.execute("SELECT 1").fetchone() == (1,))
            stops(daemon)
            other.execute("ROLLBACK")
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("stack_instance.transition", account="0" * 12, status="OUTDATED")
        stops(daemon)


def test_stop_during_the_start(fleet: Aws, config: Path) -> None:
    """As soon as the signal handler is installed, the signal ends the start cleanly."""
    daemon = DaemonProcess(config)

    def caught() -> bool:
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        mask = int(status.split("SigCgt:")[1].split()[0], 16)
        return bool(mask >> (signal.SIGTERM - 1) & 1)

    try:
        assert eventually(caught)
        assert daemon.stop(signal.SIGTERM) == 0
        assert daemon.stderr() == ""
    finally:
        daemon.close()


def test_blocked_stdout(fleet: Aws, config: Path) -> None:
    """Polls and scrapes continue while stdout is blocked, the stop is as fast, and no event is lost."""
    address = f"127.0.0.1:{free_port()}"
    config.write_text(config.read_text().replace("127.0.0.1:0", address))
    command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            reader = DaemonProcess.__new__(DaemonProcess)
            reader.url = f"http://{address}"
            polls = "servicecatalog_polls_total"

            def polled() -> float:
                try:
                    return reader.samples(polls)[()]
                except (OSError, KeyError):
                    return 0

            assert process.stdout
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
            assert eventually(lambda: polled() >= 1)
            for status in ("OUTDATED", "INOPERABLE"):  # each time about 10 KB of lines, and the pipe takes 4
                for number in range(20):
                    fleet.stack_sets.set(PRODUCT, f"{number:012}", "eu-west-1", status)
                seen = polled()
                assert eventually(partial(lambda seen: polled() >= seen + 2, seen))
            begun = time.monotonic()
            process.terminate()
            assert process.wait(LONGEST) == 0
            assert time.monotonic() - begun < LONGEST
        finally:
            process.kill()
    with DaemonProcess(config) as daemon:  # what could not be told is told by the next one
        daemon.wait_for_event("stack_instance.transition")
        stops(daemon)


def test_closed_stdout(fleet: Aws, config: Path, tmp_path: Path) -> None:
    """With stdout closed the transitions wait in the state, scrapes work, and the stop is clean."""
    address = f"127.0.0.1:{free_port()}"
    config.write_text(config.read_text().replace("127.0.0.1:0", address))
    command = [sys.executable, "-m", "monitor", "run", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            process.stdout.close()
            reader = DaemonProcess.__new__(DaemonProcess)
            reader.url = f"http://{address}"
            assert eventually(lambda: reader.samples("servicecatalog_up") == {(): 1})
            fleet.stack_sets.set(PRODUCT, "0" * 12, "eu-west-1", "INOPERABLE")
            inoperable = "servicecatalog_stack_instance_transitions_total"
            assert eventually(lambda: reader.samples(inoperable, to="INOPERABLE")["CURRENT",] == 1)
            process.terminate()
            assert process.wait(LONGEST) == 0
        finally:
            process.kill()
    with closing(sqlite3.connect(tmp_path / "state" / "monitor.db")) as connection:
        assert connection.execute("SELECT count(*) FROM transition WHERE published = 0").fetchone() == (1,)
