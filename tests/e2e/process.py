"""The daemon as a process: started, scraped, read and ended by its process id."""

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
"""Seconds to wait for anything; on a quiet machine nothing takes more than two."""


class DaemonProcess:
    """One run of `stackset-monitor run`."""

    def __init__(self, config: Path, *arguments: str) -> None:
        """Start it with this configuration."""
        self._start([sys.executable, "-m", "monitor", "run", "--config", str(config), *arguments])

    def _start(self, command: Sequence[str]) -> None:
        """Start a command; what it writes is read by a thread, so that its stdout is never full."""
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
        """Wait until it listens."""
        try:
            self.url = f"http://{self.wait_for_event('monitor.started')['listen']}"
        except AssertionError as error:
            error.add_note(self.stderr())
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End it, whatever became of the test."""
        self.close()

    def close(self) -> list[dict[str, Any]]:
        """End it if it still runs, and return everything that it told."""
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
        """Send a signal and return the exit code; everything that it wrote is there afterwards."""
        self._process.send_signal(number)
        code = self._process.wait(WAIT)
        self._reader.join(WAIT)
        return code

    def stderr(self) -> str:
        """Return what it wrote on stderr, after its end."""
        assert self._process.stderr
        self._process.kill()
        return self._process.stderr.read()

    def wait_for_event(self, name: str, **fields: object) -> dict[str, Any]:
        """Wait for an event that has these fields, and return it."""
        return self.wait_for_events(1, name, **fields)[0]

    def wait_for_events(self, count: int, name: str, **fields: object) -> list[dict[str, Any]]:
        """Wait for so many events that have these fields, and return all that there are."""

        def found() -> list[dict[str, Any]]:
            return [entry for entry in self.entries if entry["event"] == name and fields.items() <= entry.items()]

        with self._written:
            self._written.wait_for(lambda: len(found()) >= count or self._process.poll() is not None, WAIT)
            events = found()
        assert len(events) >= count, f"no {count} x {name} {fields} in {self.entries}"
        return events

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Return the status and body of a page."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers), timeout=WAIT) as got:
                return got.status, got.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def samples(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        """Scrape, and return the samples of a name that have these labels, by their other labels but the product's."""
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
        """Forget the events of these names: a long run tells too many."""
        with self._written:
            self.entries[:] = [entry for entry in self.entries if entry["event"] not in names]

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            if not line.endswith("\n"):
                break  # a kill may come in the middle of a line; whoever reads lines does not see that one
            with self._written:
                self.entries.append(json.loads(line))
                self._written.notify_all()
        with self._written:
            self._written.notify_all()


def eventually(condition: Callable[[], bool], seconds: float = WAIT) -> bool:
    """Look until a condition holds; for what another process does without saying so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@contextmanager
def program(*command: str, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run another program until the end of the block; its output goes to a file beside its data."""
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
