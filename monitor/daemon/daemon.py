"""The daemon: the rooms put together, started, looked after, and stopped."""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from monitor import __version__
from monitor.config.errors import ConfigurationError
from monitor.config.settings import LogLevel, Settings
from monitor.daemon.discovery import Discovery
from monitor.daemon.product_set import DISCOVER, ProductSet
from monitor.daemon.reload import Reloader
from monitor.daemon.sources import Sources
from monitor.events.event_logger import EventLogger
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.events.transitions import transition_line
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.model.errors import PollCancelledError, SkipReason
from monitor.model.shard import Shard
from monitor.poller.poller import Poller
from monitor.poller.protocols import StateError
from monitor.schedule.scheduler import PollScheduler
from monitor.schedule.workers import Workers
from monitor.state.sqlite import SqliteStore
from monitor.web.app import application
from monitor.web.server import Server
from monitor.web.web_config import WebConfigReloader

TICK_SECONDS = 0.5
"""How often the supervisor looks: a deadline ends a poll at most this late."""
PRUNE_SECONDS = 3600.0
STOP_POLLS, STOP_EVENTS, STOP_LINES, STOP_WEB = 3.0, 2.0, 1.0, 1.0
"""Seconds that a stop waits for each of these: less than 10 s together."""


RESTART: Mapping[str, Callable[[Settings], object]] = {
    "poll.concurrency": lambda settings: settings.poll.concurrency,
    "state.path": lambda settings: settings.state_path,
    "web.listen": lambda settings: settings.listen,
    "web.config_file": lambda settings: settings.web_config,
    "log.level": lambda settings: settings.log_level,
    "log.format": lambda settings: settings.log_format,
}
"""What takes effect at the next start only."""


@dataclass(frozen=True, slots=True)
class Reloading:
    """Where a configuration is read again."""

    path: Path
    load: Callable[[], Settings]
    """Raises `ConfigurationError` or `UnreadableError`."""
    asked: threading.Event = field(default_factory=threading.Event)
    """Set by whoever wants it to be read now."""
    over_http: bool = False
    """POST /-/reload is served."""


