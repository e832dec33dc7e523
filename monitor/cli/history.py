"""`stackset-monitor history`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from monitor.cli.failure import WRONG, CommandError
from monitor.cli.options import Output, config_option, output_option, product_option, settings_of

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
@click.option("--since", default="24h", show_default=True, metavar="DURATION", help="How far back, as 90s, 24h or 7d.")
@product_option
@click.option("--account", "accounts", multiple=True, metavar="ID", help="Only this account; repeatable.")
@output_option
def history(config: Path, since: str, products: tuple[str, ...], accounts: tuple[str, ...], output: Output) -> None:
    """Print the stored transitions, oldest first. The daemon may be running."""
    from monitor.cli.table import print_rows
    from monitor.configuration.duration import parse_duration
    from monitor.log.events import transition_fields
    from monitor.poller.ports import StateError
    from monitor.store.state import read_transitions

    settings = settings_of(config)
    try:
        begin = datetime.now(UTC) - timedelta(seconds=parse_duration(since))
    except ValueError as error:
        message = f"--since: {error}"
        raise CommandError(message, WRONG) from error
    try:
        rows = (
            transition_fields(transition)
            for transition in read_transitions(settings.state_path, begin, products, accounts)
        )
        print_rows(rows, TABLE_COLUMNS if output == Output.TABLE else COLUMNS, output)
    except StateError as error:
        raise CommandError(str(error)) from error
