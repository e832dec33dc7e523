"""The daemon in this process: it ends if one of its threads does, and stops cleanly at any time."""

import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from monitor.config.settings import LogFormat, LogLevel, Settings, SourceSettings
from monitor.daemon.daemon import Daemon, DaemonFailedError
from monitor.daemon.reload import ReloadOptions
from monitor.daemon.sources import Sources
from monitor.events.setup import Log
from monitor.events.writer import LineWriter
from monitor.web.listen import listen
from tests.daemon.fakes import settings, source

WAIT = 20.0
NO_AWS = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@dataclass
class Running:
    """A daemon on a thread, and how it ended."""

    daemon: Daemon
    stop: threading.Event
    thread: threading.Thread
    output: Path
    error: BaseException | None = None
    started: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Run until the end."""
        try:
            self.daemon.run(self.stop)
        except DaemonFailedError as error:
            self.error = error

    def entries(self) -> list[dict[str, Any]]:
        """Return the events that were logged."""
        return [json.loads(line) for line in self.output.read_text().splitlines()]


@contextmanager
def running(folder: Path, wanted: Settings, reload: ReloadOptions | None = None) -> Iterator[Running]:
    """Assemble and run a daemon; stop it at the end."""
    output = folder / "events"
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT)
    log = Log(LineWriter(descriptor), LogLevel.DEBUG, LogFormat.JSON)
    wanted = replace(wanted, state_path=folder / "monitor.db")
    listening = listen("127.0.0.1:0")
    daemon = Daemon(wanted, log, listening, reload=reload)
    one = Running(daemon, threading.Event(), threading.Thread(), output)
    one.thread = threading.Thread(target=one.run, name="daemon")
    start = daemon._start

    def start_and_say_so(stop: threading.Event) -> None:
        start(stop)
        one.started.set()

    daemon._start = start_and_say_so  # type: ignore[method-assign]
    one.thread.start()
    try:
        yield one
    finally:
        one.stop.set()
        one.thread.join(WAIT)
        listening.close()  # the web server does it, if it was started
        assert not one.thread.is_alive()


@pytest.fixture(autouse=True)
def no_aws(restored_logging: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have an AWS that refuses connections, and a supervisor that does not wait."""
    for name, value in NO_AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("monitor.daemon.daemon.TICK_SECONDS", 0.01)


def test_what_is_restored_is_left_out_of_garbage_collections(tmp_path: Path) -> None:
    """A full collection while requests are answered does not read the objects of the start."""
    gc.unfreeze()
    with running(tmp_path, settings()) as one:
        assert one.started.wait(WAIT)
        assert gc.get_freeze_count() > 1000
    gc.unfreeze()


@pytest.mark.parametrize("part", ["scheduler", "worker pool", "web server", "outbox", "log writer"])
def test_an_ended_thread_ends_the_daemon(tmp_path: Path, part: str) -> None:
    """One event names the part; `run` raises, so that the process exits with 3 and is restarted."""
    with running(tmp_path, settings()) as one:
        one.daemon._threads = {**one.daemon._threads, part: lambda: False}
        one.thread.join(WAIT)
        assert not one.thread.is_alive()
    assert str(one.error) == f"the {part} ended unexpectedly; the process exits to be restarted"
    (event,) = [entry for entry in one.entries() if entry["event"] == "monitor.failed"]
    assert (event["level"], event["part"]) == ("error", part)
    assert one.entries()[-1]["event"] == "monitor.stopped"


@pytest.mark.parametrize(
    ("part", "end"),
    [
        ("scheduler", lambda daemon: daemon._scheduler.stop()),
        ("worker pool", lambda daemon: daemon._runner.workers.stop(WAIT)),
        ("web server", lambda daemon: daemon._server.stop(WAIT)),
        ("outbox", lambda daemon: daemon._outbox.stop(WAIT)),
    ],
)
def test_a_thread_that_really_ends_is_noticed(tmp_path: Path, part: str, end: Callable[[Daemon], object]) -> None:
    """Each part knows whether its own threads are running."""
    with running(tmp_path, settings()) as one:
        assert one.started.wait(WAIT)
        end(one.daemon)
        one.thread.join(WAIT)
        assert not one.thread.is_alive()
    assert str(one.error).startswith(f"the {part} ended")


