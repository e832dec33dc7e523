"""The daemon: creates the parts and connects them, starts, supervises, reloads and stops them."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial

from monitor import __version__
from monitor.config.errors import ConfigurationError
from monitor.config.settings import LogLevel, Settings
from monitor.daemon.accepted import AcceptedCheck
from monitor.daemon.cluster import Cluster
from monitor.daemon.discovery import Discovery
from monitor.daemon.job_runner import JobRunner
from monitor.daemon.product_set import ProductSet
from monitor.daemon.product_views import ProductViews
from monitor.daemon.protocols import Owner
from monitor.daemon.publishers import Publishers
from monitor.daemon.reload import NEEDS_RESTART, Reloader, ReloadOptions
from monitor.daemon.sources import Sources
from monitor.daemon.views import DaemonViews
from monitor.events.event_logger import EventLogger
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.events.transitions import transition_line
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.model.shard import Shard
from monitor.poller.poller import Poller
from monitor.poller.protocols import StateError
from monitor.schedule.scheduler import PollScheduler
from monitor.schedule.workers import PollJob
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.sqlite import SqliteStore
from monitor.web.app import application
from monitor.web.server import Server
from monitor.web.web_config import WebConfigReloader

# Between two rounds of the supervisor. A reload by SIGHUP waits at most this long.
TICK_SECONDS = 1.0
# Without a round of the supervisor for this long, `/livez` fails.
STUCK_SECONDS = 30.0
# A check takes 5 ms with 5,000 products: 0.05 % of a core.
STALE_CHECK_SECONDS = 10.0
PRUNE_SECONDS = 3600.0
# How long a stop waits for each part: less than the promised 10 s together.
STOP_JOBS_SECONDS, STOP_OUTBOX_SECONDS, STOP_LEASES_SECONDS = 3.0, 2.0, 2.0
STOP_LOG_SECONDS, STOP_WEB_SECONDS = 1.0, 1.0


class DaemonFailedError(Exception):
    """A thread that the daemon cannot work without has ended; the message says which."""


class Daemon:
    """All parts of the monitor, and the supervision of them."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        listening: socket.socket,
        *,
        shard: Shard | None = None,
        reload: ReloadOptions | None = None,
    ) -> None:
        """Create the parts; `run` starts them.

        Raises:
            StateError: the state cannot be opened, and a person has to decide what to do.
            ConfigurationError: the web configuration is wrong.
        """
        shard = shard or Shard()
        self._settings = settings
        self._log = log
        revision = os.environ.get("STACKSET_MONITOR_REVISION", "")
        self._monitor_metrics = MonitorMetrics(
            version=__version__, revision=revision, shard=shard, lines_dropped=lambda: log.writer.dropped
        )
        web_config = WebConfigReloader(settings.web_config, self._log_web_config)
        render: Callable[[bool], bytes] = self._monitor_metrics.render
        self._cluster: Cluster | None = None
        self._store: SqliteStore | DynamoDbStore
        if settings.state_table is not None:
            self._cluster = Cluster(settings, settings.state_table, self._monitor_metrics, log, self._state_failed)
            self._store, render = self._cluster.store, self._cluster.render(render)
        else:
            self._store = SqliteStore(
                settings.state_path, self._monitor_metrics.state_committed, self._state_failed, self._state_recovered
            )
        owner: Owner = self._cluster.leases if self._cluster else shard
        self._metrics = MetricsCache(settings.series, render, settings.accepted, owner.owns)
        self._scheduler = PollScheduler()
        self._product_views = ProductViews(
            lambda one: self._scheduler.next_run(PollJob(one)), settings.accepted, owner.owns
        )
        self._accepted_check = AcceptedCheck(self._product_views.all, log, whole=shard.total == 1 and not self._cluster)
        self._publishers = publishers = Publishers(self._metrics, self._product_views)
        self._outbox = Outbox(self._store, log.writer, partial(transition_line, log), self._state_failed)
        self._sources = Sources(self._monitor_metrics, settings.poll.concurrency, log)
        self._deadlines = Deadlines()
        self._poller = Poller(
            self._sources,
            self._store,
            publishers,
            EventLogger(log, self._outbox),
            self._deadlines,
            confirm_shrink=settings.poll.confirm_shrink,
            stale_after=settings.poll.stale_after,
            on_state_error=self._state_failed,
            owns=owner.owns,
        )
        self._product_set = ProductSet(
            settings,
            shard,
            store=self._store,
            poller=self._poller,
            metrics=publishers,
            schedule=self._scheduler,
            log=log,
            on_state_error=self._state_failed,
            owner=owner,
        )
        discovery = Discovery(self._sources, self._product_set, self._deadlines, self._monitor_metrics, log)
        self._runner = JobRunner(settings.poll.concurrency, self._product_set, self._poller, discovery, publishers, log)
        unused = self._accepted_check.unused
        views = DaemonViews(lambda: self._settings, self._product_views, self._sources, discovery, self._store, unused)
        self._reloader = Reloader(reload, self._apply, self._refuse) if reload else None
        over_http = self._reloader.reload if self._reloader and reload and reload.over_http else None
        self._server = Server(
            application(self._metrics, self, views, version=__version__, reload=over_http), listening, web_config
        )
        # What returns whether the threads of a part are running: the daemon cannot work without any of them.
        self._threads: dict[str, Callable[[], bool]] = {
            "scheduler": self._scheduler.alive,
            "worker pool": self._runner.workers.alive,
            "web server": self._server.alive,
            "outbox": self._outbox.alive,
            "log writer": log.writer.alive,
        }
        if self._cluster:
            self._threads |= {"lease renewal": self._cluster.alive}
        self._stopping = False
        self._last_round = self._next_stale_check = time.monotonic()
        self._next_prune = self._last_round + PRUNE_SECONDS  # a clock that is wrong at boot has time to be set

    @property
    def address(self) -> str:
        """The HOST:PORT that is served."""
        return self._server.address

    def alive(self) -> bool:
        """Return whether the scheduler and the supervisor work (`/livez`)."""
        return self._scheduler.responsive() and time.monotonic() - self._last_round < STUCK_SECONDS

    def ready(self) -> bool:
        """Return whether every product was restored or polled once (`/readyz`); never False again after that."""
        return self._product_set.ready()

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
        if self._cluster:
            self._cluster.start(self._product_set, self._publishers, self._outbox.wake)
        self._product_set.restore(stop)
        if stop.is_set():
            return
        if self._cluster:
            self._cluster.follow()
        # A reload over HTTP while the parts start would find some that have not.
        with self._reloader.lock if self._reloader else nullcontext():
            self._monitor_metrics.config_loaded()
            self._last_round = time.monotonic()
            self._server.start()
            self._log.event(
                LogLevel.INFO,
                EventName.STARTED,
                version=__version__,
                listen=self.address,
                products=len(self._product_set.products),
                sources=len(self._settings.sources),
            )
            self._sources.configure(self._settings.sources)
            self._outbox.start()
            self._scheduler.start(self._runner.submit, self._runner.misfired)

    def _supervise(self) -> None:
        """Do what is done periodically. Never waits for AWS."""
        self._last_round = time.monotonic()
        # A process that polls without serving, or serves without polling, looks healthy and is useless: end it.
        if ended := next((name for name, alive in self._threads.items() if not alive()), None):
            message = f"the {ended} ended unexpectedly; the process exits to be restarted"
            self._log.event(LogLevel.ERROR, EventName.FAILED, part=ended, message=message)
            raise DaemonFailedError(message)
        tasks: list[Callable[[], object]] = [
            self._check_clock,
            self._withdraw_stale,
            self._store.check_file,
            self._prune,
            lambda: self._accepted_check.check(self._settings.accepted),
        ]
        if self._reloader:
            tasks.append(self._reloader.check)
        for task in tasks:
            try:
                task()
            except Exception as error:  # noqa: BLE001 - a defect in one task must not end the others
                self._log.crash(EventName.DEFECT, error)

    def _check_clock(self) -> None:
        if jump := self._scheduler.adjust_to_clock():
            self._log.event(LogLevel.WARNING, EventName.CLOCK_JUMPED, seconds=round(jump, 3))

    def _withdraw_stale(self) -> None:
        if time.monotonic() < self._next_stale_check:
            return
        self._next_stale_check = time.monotonic() + STALE_CHECK_SECONDS
        for product_id in self._product_set.products:
            if (age := self._poller.withdraw_stale(product_id)) is not None:
                self._product_set.log_stale(product_id, age)

    def _prune(self) -> None:
        """Delete what is older than the history, on a thread of its own: it may take minutes."""
        if time.monotonic() < self._next_prune:
            return
        self._next_prune = time.monotonic() + PRUNE_SECONDS
        threading.Thread(target=self._prune_store, name="prune", daemon=True).start()

    def _prune_store(self) -> None:
        before = datetime.now(UTC) - timedelta(seconds=self._settings.history)
        try:
            self._store.prune(before, self._product_set.products)
        except StateError as error:
            if not self._stopping:
                self._state_failed(error)

    def _apply(self, settings: Settings) -> None:
        """Hand new settings to every part, the sources first: products and searches read from them."""
        before, self._settings = self._settings, settings
        self._sources.configure(settings.sources)
        self._poller.confirm_shrink, self._poller.stale_after = settings.poll.confirm_shrink, settings.poll.stale_after
        if self._cluster:
            self._cluster.configure(settings)
        self._metrics.configure(settings.series, settings.accepted)
        self._product_views.configure(settings.accepted)
        changes = self._product_set.configure(settings)
        self._runner.workers.retain_groups({source.name for source in settings.sources})
        self._monitor_metrics.config_loaded()
        restart = [key for key, value in NEEDS_RESTART.items() if value(settings) != value(before)]
        self._log.event(LogLevel.INFO, EventName.CONFIG_RELOADED, **asdict(changes), restart_required=restart)

    def _refuse(self, message: str) -> None:
        self._monitor_metrics.config_refused()
        self._log.event(LogLevel.ERROR, EventName.CONFIG_REFUSED, message=message)

    def _stop(self) -> None:
        self._stopping = True
        self._scheduler.stop()
        self._deadlines.cancel()
        jobs_ended = self._runner.workers.stop(STOP_JOBS_SECONDS)
        self._outbox.stop(STOP_OUTBOX_SECONDS)
        if self._cluster:
            self._cluster.stop(STOP_LEASES_SECONDS)
        self._log.event(LogLevel.INFO, EventName.STOPPED, version=__version__, polls_ended=jobs_ended)
        self._log.writer.drain(STOP_LOG_SECONDS)
        self._server.stop(STOP_WEB_SECONDS)
        if jobs_ended:  # otherwise a commit may be under way; the end of the process releases the file as well
            self._store.close()

    def _state_failed(self, error: StateError) -> None:
        self._monitor_metrics.state_failed()
        self._log.event(LogLevel.ERROR, EventName.STATE_FAILED, message=str(error))

    def _state_recovered(self, message: str) -> None:
        self._log.event(LogLevel.ERROR, EventName.STATE_RECOVERED, message=message)

    def _log_web_config(self, error: ConfigurationError | None) -> None:
        if error is None:
            self._log.event(LogLevel.INFO, EventName.WEB_CONFIG_RELOADED)
        else:
            self._log.event(LogLevel.ERROR, EventName.WEB_CONFIG_REFUSED, message=str(error))
