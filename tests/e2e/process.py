"""The daemon as a process: start, scrape, read events, stop."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.conftest import CANARIES

WAIT = 20.0
"""Seconds to wait for anything; on an idle machine nothing takes more than two."""


class DaemonProcess:
    """One run of `stackset-monitor run`."""

    def __init__(self, config: Path, *arguments: str) -> None:
        """Start it with this configuration."""
        self._start([sys.executable, "-m", "monitor", "run", "--config", str(config), *arguments])

    def _start(self, command: Sequence[str]) -> None:
        """Start a command. A thread reads its stdout, so that the pipe is never full."""
        self.entries: list[dict[str, Any]] = []
        self._written = threading.Condition()
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": "error"},
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""

    def __enter__(self) -> Self:
        """Wait until the daemon listens."""
        try:
            self.url = f"http://{self.wait_for_event('monitor.started')['listen']}"
        except AssertionError as error:
            error.add_note(self.stderr())
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the daemon, also if the test failed."""
        self.close()

    def close(self) -> list[dict[str, Any]]:
        """End the daemon if it still runs, and return its events."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        assert self._process.stderr
        written = json.dumps(self.entries) + self._process.stderr.read() if not self._process.stderr.closed else ""
        self._process.stdout.close()
        self._process.stderr.close()
        assert not [canary for canary in CANARIES.values() if canary in written], "a credential is printed"
        return self.entries

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code. All events are in `entries` afterwards."""
        self._process.send_signal(number)
        code = self._process.wait(WAIT)
        self._reader.join(WAIT)
        return code

    def stderr(self) -> str:
        """Kill the daemon, and return its stderr."""
        assert self._process.stderr
        self._process.kill()
        return self._process.stderr.read()

    def wait_for_event(self, name: str, **fields: object) -> dict[str, Any]:
        """Wait for an event with these fields, and return it."""
        return self.wait_for_events(1, name, **fields)[0]

    def wait_for_events(self, count: int, name: str, **fields: object) -> list[dict[str, Any]]:
        """Wait for `count` events with these fields, and return all of them."""

        def found() -> list[dict[str, Any]]:
            return [entry for entry in self.entries if entry["event"] == name and fields.items() <= entry.items()]

        with self._written:
            self._written.wait_for(lambda: len(found()) >= count or self._process.poll() is not None, WAIT)
            events = found()
        assert len(events) >= count, f"no {count} x {name} {fields} in {self.entries}"
        return events

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Return the status and body of a path."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=WAIT) as got:
                return got.status, got.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def samples(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        """Scrape, and return the samples with these labels by their other labels, without those of the product."""
        return {
            tuple(v for k, v in s.labels.items() if k not in labels and not k.startswith("provisioned")): s.value
            for s in self.scrape()
            if s.name == name and labels.items() <= s.labels.items()
        }

    def scrape(self) -> list[Sample]:
        """Return every sample of one scrape."""
        status, body = self.get("/metrics")
        assert status == 200
        return [s for family in text_string_to_metric_families(body.decode()) for s in family.samples]

    def forget(self, *names: str) -> None:
        """Drop the events with these names, to save memory in a long run."""
        with self._written:
            self.entries[:] = [entry for entry in self.entries if entry["event"] not in names]

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break  # a kill may truncate the last line
            with self._written:
                self.entries.append(json.loads(line))
                self._written.notify_all()
        with self._written:
            self._written.notify_all()


def eventually(condition: Callable[[], bool], seconds: float = WAIT) -> bool:
    """Poll a condition until it is true, for something that another process does not report."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@contextmanager
def program(*command: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run another program until the end of the block, with its output in a file in `cwd`."""
    with (cwd / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(WAIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
