"""Signals stop or reload the daemon, however close together they arrive."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from monitor.daemon.signals import RELOAD_SIGNALS, STOP_SIGNALS, Signals

WAIT = 5.0
PAIRS = 200

CHILD = """
import sys

from monitor.daemon.signals import Signals

signals = Signals()
print("ready", flush=True)
for name in sys.argv[1:]:
    event = getattr(signals, name)
    while not event.wait(0.1):
        pass
    event.clear()
    print(name, flush=True)
"""


@pytest.fixture
def signals() -> Iterator[Signals]:
    """Install the handlers for one test."""
    numbers = (*STOP_SIGNALS, *RELOAD_SIGNALS)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield Signals()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_sets_stop(signals: Signals, number: signal.Signals) -> None:
    """SIGTERM and SIGINT set `stop` and nothing else."""
    signal.raise_signal(number)
    assert signals.stop.wait(WAIT)
    assert not signals.reload.is_set()


def test_sighup_sets_reload(signals: Signals) -> None:
    """SIGHUP sets `reload` and nothing else."""
    signal.raise_signal(signal.SIGHUP)
    assert signals.reload.wait(WAIT)
    assert not signals.stop.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_event_is_locked_does_not_deadlock(signals: Signals, number: signal.Signals) -> None:
    """The main thread can be interrupted while it holds the lock of the event that the signal sets."""
    event = signals.reload if number is signal.SIGHUP else signals.stop
    with event._cond:  # type: ignore[attr-defined]
        signal.raise_signal(number)
    assert event.wait(WAIT)


@contextmanager
def child(*events: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """Run a process that waits for these events, one after the other; kill it if it hangs."""
    with subprocess.Popen([sys.executable, "-c", CHILD, *events], stdout=subprocess.PIPE, text=True) as process:
        watchdog = threading.Timer(30.0, process.kill)
        watchdog.start()
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process, process.stdout
        finally:
            watchdog.cancel()
            process.kill()


@pytest.mark.parametrize(("number", "event"), [(signal.SIGTERM, "stop"), (signal.SIGHUP, "reload")])
def test_two_signals_in_quick_succession(number: signal.Signals, event: str) -> None:
    """Two signals 30 to 200 microseconds apart are noticed each time, and the process goes on."""
    with child(*[event] * PAIRS) as (process, lines):
        for pair in range(PAIRS):
            process.send_signal(number)
            until = time.perf_counter() + 30e-6 + 170e-6 * pair / PAIRS
            while time.perf_counter() < until:
                pass
            process.send_signal(number)
            assert lines.readline() == f"{event}\n", f"pair {pair} stopped the process"


def test_a_signal_before_the_imports_ends_the_daemon_cleanly(tmp_path: Path) -> None:
    """The handlers are installed before the command line is imported; a stop at that time exits 0 without a word."""
    program = """
import os, signal, sys
import monitor.__main__

class SignalsAndStop(monitor.__main__.Signals):
    def __init__(self):
        assert "click" not in sys.modules
        super().__init__()
        os.kill(os.getpid(), signal.SIGTERM)

monitor.__main__.Signals = SignalsAndStop
monitor.__main__.main()
"""
    config = tmp_path / "monitor.yaml"
    config.write_text(f"products: [pp-aaaaaaaaaaaaa]\nstate:\n  path: {tmp_path}/monitor.db\n")
    command = [sys.executable, "-c", program, "run", "--config", str(config), "--listen", "127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_a_storm_of_reload_signals_leaves_the_stop_signal_working() -> None:
    """After thousands of SIGHUP, one SIGTERM is noticed."""
    with child("reload", "stop") as (process, lines):
        for _ in range(20_000):
            process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert lines.read() == "reload\nstop\n"
        assert process.wait(WAIT) == 0
