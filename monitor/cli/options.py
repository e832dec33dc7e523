"""Options that several commands share, and what becomes of them."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.failure import WRONG, CommandError

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings


class Output(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


config_option = click.option(
    "--config",
    "config",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration file (YAML).",
)
listen_option = click.option("--listen", metavar="HOST:PORT", help="Listen here instead of at web.listen.")
product_option = click.option(
    "--product", "products", multiple=True, metavar="ID", help="Only this product; repeatable."
)
output_option = click.option(
    "--output",
    type=click.Choice([output.value for output in Output]),
    default=Output.TABLE.value,
    show_default=True,
    callback=lambda _, __, value: Output(value),
    help="How it is printed.",
)


def settings_of(config: Path) -> "Settings":
    """Load a configuration; a wrong one ends the command with all its problems."""
    from monitor.configuration.load import (
        ConfigurationError,
        UnreadableError,
        load_settings,
    )

    try:
        return load_settings(config)
    except UnreadableError as error:
        raise CommandError(str(error)) from error
    except ConfigurationError as error:
        count = len(error.problems)
        message = f"{count} {'problem' if count == 1 else 'problems'} in the configuration\n{error}"
        raise CommandError(message, WRONG) from error
