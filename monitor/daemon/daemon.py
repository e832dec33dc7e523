"""The running daemon: start, supervision and stop."""

import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor import __version__
from monitor.config.settings import LogLevel
from monitor.daemon.health import Health
from monitor.daemon.job_runner import JobRunner
from monitor.daemon.product_set import ProductSet
from monitor.daemon.reload import Reloader
from monitor.daemon.settings_update import SettingsUpdate
from monitor.daemon.sources import Sources
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.poller.poller import Poller
from monitor.poller.protocols import StateError
from monitor.schedule.scheduler import PollScheduler
from monitor.state.sqlite import SqliteStore
from monitor.web.server import Server

TICK_SECONDS = 1.0
"""Between two rounds of the supervisor. A reload by SIGHUP waits at most this long."""
STALE_CHECK_SECONDS = 5.0
"""A check takes 5 ms with 10,000 products, so that it costs 0.1 % of a core."""
PRUNE_SECONDS = 3600.0
STOP_JOBS_SECONDS, STOP_OUTBOX_SECONDS, STOP_LOG_SECONDS, STOP_WEB_SECONDS = 3.0, 2.0, 1.0, 1.0
"""How long a stop waits for each part: less than the promised 10 s together."""


class DaemonFailedError(Exception):
    """A thread that the daemon cannot work without has ended; the message says which."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a daemon is made of."""

    log: Log
    store: SqliteStore
    outbox: Outbox
    deadlines: Deadlines
    sources: Sources
    poller: Poller
    scheduler: PollScheduler
    product_set: ProductSet
    runner: JobRunner
    metrics: MetricsCache
    monitor_metrics: MonitorMetrics
    update: SettingsUpdate
    reloader: Reloader | None
    health: Health
    server: Server
    on_state_error: Callable[[StateError], None]


class Daemon:
    """Starts, supervises and stops the parts."""

    def __init__(self, parts: Parts) -> None:
        """Create a daemon that has not started."""
        self._parts = parts
        self._threads: Mapping[str, Callable[[], bool]] = {
            "scheduler": parts.scheduler.alive,
            "worker pool": parts.runner.alive,
            "web server": parts.server.alive,
            "outbox": parts.outbox.alive,
            "log writer": parts.log.writer.alive,
        }
        """What returns whether the threads of a part are running: the daemon cannot work without any of them."""
        self._stopping = False
        now = time.monotonic()
        self._next_stale_check = now
        self._next_prune = now + PRUNE_SECONDS  # a clock that is wrong at boot has time to be set
        self._prune_thread: threading.Thread | None = None

    @property
    def address(self) -> str:
        """The HOST:PORT that is served."""
        return self._parts.server.address

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set; return within 10 s of that, whatever is under way.

        Raises:
            DaemonFailedError: a thread that the daemon cannot work without has ended.
        """
        try:
            self._start(stop)
            while not stop.wait(TICK_SECONDS):
                self._supervise()
        finally:
            self._stop()

    def _start(self, stop: threading.Event) -> None:
        parts = self._parts
        parts.product_set.restore(stop)
        if stop.is_set():
            return
        # A reload that is requested while the parts start would find some that have not.
        with parts.reloader.postponed() if parts.reloader else nullcontext():
            settings = parts.update.settings
            parts.monitor_metrics.config_loaded()
            parts.health.report()
            parts.server.start()
            parts.log.event(
                LogLevel.INFO,
                EventName.STARTED,
                version=__version__,
                listen=self.address,
                products=len(parts.product_set.products),
                sources=len(settings.sources),
            )
            parts.sources.configure(settings.sources)
            parts.outbox.start()
            parts.scheduler.start(parts.runner.submit, parts.runner.misfired)
            parts.product_set.start()

    def _supervise(self) -> None:
        """Do what is done periodically. Never waits for AWS."""
        parts = self._parts
        parts.health.report()
        # A process that polls without serving, or serves without polling, looks healthy and is useless: end it.
        if ended := next((name for name, alive in self._threads.items() if not alive()), None):
            message = f"the {ended} ended unexpectedly; the process exits to be restarted"
            parts.log.event(LogLevel.ERROR, EventName.FAILED, part=ended, message=message)
            raise DaemonFailedError(message)
        for task in (self._check_clock, self._withdraw_stale, self._reload, parts.store.check_file, self._prune):
            try:
                task()
            except Exception as error:  # noqa: BLE001 - a defect in one task must not end the others
                parts.log.crash(EventName.DEFECT, error)

    def _check_clock(self) -> None:
        if jump := self._parts.scheduler.adjust_to_clock():
            self._parts.log.event(LogLevel.WARNING, EventName.CLOCK_JUMPED, seconds=round(jump, 3))

    def _withdraw_stale(self) -> None:
        if time.monotonic() < self._next_stale_check:
            return
        self._next_stale_check = time.monotonic() + STALE_CHECK_SECONDS
        for product_id in self._parts.product_set.products:
            if (age := self._parts.poller.withdraw_stale(product_id)) is not None:
                self._parts.product_set.log_stale(product_id, age)

    def _reload(self) -> None:
        if self._parts.reloader:
            self._parts.reloader.check()

    def _prune(self) -> None:
        """Delete what is older than the history, on a thread of its own: it may take minutes."""
        if time.monotonic() < self._next_prune or (self._prune_thread and self._prune_thread.is_alive()):
            return
        self._next_prune = time.monotonic() + PRUNE_SECONDS
        before = datetime.now(UTC) - timedelta(seconds=self._parts.update.settings.history)
        arguments = (before, self._parts.product_set.products)
        self._prune_thread = threading.Thread(target=self._prune_store, args=arguments, name="prune", daemon=True)
        self._prune_thread.start()

    def _prune_store(self, before: datetime, monitored: Collection[str]) -> None:
        try:
            self._parts.store.prune(before, monitored)
        except StateError as error:
            if not self._stopping:
                self._parts.on_state_error(error)

    def _stop(self) -> None:
        self._stopping = True
        parts = self._parts
        parts.scheduler.stop()
        parts.deadlines.cancel()
        jobs_ended = parts.runner.stop(STOP_JOBS_SECONDS)
        parts.outbox.stop(STOP_OUTBOX_SECONDS)
        parts.log.event(LogLevel.INFO, EventName.STOPPED, version=__version__, polls_ended=jobs_ended)
        parts.log.writer.drain(STOP_LOG_SECONDS)
        parts.server.stop(STOP_WEB_SECONDS)
        if jobs_ended:  # otherwise a commit may be under way; the end of the process releases the file as well
            parts.store.close()
