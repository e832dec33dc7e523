"""The sources that are open now, by name. The poller reads from this mapping."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from monitor.config.settings import SourceSettings
from monitor.daemon.throttling import ThrottlingObserver
from monitor.events.setup import Log
from monitor.metrics.registry import MonitorMetrics

if TYPE_CHECKING:
    from monitor.aws.source import Source


class Sources(Mapping[str, "Source"]):
    """Opens and closes them. A poll under way keeps the one that it began with."""

    def __init__(self, monitor_metrics: MonitorMetrics, connections: int, log: Log) -> None:
        """Open none yet; each over up to `connections` connections."""
        self._log = log
        self._monitor_metrics = monitor_metrics
        self._connections = connections
        self._open: dict[str, tuple[SourceSettings, Source]] = {}

    def __getitem__(self, name: str) -> "Source":
        """Return an open source; raise `KeyError` where it is not."""
        return self._open[name][1]

    def __iter__(self) -> Iterator[str]:
        """Return the names."""
        return iter(dict(self._open))

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def configure(self, wanted: tuple[SourceSettings, ...]) -> None:
        """Open what is new or has changed, close what is gone; what is the same keeps its clients and its budget."""
        # boto3 takes a third of a second to import: when the daemon starts, the gauges are served again meanwhile.
        from monitor.aws.source import Source, operations  # noqa: PLC0415

        opened: dict[str, tuple[SourceSettings, Source]] = {}
        for settings in wanted:
            known = self._open.get(settings.name)
            if known is not None and known[0] == settings:
                opened[settings.name] = known
            else:
                metrics = self._monitor_metrics.source(settings.name, operations(settings))
                observer = ThrottlingObserver(settings.name, metrics, self._log)
                if settings.discover is not None:
                    self._monitor_metrics.discovering(settings.name, settings.discover.interval)
                opened[settings.name] = (settings, Source(settings, observer, self._connections))
        for name in self._open:
            if name not in opened:
                self._monitor_metrics.remove_source(name)
        self._open = opened
