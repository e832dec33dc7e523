"""Options that several commands share, and how their values are read: the configuration and its products."""

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.output import Output, counted
from monitor.config.document import Document
from monitor.config.errors import ConfigurationError, UnreadableError
from monitor.config.load import load_with_lines as load
from monitor.config.settings import Settings
from monitor.model.instances import Product
from monitor.model.shard import parse_shard


def checked(check: Callable[[str], Any]) -> Callable[..., Any]:
    """Return a callback that validates an option as the configuration file validates the same type of value."""

    def callback(_: click.Context, __: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else check(value)
        except ValueError as error:
            message = f"{value!r:.80} {error}"
            raise click.BadParameter(message) from error

    return callback


config_option = click.option(
    "--config",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration file (YAML).",
)
product_option = click.option(
    "--product", "products", multiple=True, metavar="P", help="Only this product, an ID or a name; repeatable."
)
account_option = click.option(
    "--account", "accounts", multiple=True, metavar="ID", help="Only this account; repeatable."
)
all_option = click.option(
    "--all", "every_instance", is_flag=True, help="Print every stack instance, also those that are CURRENT."
)
shard_option = click.option(
    "--shard",
    callback=checked(parse_shard),
    envvar="STACKSET_MONITOR_SHARD",
    metavar="I/N",
    help="Only this share of the products, 0/3 to 2/3, if one daemon is not enough."
    " Environment variable: STACKSET_MONITOR_SHARD.",
)
output_option = click.option(
    "--output",
    type=click.Choice([output.value for output in Output]),
    callback=lambda _, __, value: Output(value),
    default=Output.TABLE.value,
    show_default=True,
    help="Output format.",
)


def load_configuration(config: Path) -> Settings:
    """Load a configuration file. Raises `CommandError` as `load_with_lines`."""
    return load_with_lines(config)[0]


def load_with_lines(config: Path) -> tuple[Settings, Document]:
    """Load a configuration file; return also the document, which knows the line of each value.

    Raises `CommandError` if it cannot be read (failed), or with all of its problems (usage).
    """
    try:
        return load(config)
    except UnreadableError as error:
        raise CommandError(str(error)) from error
    except ConfigurationError as error:
        raise configuration_error(error, "the configuration") from error


def configuration_error(error: ConfigurationError, what: str) -> CommandError:
    """Return the error with every problem of a file, one a line."""
    return CommandError(f"{counted(len(error.problems), 'problem')} in {what}\n{error}", ExitCode.USAGE)


def unknown_products(wanted: Sequence[str], known: Iterable[Product]) -> Sequence[str]:
    """Return what is neither the ID nor the name of a known product."""
    names = {name for product in known for name in (product.id, product.name)}
    return [name for name in wanted if name not in names]


def select_products(wanted: Sequence[str], known: Sequence[Product]) -> Sequence[str]:
    """Return the IDs of the products with these IDs or names, each once. A name may be that of several products.

    Raises `CommandError` (usage) with a suggestion if there is no such product.
    """
    for name in unknown_products(wanted, known):
        names = {name for product in known for name in (product.id, product.name)}
        similar = get_close_matches(name, names, n=1)
        hint = f"; did you mean {similar[0]!r}?" if similar else ""
        message = f"--product: there is no product {name!r}{hint}"
        raise CommandError(message, ExitCode.USAGE)
    return list(dict.fromkeys(product.id for name in wanted for product in known if name in (product.id, product.name)))
