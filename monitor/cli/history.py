"""`stackset-monitor history`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.errors import CommandError
from monitor.cli.options import checked, config_option, load_configuration, output_option, product_option, seconds
from monitor.cli.output import Output, print_rows
from monitor.cli.streams import print_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.config.settings import Settings

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
    from monitor.events.transitions import transition_fields
    from monitor.poller.protocols import StateError
    from monitor.state.sqlite_history import read_transitions

    settings = load_configuration(config)
    begin = datetime.now(UTC) - timedelta(seconds=since)
    unreadable: list[None] = []
    try:
        product_ids = _product_ids(settings, products)
        rows = (
            transition_fields(transition)
            for transition in read_transitions(
                settings.state_path, begin, product_ids, accounts, lambda: unreadable.append(None)
            )
        )
        print_rows(rows, TABLE_COLUMNS if output == Output.TABLE else COLUMNS, output)
    except StateError as error:
        raise CommandError(str(error)) from error
    if unreadable:
        print_error(f"{len(unreadable)} damaged transitions are left out")


def _product_ids(settings: "Settings", wanted: "Sequence[str]") -> "Sequence[str]":
    """Return the IDs of the wanted products, which are in the configuration or in the state."""
    from monitor.cli.selection import select_products
    from monitor.state.sqlite_history import read_products

    if not wanted:
        return ()
    return select_products(
        wanted, [one.product for one in settings.products] + list(read_products(settings.state_path))
    )
