"""`run` if it cannot start: one sentence and an exit code."""

import json
import os
import signal
import socket
from pathlib import Path

from monitor.state.lock import StateLock
from tests.cli.commands import Result, configuration, process, python, started
from tests.conftest import Aws


def run(path: str, *more: str) -> Result:
    """Run a daemon that is expected to end with an error."""
    return process(python("run", "--config", path, *more))


def test_an_occupied_port(tmp_path: Path) -> None:
    """The message shows the address as it was given; exit code 3."""
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        address = "{}:{}".format(*occupied.getsockname())
        found = run(configuration(tmp_path), "--listen", address)
    assert found == Result(3, "", f"stackset-monitor: cannot listen on {address}: Address already in use\n")
    assert not (tmp_path / "monitor.db").exists()


def test_a_directory_as_state(tmp_path: Path) -> None:
    """The message shows the path; exit code 3."""
    (tmp_path / "monitor.db").mkdir()
    found = run(configuration(tmp_path), "--listen", "127.0.0.1:0")
    assert found == Result(3, "", f"stackset-monitor: the state file {tmp_path}/monitor.db is a directory\n")


def test_a_second_daemon_on_the_state(tmp_path: Path) -> None:
    """The message names the process that holds the lock; exit code 3."""
    lock = StateLock(tmp_path / "monitor.db")
    found = run(configuration(tmp_path), "--listen", "127.0.0.1:0")
    lock.release()
    assert (found.code, found.out) == (3, "")
    assert found.err == (
        f"stackset-monitor: another stackset-monitor (process {os.getpid()}) is using the state file that"
        f" {tmp_path}/monitor.db.lock locks\n"
    )


def test_a_daemon_that_starts_and_stops(aws: Aws, tmp_path: Path) -> None:
    """SIGTERM ends it with exit code 0 and without output on stderr; `--listen` overrides web.listen."""
    command = python("run", "--config", configuration(tmp_path), "--listen", "127.0.0.1:0")
    with started(command) as daemon:
        assert daemon.stdout
        first = json.loads(daemon.stdout.readline())
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate(timeout=15)
    assert (daemon.returncode, err) == (0, "")
    assert first["event"] == "monitor.started"
    assert first["listen"].startswith("127.0.0.1:")
    assert first["listen"] != "127.0.0.1:0"
