"""A poller without a daemon around it, for other benchmarks."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.aws.source import Source, operations
from monitor.config.settings import LogFormat, LogLevel, MonitoredProduct, SeriesOptions, SourceSettings
from monitor.events.event_logger import EventLogger
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.events.writer import LineWriter
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.model.instances import Product
from monitor.poller.poller import Poller
from monitor.poller.protocols import Catalog
from monitor.state.sqlite import SqliteStore

PRODUCT = Product("pp-0000000000001", "baseline")


def one_poll(folder: Path, catalog: Catalog, monitor_metrics: MonitorMetrics) -> tuple[Callable[[], Any], MetricsCache]:
    """Return a function that polls a product once, from the listing to the metrics and the log, and the metrics."""
    state = SqliteStore(folder / "monitor.db")
    writer = LineWriter(os.open(os.devnull, os.O_WRONLY))
    log = Log(writer, LogLevel.INFO, LogFormat.JSON)
    metrics = MetricsCache(SeriesOptions(), monitor_metrics.render)
    outbox = Outbox(state, writer, lambda _: None, lambda _: None)
    poller = Poller(
        {"default": catalog},
        state,
        metrics,
        EventLogger(log, outbox),
        Deadlines(),
        confirm_shrink=0.5,
        stale_after=3600.0,
        on_state_error=lambda _: None,
    )
    monitored = MonitoredProduct(PRODUCT, "default", 300.0, 3000.0)
    poller.restore(monitored)
    return lambda: poller.poll(monitored), metrics


def aws(monitor_metrics: MonitorMetrics, *, calls_per_second: float = 1e6, connections: int = 16) -> Source:
    """Return a source with the endpoint of the environment."""
    settings = SourceSettings("default", "eu-west-1", calls_per_second, 20, "en")
    return Source(settings, monitor_metrics.source("default", operations(settings)), connections)


def cpu(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of a call, in all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started
