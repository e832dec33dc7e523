"""The cost of a whole poll, compared with a paginator of botocore that reads the same pages and discards them."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from benchmarks.servers import environment, pages
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

INSTANCES = 20_000
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


def bare_listing() -> Callable[[], Any]:
    """Return a function that reads all pages with the paginator of botocore."""
    client = boto3.client("servicecatalog")
    paginator = client.get_paginator("list_stack_instances_for_provisioned_product")
    return lambda: list(
        map(len, paginator.paginate(ProvisionedProductId=PRODUCT.id, PaginationConfig={"PageSize": 20}))
    )


def cpu(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of a call, in all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(runs: int, *, changes: bool, instances: int = INSTANCES) -> tuple[list[float], list[float]]:
    """Return the CPU seconds of polls and of bare listings, in pairs of runs."""
    with tempfile.TemporaryDirectory() as folder, pages(instances=instances, changes=changes) as url:
        os.environ.update(environment(url), AWS_DEFAULT_REGION="eu-west-1")
        monitor_metrics = MonitorMetrics(version="", revision="")
        (poll, _), listing = one_poll(Path(folder), aws(monitor_metrics), monitor_metrics), bare_listing()
        poll()  # the first poll writes a baseline
        poll()
        listing()
        measured = [(cpu(poll), cpu(listing)) for _ in range(runs)]
    return [one for one, _ in measured], [other for _, other in measured]