class Daemon:
    """One monitor. Made of settings; nothing runs before `run`."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        bound: socket.socket,
        *,
        shard: Shard | None = None,
        reloading: Reloading | None = None,
    ) -> None:
        """Open the state.

        Raises `StateError` where that cannot be, and `ConfigurationError` for a wrong web configuration.
        """
        shard = shard or Shard()
        self._settings = settings
        self._log = log
        web_config = WebConfigReloader(settings.web_config, self._web_config_changed)
        revision = os.environ.get("STACKSET_MONITOR_REVISION", "")
        self._monitor_metrics = MonitorMetrics(version=__version__, revision=revision, shard=shard)
        self._state = SqliteStore(
            settings.state_path, self._monitor_metrics.state_committed, self._state_failed, self._state_recovered
        )
        self._deadlines = Deadlines()
        self._metrics = MetricsCache(settings.series, self._monitor_metrics.render)
        self._outbox = Outbox(self._state, log.writer, partial(transition_line, log), self._state_failed)
        self._sources = Sources(self._monitor_metrics, settings.poll.concurrency, log)
        self._poller = Poller(
            self._sources,
            self._state,
            self._metrics,
            EventLogger(log, self._outbox),
            self._deadlines,
            confirm_shrink=settings.poll.confirm_shrink,
            on_state_error=self._state_failed,
        )
        self._scheduler = PollScheduler(self._due, self._misfired)
        self._product_set = ProductSet(
            settings, shard, self._state, self._poller, self._metrics, self._scheduler, log, self._state_failed
        )
        self._discovery = Discovery(
            self._sources, self._product_set, self._deadlines, self._monitor_metrics, log, self._state_failed
        )
        self._workers = Workers(settings.poll.concurrency, self._work, self._crashed)
        self._reloader = reloading and Reloader(
            reloading.path, reloading.load, reloading.asked, self._configure, self._refused
        )
        over_http = self._reloader.reload if self._reloader and reloading and reloading.over_http else None
        app = application(self._metrics, self, version=__version__, reload=over_http)
        self._server = Server(app, bound, web_config)
        self._next_prune = time.monotonic() + PRUNE_SECONDS  # a clock that is wrong at boot has time to be set

    @property
    def address(self) -> str:
        """The HOST:PORT that is served."""
        return self._server.address

    def alive(self) -> bool:
        """Say whether the scheduler ticks."""
        return self._scheduler.alive()

    def ready(self) -> bool:
        """Say whether every product has its stored snapshot back or its first poll behind it."""
        return self._product_set.ready()

    def run(self, stop: threading.Event) -> None:
        """Run until `stop` is set; returns within 10 s of that, whatever is under way."""
        try:
            self._start(stop)
            while not stop.wait(TICK_SECONDS):
                try:
                    self._look_after()
                except Exception as error:  # noqa: BLE001 - the supervisor has to be there tomorrow, too
                    self._log.crash(EventName.DEFECT, error)
        finally:
            self._stop()

    def _start(self, stop: threading.Event) -> None:
        self._product_set.restore(stop)
        if stop.is_set():
            return
        self._monitor_metrics.config_loaded()
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
        self._scheduler.start()
        self._product_set.start()

    def _look_after(self) -> None:
        """Do what has to be done again and again. This is the supervisor; it never waits for AWS."""
        if jump := self._scheduler.watch_clock():
            self._log.event(LogLevel.WARNING, EventName.CLOCK_JUMPED, seconds=round(jump, 3))
        for product_id in self._product_set.products:
            age = self._poller.snapshot_age(product_id)
            if age is not None and age > self._settings.poll.stale_after and self._metrics.withdraw(product_id):
                self._tell_stale(product_id, age)
        if self._reloader:
            self._reloader.look()
        self._state.check_file()
        if time.monotonic() >= self._next_prune:
            self._next_prune = time.monotonic() + PRUNE_SECONDS
            self._prune()

    def _tell_stale(self, product_id: str, age: float) -> None:
        if monitored := self._product_set.get(product_id):
            self._log.event(
                LogLevel.WARNING,
                EventName.STALE,
                provisioned_product_id=product_id,
                provisioned_product_name=monitored.product.name,
                snapshot_age_seconds=round(age, 3),
            )

    def _prune(self) -> None:
        try:
            self._state.prune(datetime.now(UTC) - timedelta(seconds=self._settings.history), self._product_set.products)
        except StateError as error:
            self._state_failed(error)

    def _stop(self) -> None:
        self._scheduler.stop()
        self._deadlines.cancel()
        polls_ended = self._workers.stop(STOP_POLLS)
        self._outbox.stop(STOP_EVENTS)
        self._log.event(LogLevel.INFO, EventName.STOPPED, version=__version__, polls_ended=polls_ended)
        self._log.writer.flush(STOP_LINES)
        self._server.stop(STOP_WEB)
        if polls_ended:  # else a commit may be under way, and the end of the process lets go just as well
            self._state.close()

    def _due(self, name: str) -> None:
        """Hand over what is due: a product's id, or a search of a source's products."""
        monitored = self._product_set.get(name)
        group = name.removeprefix(DISCOVER) if monitored is None else monitored.source
        if not self._workers.submit(name, group) and monitored is not None:
            self._metrics.skipped(monitored, SkipReason.OVERRUN)

    def _misfired(self, name: str, runs: int) -> None:
        if monitored := self._product_set.get(name):
            self._metrics.skipped(monitored, SkipReason.MISFIRE, runs)

    def _work(self, name: str) -> None:
        try:
            if name.startswith(DISCOVER):
                source = next((one for one in self._settings.sources if DISCOVER + one.name == name), None)
                if source is not None:  # else it was taken out a moment ago
                    self._discovery.search(source)
            elif monitored := self._product_set.products.get(name):
                self._poller.poll(monitored)
                if self._product_set.products.get(name) is not monitored and (now := self._product_set.get(name)):
                    self._metrics.update(now)  # it was changed meanwhile, and the poll has shown it as it was
        except PollCancelledError:
            return
        self._product_set.done(name)

    def _crashed(self, name: str, error: Exception) -> None:
        """Say what nobody expected; it counts as the product's poll all the same."""
        self._product_set.done(name)
        what = (
            {"source": name.removeprefix(DISCOVER)} if name.startswith(DISCOVER) else {"provisioned_product_id": name}
        )
        self._log.crash(EventName.DEFECT, error, **what)

    def _configure(self, settings: Settings) -> None:
        """Take a configuration over that was read again."""
        before, self._settings = self._settings, settings
        self._sources.configure(settings.sources)
        self._poller.confirm_shrink = settings.poll.confirm_shrink
        self._metrics.configure(settings.series)
        changes = self._product_set.configure(settings)
        self._monitor_metrics.config_loaded()
        self._metrics.registry_changed()
        restart = [key for key, value in RESTART.items() if value(settings) != value(before)]
        self._log.event(LogLevel.INFO, EventName.CONFIG_RELOADED, **changes, restart_required=restart)

    def _refused(self, message: str) -> None:
        self._monitor_metrics.config_refused()
        self._metrics.registry_changed()
        self._log.event(LogLevel.ERROR, EventName.CONFIG_REFUSED, message=message)

    def _state_failed(self, error: StateError) -> None:
        self._monitor_metrics.state_failed()
        self._log.event(LogLevel.ERROR, EventName.STATE_FAILED, message=str(error))

    def _state_recovered(self, message: str) -> None:
        self._log.event(LogLevel.ERROR, EventName.STATE_RECOVERED, message=message)

    def _web_config_changed(self, error: ConfigurationError | None) -> None:
        if error is None:
            self._log.event(LogLevel.INFO, EventName.WEB_CONFIG_RELOADED)
        else:
            self._log.event(LogLevel.ERROR, EventName.WEB_CONFIG_REFUSED, message=str(error))
