"""The number of series and the bytes of a scrape with different options of `metrics`."""

from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.fleets import Fleet
from monitor.config.settings import InstanceSeries, MonitoredProduct, SeriesOptions
from monitor.metrics.cache import MetricsCache
from monitor.model.diff import diff
from monitor.model.instances import Listing
from monitor.poller.protocols import StoredProduct

CHOICES = {
    "the default": SeriesOptions(),
    "zero_series: false": SeriesOptions(zero_series=False),
    "instance_series: non_current": SeriesOptions(instance_series=InstanceSeries.NON_CURRENT),
    "instance_series: non_current, zero_series: false": SeriesOptions(
        instance_series=InstanceSeries.NON_CURRENT, zero_series=False
    ),
    "instance_series: none": SeriesOptions(instance_series=InstanceSeries.NONE),
    "max_instance_series: 100000": SeriesOptions(max_instance_series=100_000),
}


@dataclass(frozen=True, slots=True)
class Scrape:
    """The size of a scrape."""

    series: int
    text: int
    gzip: int


def measure(fleet: Fleet, options: SeriesOptions) -> Scrape:
    """Return the size of a scrape, without the metrics of the monitor itself."""
    metrics = MetricsCache(options, lambda _: b"")
    listing, now = Listing(fleet.statuses(), 1, {}), datetime.now(UTC)
    for product in map(fleet.product, range(fleet.products)):
        snapshot = diff(None, listing, product, "poll", now).snapshot
        metrics.restored(MonitoredProduct(product, "default", 300.0, 240.0), StoredProduct(snapshot, missing=False))
    exposition = metrics.exposition(openmetrics=False)
    series = sum(piece.count(b"\n") - piece.count(b"# ") for piece in exposition.text())
    return Scrape(series, exposition.length, exposition.gzip_length)
