"""The scrapes of a monitor that runs through the day, one a minute, as the current code renders them."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

from monitor import __version__
from monitor.config.settings import InstanceSeries, MonitoredProduct, SeriesOptions
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.model.errors import Reason
from monitor.model.instances import Product
from monitor.poller.poller import Poller
from monitor.poller.protocols import CompletedPoll, FailedPoll
from monitor.state.sqlite import SqliteStore
from tests.dashboard.pictures.day import DESCRIBE, LIST, PRODUCTS, DayCatalog, SimulatedDay

START = datetime(2026, 11, 23, tzinfo=UTC)
MINUTES = 24 * 60
DOWN = range(19 * 60, 19 * 60 + 50)
"""The minutes without a monitor."""
INTERVAL = 5
TARGET = 'cluster="production",namespace="monitoring",job="stackset-monitor",instance="10.0.12.7:9935"'
Scrape = dict[str, float]
"""Values by series, with all labels."""


class NoEvents:
    """An `EventSink` that logs nothing."""

    def completed(self, poll: CompletedPoll) -> None:
        """Ignore a completed poll."""

    def failed(self, poll: FailedPoll) -> None:
        """Ignore a failed poll."""


class RecordedMonitor:
    """A monitor of a simulated day, from a start to a stop. The state outlives it."""

    def __init__(self, day: SimulatedDay, store: SqliteStore, now: datetime) -> None:
        """Start it."""
        self.now = now
        self._metrics = MonitorMetrics(version=__version__, revision="")
        self._cache = MetricsCache(SeriesOptions(InstanceSeries.NON_CURRENT, zero_series=False), lambda _: b"")
        self._day = day
        self._metrics.config_loaded()
        self._metrics.discovering("hub", 900.0)
        catalog = DayCatalog(day, self._metrics.source("hub", (LIST, DESCRIBE)), self._sleep)
        self._poller = Poller(
            {"hub": catalog},
            store,
            self._cache,
            NoEvents(),
            Deadlines(self._clock),
            confirm_shrink=0.5,
            stale_after=3600.0,
            on_state_error=lambda _: self._metrics.state_failed(),
            now=lambda: self.now,
            clock=self._clock,
        )
        self._products = [
            MonitoredProduct(Product(product_id, name), "hub", INTERVAL * 60.0, 240.0)
            for product_id, (name, _) in PRODUCTS.items()
        ]
        for product in self._products:
            self._poller.restore(product)

    def run(self, minute: int) -> None:
        """Poll what is due in a minute, and search every 15 minutes."""
        if minute % 15 == 0:
            self._search()
        for number, product in enumerate(self._products):
            if minute % INTERVAL == number:
                self._poller.poll(product)
                self._metrics.state_committed()
            elif self._day.slow > 1 and minute % (2 * INTERVAL) == number + 1 > 3:
                self._cache.skipped(product, "overrun")

    def scrape(self) -> Scrape:
        """Return all series as Prometheus stores them."""
        text = b"".join(self._cache.exposition(openmetrics=False).text()) + self._metrics.render(openmetrics=False)
        found: Scrape = {f"up{{{TARGET}}}": 1.0}
        for line in text.decode().splitlines():
            if not line.startswith("#"):
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                found[f"{name}{{{TARGET}{',' + labels if labels else '}'}"] = float(value)
        return found

    def _search(self) -> None:
        if self._day.slow > 1:
            self._metrics.discovery_failed("hub", Reason.THROTTLED)
        else:
            self._metrics.discovered("hub", len(PRODUCTS), 0)

    def _clock(self) -> float:
        return self.now.timestamp()

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def scrapes(folder: Path) -> Iterator[tuple[datetime, Scrape]]:
    """Yield the time and the series of each scrape of the day; while the monitor is down only `up`."""
    day = SimulatedDay()
    store = SqliteStore(folder / "monitor.db")
    running: RecordedMonitor | None = None
    with mock.patch("time.time") as clock:  # prometheus_client reads it for times of the last success
        clock.side_effect = lambda: running.now.timestamp() if running else START.timestamp()
        for minute in range(MINUTES + 1):
            now = START + timedelta(minutes=minute)
            scraped_at = now + timedelta(seconds=30)  # after the polls of this minute
            day.advance(minute)
            if minute in DOWN:
                running = None
                yield scraped_at, {f"up{{{TARGET}}}": 0.0}
                continue
            running = running or RecordedMonitor(day, store, now)
            running.now = now
            running.run(minute)
            running.now = scraped_at
            yield scraped_at, {series: value for series, value in running.scrape().items() if not math.isnan(value)}
    store.close()
