"""Apply a configuration that was read again to the running daemon."""

from collections.abc import Callable, Mapping
from dataclasses import asdict

from monitor.config.settings import LogLevel, Settings
from monitor.daemon.job_runner import JobRunner
from monitor.daemon.product_set import ProductSet
from monitor.daemon.protocols import EventLog
from monitor.daemon.sources import Sources
from monitor.events.names import EventName
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.poller.poller import Poller

NEEDS_RESTART: Mapping[str, Callable[[Settings], object]] = {
    "poll.concurrency": lambda settings: settings.poll.concurrency,
    "state.path": lambda settings: settings.state_path,
    "web.listen": lambda settings: settings.listen,
    "web.config_file": lambda settings: settings.web_config,
    "log.level": lambda settings: settings.log_level,
    "log.format": lambda settings: settings.log_format,
}
"""The keys that take effect at the next start only."""


class SettingsUpdate:
    """Holds the present settings, and hands new ones to every part."""

    def __init__(
        self,
        settings: Settings,
        *,
        sources: Sources,
        poller: Poller,
        product_set: ProductSet,
        runner: JobRunner,
        metrics: MetricsCache,
        monitor_metrics: MonitorMetrics,
        log: EventLog,
    ) -> None:
        """Start with `settings`, which the parts were created with."""
        self.settings = settings
        self._sources = sources
        self._poller = poller
        self._product_set = product_set
        self._runner = runner
        self._metrics = metrics
        self._monitor_metrics = monitor_metrics
        self._log = log

    def apply(self, settings: Settings) -> None:
        """Hand new settings to every part, the sources first: products and searches read from them."""
        before, self.settings = self.settings, settings
        self._sources.configure(settings.sources)
        self._poller.confirm_shrink = settings.poll.confirm_shrink
        self._metrics.configure(settings.series)
        changes = self._product_set.configure(settings)
        self._runner.retain_sources({source.name for source in settings.sources})
        self._monitor_metrics.config_loaded()
        self._metrics.registry_changed()
        restart = [key for key, value in NEEDS_RESTART.items() if value(settings) != value(before)]
        self._log.event(LogLevel.INFO, EventName.CONFIG_RELOADED, **asdict(changes), restart_required=restart)

    def refuse(self, message: str) -> None:
        """Report that a configuration is wrong; the present settings stay."""
        self._monitor_metrics.config_refused()
        self._metrics.registry_changed()
        self._log.event(LogLevel.ERROR, EventName.CONFIG_REFUSED, message=message)
