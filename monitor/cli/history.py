"""`stackset-monitor history`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES, CommandError
from monitor.cli.options import (
    checked,
    config_option,
    load_configuration,
    output_option,
    product_option,
    select_products,
)
from monitor.cli.output import Output, counted, print_error, print_rows
from monitor.config.duration import parse_duration
from monitor.events.transitions import transition_fields
from monitor.poller.protocols import StateError
from monitor.state.sqlite_history import read_products, read_transitions

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


@click.command(epilog=EXIT_CODES)
@config_option
@click.option(
    "--since",
    callback=checked(parse_duration),
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="How far back, like 90m, 24h or 7d.",
)
@product_option
@click.option("--account", "accounts", multiple=True, metavar="ID", help="Only this account; repeatable.")
@output_option
def history(config: Path, since: float, products: tuple[str, ...], accounts: tuple[str, ...], output: Output) -> None:
    """Print the stored transitions, oldest first. The daemon may be running.

    A transition is one stack instance that changed status, appeared (no previous status) or
    disappeared (no status). state.history of the configuration sets how long they are kept.
    """
    settings = load_configuration(config)
    known = [monitored.product for monitored in settings.products]
    damaged: list[None] = []
    try:
        chosen = select_products(products, [*known, *read_products(settings.state_path)]) if products else ()
        begin = datetime.now(UTC) - timedelta(seconds=since)
        transitions = read_transitions(settings.state_path, begin, chosen, accounts, lambda: damaged.append(None))
        print_rows(map(transition_fields, transitions), TABLE_COLUMNS if output == Output.TABLE else COLUMNS, output)
    except StateError as error:
        raise CommandError(str(error)) from error
    if damaged:
        print_error(f"left out because of damage: {counted(len(damaged), 'transition')}")
