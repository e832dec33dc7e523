"""Options that several commands share, and what becomes of them."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.failure import WRONG, CommandError

if TYPE_CHECKING:
    from monitor.config.errors import ConfigurationError
    from monitor.config.settings import Settings
    from monitor.model.shard import Shard


class Output(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def checked(check: Callable[[str], Any]) -> Callable[..., Any]:
    """Check an option as the configuration file checks the same kind of text."""

    def callback(_: click.Context, __: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            message = f"{value!r:.80} {error}"
            raise click.BadParameter(message) from error

    return callback


def address(text: str) -> str:
    """Take an address to listen on."""
    from monitor.config.address import checked_address

    return checked_address(text)


def shard_of(text: str) -> "Shard":
    """Take a share of the products."""
    from monitor.model.shard import parse_shard

    return parse_shard(text)


def seconds(text: str) -> float:
    """Take a duration."""
    from monitor.config.duration import parse_duration

    return parse_duration(text)


config_option = click.option(
    "--config",
    "config",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration file (YAML).",
)
listen_option = click.option(
    "--listen", callback=checked(address), metavar="HOST:PORT", help="Listen here instead of at web.listen."
)
product_option = click.option(
    "--product", "products", multiple=True, metavar="ID", help="Only this product; repeatable."
)
output_option = click.option(
    "--output",
    type=click.Choice([output.value for output in Output]),
    callback=lambda _, __, value: Output(value),
    default=Output.TABLE.value,
    show_default=True,
    help="A table for people, JSON or CSV for programs.",
)


def settings_of(config: Path) -> "Settings":
    """Load a configuration; a wrong one ends the command with all its problems."""
    from monitor.config.errors import ConfigurationError, UnreadableError
    from monitor.config.load import load_settings

    try:
        return load_settings(config)
    except UnreadableError as error:
        raise CommandError(str(error)) from error
    except ConfigurationError as error:
        raise wrong_file(error, "the configuration") from error


def wrong_file(error: "ConfigurationError", what: str) -> CommandError:
    """Return the error that tells every problem of a file."""
    count = len(error.problems)
    return CommandError(f"{count} {'problem' if count == 1 else 'problems'} in {what}\n{error}", WRONG)