def test_a_failed_daemon_exits_with_3(tmp_path: Path) -> None:
    """The process says on stderr which part ended, in one sentence."""
    program = """
import monitor.__main__
from monitor.daemon.daemon import Daemon

create = Daemon.__init__

def without_scheduler(self, *arguments, **options):
    create(self, *arguments, **options)
    self._threads = {"scheduler": lambda: False}

Daemon.__init__ = without_scheduler
monitor.__main__.main()
"""
    config = tmp_path / "monitor.yaml"
    config.write_text(f"products: [pp-aaaaaaaaaaaaa]\nstate: {{path: {tmp_path}/monitor.db}}\n")
    command = [sys.executable, "-c", program, "run", "--config", str(config), "--listen", "127.0.0.1:0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    message = "stackset-monitor: the scheduler ended unexpectedly; the process exits to be restarted\n"
    assert (ended.returncode, ended.stderr) == (3, message)


def test_a_stop_before_the_start_ends_it(tmp_path: Path) -> None:
    """Nothing starts, and nothing remains open."""
    with running(tmp_path, settings(products=["pp-aaaaaaaaaaaaa"])) as one:
        one.stop.set()
    assert one.error is None
    assert one.entries()[-1]["event"] == "monitor.stopped"


def test_a_reload_over_http_during_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request waits until all parts have started, then succeeds; the removed product leaves no series."""
    path = tmp_path / "monitor.yaml"
    path.write_text("products: []")
    answers: list[int] = []
    applied, assembled = threading.Event(), threading.Event()
    configure = Sources.configure

    def configure_slowly(sources: Sources, wanted: tuple[SourceSettings, ...]) -> None:
        """Request a reload in the middle of the start, and find out whether it is applied there."""
        if threading.current_thread().name != "daemon":
            applied.set()
        else:
            client.start()
            assert not applied.wait(0.5)
        configure(sources, wanted)

    def post() -> None:
        assert assembled.wait(WAIT)
        request = Request(f"http://{one.daemon.address}/-/reload", method="POST")
        with urlopen(request, timeout=WAIT) as response:
            answers.append(response.status)

    client = threading.Thread(target=post)
    monkeypatch.setattr(Sources, "configure", configure_slowly)
    options = ReloadOptions(path, settings, over_http=True)
    with running(tmp_path, settings(products=["pp-aaaaaaaaaaaaa"]), options) as one:
        assembled.set()
        assert one.started.wait(WAIT)
        client.join(WAIT)
        assert answers == [200]
        assert applied.is_set()
        assert b"pp-aaaaaaaaaaaaa" not in b"".join(one.daemon._metrics.exposition(openmetrics=False).text())


def test_a_reload_removes_what_belongs_to_a_source(tmp_path: Path) -> None:
    """A removed discovery leaves no series, and a removed source gives its share of the workers back."""
    with running(tmp_path, settings(source("hub"), source("gone"))) as one:
        assert one.started.wait(WAIT)
        one.daemon._apply(settings(source("hub", discover=None)))
        text = b"".join(one.daemon._metrics.exposition(openmetrics=False).text()).decode()
        labelled = [line for line in text.splitlines() if 'source="hub"' in line or 'source="gone"' in line]
        assert labelled
        assert not [line for line in labelled if "discover" in line or "gone" in line]
        assert "gone" not in one.daemon._runner.workers._groups


def test_a_reload_applies_to_the_polls_and_the_staleness(tmp_path: Path) -> None:
    """`poll.confirm_shrink` and `poll.stale_after` take effect without a restart."""
    with running(tmp_path, settings()) as one:
        assert one.started.wait(WAIT)
        before = settings()
        one.daemon._apply(replace(before, poll=replace(before.poll, confirm_shrink=0.1, stale_after=600.0)))
        assert (one.daemon._poller.confirm_shrink, one.daemon._poller.stale_after) == (0.1, 600.0)


def test_livez_fails_while_the_supervisor_is_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor without a round for 30 seconds is stuck; a scheduler without a heartbeat is, too."""
    with running(tmp_path, settings()) as one:
        assert one.started.wait(WAIT)
        assert one.daemon.alive()
        assert one.daemon.ready()
        with monkeypatch.context() as patch:
            patch.setattr(one.daemon._scheduler, "responsive", lambda: False)
            assert not one.daemon.alive()
        monkeypatch.setattr("monitor.daemon.daemon.STUCK_SECONDS", -1.0)
        assert not one.daemon.alive()


def test_a_defect_of_one_task_does_not_end_the_others(tmp_path: Path) -> None:
    """It is logged with its traceback, and the configuration is still read again."""
    path = tmp_path / "monitor.yaml"
    path.write_text("products: []")
    applied = threading.Event()

    def load() -> Settings:
        applied.set()
        return settings()

    reload = ReloadOptions(path, load)
    with running(tmp_path, settings(), reload) as one:

        def fail() -> float:
            raise RuntimeError("unexpected")

        one.daemon._scheduler.adjust_to_clock = fail  # type: ignore[method-assign]
        reload.requested.set()
        assert applied.wait(WAIT)
    assert "monitor.defect" in {entry["event"] for entry in one.entries()}
