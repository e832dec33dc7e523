"""Create the parts of a daemon from its settings, and connect them."""

import os
import socket
from functools import partial

from monitor import __version__
from monitor.config.errors import ConfigurationError
from monitor.config.settings import LogLevel, Settings
from monitor.daemon.daemon import Daemon, Parts
from monitor.daemon.discovery import Discovery
from monitor.daemon.health import Health
from monitor.daemon.job_runner import JobRunner
from monitor.daemon.product_set import ProductSet
from monitor.daemon.reload import Reloader, ReloadOptions
from monitor.daemon.settings_update import SettingsUpdate
from monitor.daemon.sources import Sources
from monitor.events.event_logger import EventLogger
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.events.transitions import transition_line
from monitor.metrics.cache import MetricsCache
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.model.shard import Shard
from monitor.poller.poller import Poller
from monitor.poller.protocols import StateError
from monitor.schedule.scheduler import PollScheduler
from monitor.state.sqlite import SqliteStore
from monitor.web.app import application
from monitor.web.server import Server
from monitor.web.web_config import WebConfigReloader


def assemble(
    settings: Settings,
    log: Log,
    listening: socket.socket,
    *,
    shard: Shard | None = None,
    reload: ReloadOptions | None = None,
) -> Daemon:
    """Return a daemon that has not started.

    Raises:
        StateError: the state cannot be opened, and a person has to decide what to do.
        ConfigurationError: the web configuration is wrong.
    """
    shard = shard or Shard()
    revision = os.environ.get("STACKSET_MONITOR_REVISION", "")
    reports = _Reports(
        log,
        MonitorMetrics(version=__version__, revision=revision, shard=shard, lines_dropped=lambda: log.writer.dropped),
    )
    monitor_metrics = reports.monitor_metrics
    web_config = WebConfigReloader(settings.web_config, reports.web_config_changed)
    store = SqliteStore(
        settings.state_path, monitor_metrics.state_committed, reports.state_failed, reports.state_recovered
    )
    metrics = MetricsCache(settings.series, monitor_metrics.render)
    outbox = Outbox(store, log.writer, partial(transition_line, log), reports.state_failed)
    sources = Sources(monitor_metrics, settings.poll.concurrency, log)
    deadlines = Deadlines()
    poller = Poller(
        sources,
        store,
        metrics,
        EventLogger(log, outbox),
        deadlines,
        confirm_shrink=settings.poll.confirm_shrink,
        stale_after=settings.poll.stale_after,
        on_state_error=reports.state_failed,
    )
    scheduler = PollScheduler()
    product_set = ProductSet(
        settings,
        shard,
        store=store,
        poller=poller,
        metrics=metrics,
        schedule=scheduler,
        log=log,
        on_state_error=reports.state_failed,
    )
    discovery = Discovery(sources, product_set, deadlines, monitor_metrics, log)
    runner = JobRunner(settings.poll.concurrency, product_set, poller, discovery, metrics, log)
    update = SettingsUpdate(
        settings,
        sources=sources,
        poller=poller,
        product_set=product_set,
        runner=runner,
        metrics=metrics,
        monitor_metrics=monitor_metrics,
        log=log,
    )
    reloader = Reloader(reload, update.apply, update.refuse) if reload else None
    health = Health(scheduler, product_set)
    over_http = reloader.reload if reloader and reload and reload.over_http else None
    server = Server(application(metrics, health, version=__version__, reload=over_http), listening, web_config)
    return Daemon(
        Parts(
            log=log,
            store=store,
            outbox=outbox,
            deadlines=deadlines,
            sources=sources,
            poller=poller,
            scheduler=scheduler,
            product_set=product_set,
            runner=runner,
            metrics=metrics,
            monitor_metrics=monitor_metrics,
            update=update,
            reloader=reloader,
            health=health,
            server=server,
            on_state_error=reports.state_failed,
        )
    )


class _Reports:
    """What parts report outside of a poll: each as an event and, for the state, a metric."""

    def __init__(self, log: Log, monitor_metrics: MonitorMetrics) -> None:
        self._log = log
        self.monitor_metrics = monitor_metrics

    def state_failed(self, error: StateError) -> None:
        """Count and log an error of the state."""
        self.monitor_metrics.state_failed()
        self._log.event(LogLevel.ERROR, EventName.STATE_FAILED, message=str(error))

    def state_recovered(self, message: str) -> None:
        """Log that the state is used again."""
        self._log.event(LogLevel.ERROR, EventName.STATE_RECOVERED, message=message)

    def web_config_changed(self, error: ConfigurationError | None) -> None:
        """Log that the web configuration was read again, or why it was refused."""
        if error is None:
            self._log.event(LogLevel.INFO, EventName.WEB_CONFIG_RELOADED)
        else:
            self._log.event(LogLevel.ERROR, EventName.WEB_CONFIG_REFUSED, message=str(error))
