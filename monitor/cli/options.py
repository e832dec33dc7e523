"""Options that several commands share, and their values."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.output import Output

if TYPE_CHECKING:
    from monitor.config.document import Document
    from monitor.config.errors import ConfigurationError
    from monitor.config.settings import Settings
    from monitor.model.shard import Shard


def checked(check: Callable[[str], Any]) -> Callable[..., Any]:
    """Return a callback that validates an option as the configuration file validates the same type of value."""

    def callback(_: click.Context, __: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            message = f"{value!r:.80} {error}"
            raise click.BadParameter(message) from error

    return callback


def address(text: str) -> str:
    """Validate an address to listen on."""
    from monitor.config.address import checked_address

    return checked_address(text)


def shard_of(text: str) -> "Shard":
    """Parse a shard like `0/3`."""
    from monitor.model.shard import parse_shard

    return parse_shard(text)


def seconds(text: str) -> float:
    """Parse a duration; return seconds."""
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
    "--listen", callback=checked(address), metavar="HOST:PORT", help="Listen on this address instead of web.listen."
)
product_option = click.option(
    "--product", "products", multiple=True, metavar="P", help="Only this product, an ID or a name; repeatable."
)
output_option = click.option(
    "--output",
    type=click.Choice([output.value for output in Output]),
    callback=lambda _, __, value: Output(value),
    default=Output.TABLE.value,
    show_default=True,
    help="Output format.",
)


def load_configuration(config: Path) -> "Settings":
    """Load a configuration file. Raises `CommandError` as `load_with_lines`."""
    return load_with_lines(config)[0]


def load_with_lines(config: Path) -> "tuple[Settings, Document]":
    """Load a configuration file; return also the document, which knows the line of each value.

    Raises `CommandError` if it cannot be read (failed), or with all of its problems (usage).
    """
    from monitor.config.errors import ConfigurationError, UnreadableError
    from monitor.config.load import load_with_lines as load

    try:
        return load(config)
    except UnreadableError as error:
        raise CommandError(str(error)) from error
    except ConfigurationError as error:
        raise configuration_error(error, "the configuration") from error


def configuration_error(error: "ConfigurationError", what: str) -> CommandError:
    """Return the error with every problem of a file, one a line."""
    count = len(error.problems)
    return CommandError(f"{count} {'problem' if count == 1 else 'problems'} in {what}\n{error}", ExitCode.USAGE)
