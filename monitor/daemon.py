"""The daemon: the rooms put together, started, looked after, and stopped."""

import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from monitor import __version__
from monitor.configuration.load import ConfigurationError
from monitor.configuration.settings import LogLevel, Settings, SourceSettings
from monitor.exposition.board import Board
from monitor.exposition.tally import MISFIRE, OVERRUN
from monitor.fleet.failure import PollCancelledError
from monitor.log.events import EventName, Events, transition_line
from monitor.log.outbox import Outbox
from monitor.log.setup import Log
from monitor.poller.deadline import Deadlines
from monitor.poller.poller import Poller
from monitor.poller.ports import StateError
from monitor.schedule.timetable import Timetable
from monitor.schedule.workers import Workers
from monitor.store.opening import open_state
from monitor.telemetry.registry import Telemetry
from monitor.web.access import Access
from monitor.web.app import application
from monitor.web.server import Server

if TYPE_CHECKING:
    from monitor.catalog.client import Source

TICK_SECONDS = 0.5
"""How often the supervisor looks: a deadline ends a poll at most this late."""
PRUNE_SECONDS = 3600.0
STOP_POLLS, STOP_EVENTS, STOP_LINES, STOP_WEB = 3.0, 2.0, 1.0, 1.0
"""Seconds that a stop waits for each of these: less than 10 s together."""


class Daemon:
    """One monitor. Made of settings; nothing runs before `run`."""

    def __init__(self, settings: Settings, log: Log, bound: socket.socket) -> None:
        """Open the state.

        Raises `StateError` where that cannot be, and `ConfigurationError` for a wrong web configuration.
        """
        self._settings = settings
        self._log = log
        access = Access(settings.web_config, self._web_config_changed)
        self._telemetry = Telemetry(version=__version__, revision=os.environ.get("STACKSET_MONITOR_REVISION", ""))
        self._state = open_state(settings.state_path, self._telemetry.state_committed, self._state_failed)
        self._products = {watched.product.id: watched for watched in settings.products}
        self._deadlines = Deadlines()
        self._board = Board(settings.series, self._telemetry.render, self._telemetry.state_failed)
        self._outbox = Outbox(self._state, log.writer, partial(transition_line, log), self._state_failed)
        self._sources: dict[str, Source] = {}
        self._poller = Poller(
            self._sources,
            self._state,
            self._board,
            Events(log, self._outbox),
            self._deadlines,
            confirm_shrink=settings.poll.confirm_shrink,
        )
        self._timetable = Timetable(self._due, self._misfired)
        self._polled: set[str] = set()
        self._workers = Workers(settings.poll.concurrency, self._poll, self._crashed)
        self._server = Server(application(self._board, self, version=__version__), bound, access)
        self._next_prune = time.monotonic()

    @property
    def address(self) -> str:
        """The HOST:PORT that is served."""
        return self._server.address

    def alive(self) -> bool:
        """Say whether the scheduler ticks."""
        return self._timetable.alive()

    def ready(self) -> bool:
        """Say whether every product has its stored snapshot back or its first poll behind it."""
        return self._polled.issuperset(self._products)

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

    def _open_source(self, source: SourceSettings) -> None:
        # boto3 takes a third of a second to import: meanwhile the gauges are served again.
        from monitor.catalog.client import Source, operations  # noqa: PLC0415

        observer = self._telemetry.source(source.name, operations(source))
        self._sources[source.name] = Source(source, observer, self._settings.poll.concurrency)

    def _start(self, stop: threading.Event) -> None:
        for watched in self._settings.products:
            if stop.is_set():
                return
            if self._poller.restore(watched):
                self._polled.add(watched.product.id)
        self._telemetry.config_loaded()
        self._server.start()
        self._log.event(
            LogLevel.INFO,
            EventName.STARTED,
            version=__version__,
            listen=self.address,
            products=len(self._products),
            sources=len(self._settings.sources),
        )
        for source in self._settings.sources:
            self._open_source(source)
        self._outbox.start()
        self._timetable.start()
        for watched in self._settings.products:
            self._timetable.add(watched.product.id, watched.interval)

    def _look_after(self) -> None:
        """Do what has to be done again and again. This is the supervisor; it never waits for AWS."""
        self._deadlines.enforce()
        self._board.refresh()
        if jump := self._timetable.watch_clock():
            self._log.event(LogLevel.WARNING, EventName.CLOCK_JUMPED, seconds=round(jump, 3))
        for product_id, watched in self._products.items():
            age = self._poller.snapshot_age(product_id)
            if age is not None and age > self._settings.poll.stale_after and self._board.withdraw(product_id):
                self._log.event(
                    LogLevel.WARNING,
                    EventName.STALE,
                    provisioned_product_id=product_id,
                    provisioned_product_name=watched.product.name,
                    snapshot_age_seconds=round(age, 3),
                )
        if time.monotonic() >= self._next_prune:
            self._next_prune = time.monotonic() + PRUNE_SECONDS
            self._prune()

    def _prune(self) -> None:
        try:
            self._state.prune(datetime.now(UTC) - timedelta(seconds=self._settings.history))
        except StateError as error:
            self._state_failed(error)

    def _stop(self) -> None:
        self._timetable.stop()
        self._deadlines.cancel()
        polls_ended = self._workers.stop(STOP_POLLS)
        self._outbox.stop(STOP_EVENTS)
        self._log.event(LogLevel.INFO, EventName.STOPPED, version=__version__, polls_ended=polls_ended)
        self._log.writer.flush(STOP_LINES)
        self._server.stop(STOP_WEB)
        if polls_ended:  # else a commit may be under way, and the end of the process lets go just as well
            self._state.close()

    def _due(self, product_id: str) -> None:
        if not self._workers.submit(product_id):
            self._board.skipped(self._products[product_id], OVERRUN)

    def _misfired(self, product_id: str, runs: int) -> None:
        self._board.skipped(self._products[product_id], MISFIRE, runs)

    def _poll(self, product_id: str) -> None:
        try:
            self._poller.poll(self._products[product_id])
        except PollCancelledError:
            return
        self._polled.add(product_id)

    def _crashed(self, product_id: str, error: Exception) -> None:
        """Say what nobody expected; it counts as the product's poll all the same."""
        self._polled.add(product_id)
        self._log.crash(EventName.DEFECT, error, provisioned_product_id=product_id)

    def _state_failed(self, error: StateError) -> None:
        self._telemetry.state_failed()
        self._log.event(LogLevel.ERROR, EventName.STATE_FAILED, message=str(error))

    def _web_config_changed(self, error: ConfigurationError | None) -> None:
        if error is None:
            self._log.event(LogLevel.INFO, EventName.WEB_CONFIG_RELOADED)
        else:
            self._log.event(LogLevel.ERROR, EventName.WEB_CONFIG_REFUSED, message=str(error))
