"""What the options of `metrics` save: series, and bytes of a scrape."""

from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.fleets import Fleet
from monitor.configuration.settings import InstanceSeries, SeriesOptions, WatchedProduct
from monitor.exposition.board import Board
from monitor.fleet.diff import diff
from monitor.fleet.instances import Listing
from monitor.poller.ports import Remembered

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
    """How large a scrape is."""

    series: int
    text: int
    gzip: int


def measure(fleet: Fleet, options: SeriesOptions) -> Scrape:
    """Return the size of a scrape of the products alone."""
    board = Board(options, lambda _: b"", lambda: None)
    listing, now = Listing(fleet.statuses(), 1, {}), datetime.now(UTC)
    for product in map(fleet.product, range(fleet.products)):
        snapshot = diff(None, listing, product, "poll", now).snapshot
        board.restored(WatchedProduct(product, "default", 300.0, 240.0), Remembered(snapshot, missing=False))
    exposition = board.exposition(openmetrics=False)
    series = sum(piece.count(b"\n") - piece.count(b"# ") for piece in exposition.text())
    return Scrape(series, exposition.length, exposition.gzip_length)
