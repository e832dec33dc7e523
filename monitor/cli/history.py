"""`stackset-monitor history`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from monitor.cli.failure import CommandError
from monitor.cli.options import (
    Output,
    checked,
    config_option,
    output_option,
    product_option,
    seconds,
    settings_of,
)

COLUMNS = (
    "observed_at",
    "provisioned_product_id",
    "provisioned_product_name",
    "account",
    "region",
    "previous_status",
    "status",
    "previous_since",
    "event_id",
    "poll_id",
)
TABLE_COLUMNS = COLUMNS[:8]


@click.command()
@config_option
@click.option(
    "--since",
    callback=checked(seconds),
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="How far back to go, written like 90m, 24h or 7d.",
)
@product_option
@click.option("--account", "accounts", multiple=True, metavar="ID", help="Only this account; repeatable.")
@output_option
def history(config: Path, since: float, products: tuple[str, ...], accounts: tuple[str, ...], output: Output) -> None:
    """Print the stored transitions, oldest first. The daemon may be running.

    A transition is one stack instance that changed status, appeared (no previous status) or
    disappeared (no status). How long they are kept is state.history in the configuration.
    """
    from monitor.cli.table import print_rows
    from monitor.events.transitions import transition_fields
    from monitor.poller.protocols import StateError
    from monitor.state.sqlite_history import read_transitions

    settings = settings_of(config)
    begin = datetime.now(UTC) - timedelta(seconds=since)
    try:
        rows = (
            transition_fields(transition)
            for transition in read_transitions(settings.state_path, begin, products, accounts)
        )
        print_rows(rows, TABLE_COLUMNS if output == Output.TABLE else COLUMNS, output)
    except StateError as error:
        raise CommandError(str(error)) from error
