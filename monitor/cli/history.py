"""`stackset-monitor history`."""

from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES, CommandError
from monitor.cli.options import (
    account_option,
    checked,
    config_option,
    load_configuration,
    output_option,
    product_option,
    select_products,
)
from monitor.cli.output import Output, Row, counted, print_error, print_rows
from monitor.cli.stored import stored_products, stored_transitions
from monitor.config.duration import parse_duration
from monitor.events.transitions import transition_fields
from monitor.model.diff import Transition
from monitor.poller.protocols import StateError

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
    "provisioned_product_status",
    "detailed_status",
    "status_reason",
    "operation_id",
)
TABLE_COLUMNS = ("status", "was", "time (utc)", "account", "region", "product")
_YEAR = 365 * 86400.0


@click.command(epilog=EXIT_CODES)
@config_option
@click.option(
    "--since",
    callback=checked(lambda text: (text, parse_duration(text))),
    default="24h",
    show_default=True,
    metavar="DURATION",
    help="How far back, like 90m, 24h or 7d.",
)
@product_option
@account_option
@output_option
def history(
    config: Path, since: tuple[str, float], products: tuple[str, ...], accounts: tuple[str, ...], output: Output
) -> None:
    """Print the stored transitions, oldest first. The daemon may be running.

    A transition is one stack instance that changed status. ABSENT stands for an instance that is not
    there. state.history of the configuration sets how long transitions are kept.
    """
    settings = load_configuration(config)
    known = [monitored.product for monitored in settings.products]
    damaged: list[None] = []
    try:
        chosen = select_products(products, [*known, *stored_products(settings)]) if products else ()
        begin = datetime.now(UTC) - timedelta(seconds=since[1])
        found = iter(stored_transitions(settings, begin, chosen, accounts, lambda: damaged.append(None)))
        first = list(islice(found, 1))
        transitions = chain(first, found)
        if output is not Output.TABLE:
            fields = map(transition_fields, transitions)
            print_rows(({column: row.get(column) for column in COLUMNS} for row in fields), COLUMNS, output)
        elif first:
            time_format = "%m-%d %H:%M" if since[1] < _YEAR else "%Y-%m-%d %H:%M"
            print_rows((_cells(transition, time_format) for transition in transitions), TABLE_COLUMNS, output)
        else:
            click.echo(f"no transitions in the last {since[0]} (`status` prints what is not CURRENT now)")
    except StateError as error:
        raise CommandError(str(error)) from error
    if damaged:
        print_error(f"left out because of damage: {counted(len(damaged), 'transition')}")


def _cells(transition: Transition, time_format: str) -> Row:
    return {
        "status": transition.status or "ABSENT",
        "was": transition.previous_status or "ABSENT",
        "time (utc)": transition.observed_at.strftime(time_format),
        "account": transition.account,
        "region": transition.region,
        "product": transition.product.name,
    }
