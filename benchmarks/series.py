"""The number of series and the bytes of a scrape with different options of `metrics`."""

from dataclasses import dataclass

from benchmarks.fleets import Fleet
from benchmarks.serve import published
from monitor.config.settings import InstanceSeries, SeriesOptions

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
    """Return the size of a scrape."""
    exposition = published(fleet, options).exposition(openmetrics=False)
    series = sum(piece.count(b"\n") - piece.count(b"# ") for piece in exposition.text())
    return Scrape(series, exposition.length, exposition.gzip_length)
