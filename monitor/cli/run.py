"""`stackset-monitor run`."""

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES, CommandError, ExitCode
from monitor.cli.options import checked, config_option, configuration_error, load_configuration, shard_option
from monitor.cli.output import colors
from monitor.config.errors import ConfigurationError
from monitor.config.field_types import checked_address
from monitor.config.load import load_settings
from monitor.config.settings import Settings
from monitor.daemon.daemon import Daemon, DaemonFailedError
from monitor.daemon.reload import ReloadOptions
from monitor.daemon.signals import Signals
from monitor.events.setup import Log
from monitor.events.writer import LineWriter
from monitor.model.shard import Shard
from monitor.poller.protocols import StateError
from monitor.web.listen import ListenError, listen


@click.command(epilog=EXIT_CODES)
@config_option
@click.option(
    "--listen",
    "address",
    callback=checked(checked_address),
    metavar="HOST:PORT",
    help="Listen on this address instead of web.listen.",
)
@shard_option
@click.option("--web.enable-lifecycle", "lifecycle", is_flag=True, help="Reload the configuration on POST /-/reload.")
@click.pass_obj
def run(signals: Signals | None, config: Path, address: str | None, shard: Shard | None, lifecycle: bool) -> None:
    """Run the daemon: poll, serve /metrics and log transitions to stdout until SIGTERM or SIGINT.

    The configuration is read again when the file changes, and on SIGHUP.
    """
    signals = signals or Signals()

    def with_address(settings: Settings) -> Settings:
        return replace(settings, listen=address) if address else settings

    settings = with_address(load_configuration(config))
    reload = ReloadOptions(config, lambda: with_address(load_settings(config)), signals.reload, over_http=lifecycle)
    run_daemon(settings, signals.stop, shard=shard, reload=reload)


def run_daemon(
    settings: Settings,
    stop: threading.Event,
    when_bound: Callable[[str], None] = lambda _: None,
    *,
    log_to: int | None = None,
    shard: Shard | None = None,
    reload: ReloadOptions | None = None,
) -> None:
    """Run a daemon until `stop` is set; call `when_bound` with its address before it starts.

    `log_to`: the file descriptor that events are written to instead of stdout.
    """
    if stop.is_set():
        return
    if settings.state_table is not None and shard is not None:
        message = "--shard cannot be combined with state.dynamodb: replicas divide the products (cluster.shards)"
        raise CommandError(message, ExitCode.USAGE)
    try:
        bound = listen(settings.listen)
        writer = LineWriter(sys.stdout.fileno() if log_to is None else log_to)
        log = Log(writer, settings.log_level, settings.log_format, colors=log_to is None and colors())
        daemon = Daemon(settings, log, bound, shard=shard, reload=reload)
    except (ListenError, StateError) as error:
        raise CommandError(str(error)) from error
    except ConfigurationError as error:  # of the web configuration, which the daemon reads itself
        raise configuration_error(error, "the web configuration") from error
    when_bound(daemon.address)
    try:
        daemon.run(stop)
    except DaemonFailedError as error:
        raise CommandError(str(error)) from error
