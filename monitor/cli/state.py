"""`stackset-monitor state`."""

from contextlib import closing
from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES, CommandError
from monitor.cli.output import counted
from monitor.config.settings import TableSettings
from monitor.daemon.cluster import open_table
from monitor.poller.protocols import StateError
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.migrate import Copied, DynamoDbSource, MigrationOwner, SqliteSource, migrate
from monitor.state.sqlite import SqliteStore

_DAY = 86400.0


@click.group()
def state() -> None:
    """Move the stored state."""


def _place(_: click.Context, __: click.Parameter, value: str) -> tuple[str, str]:
    engine, name = value.split(":", 1) if ":" in value else (value, "")
    if engine not in ("sqlite", "dynamodb") or not name:
        message = f"{value!r:.80} is not a state: write sqlite:PATH or dynamodb:TABLE"
        raise click.BadParameter(message)
    return engine, name


@state.command("migrate", epilog=EXIT_CODES)
@click.option(
    "--from", "source", required=True, callback=_place, metavar="STATE", help="sqlite:PATH or dynamodb:TABLE."
)
@click.option("--to", "target", required=True, callback=_place, metavar="STATE", help="The same; it must be empty.")
@click.option(
    "--history", "days", default=90, show_default=True, metavar="DAYS", help="When transitions in a table expire."
)
def migrate_state(source: tuple[str, str], target: tuple[str, str], days: int) -> None:
    """Copy the state from a file to a table of DynamoDB, or back, with since-times and history.

    Stop every monitor before. The source is not changed. Region, credentials and endpoint of DynamoDB are those of the
    environment.
    """
    if source[0] == target[0]:
        raise click.UsageError("--from and --to must be of different engines")
    try:
        copied = _to_table(source[1], target[1], days) if target[0] == "dynamodb" else _to_file(source[1], target[1])
    except StateError as error:
        raise CommandError(str(error)) from error
    click.echo(
        f"copied {counted(copied.products, 'product')}, {counted(copied.instances, 'stack instance')}"
        f" and {counted(copied.transitions, 'transition')}"
    )


def _to_table(path: str, name: str, days: int) -> Copied:
    table = open_table(TableSettings(name))
    with closing(SqliteSource(Path(path))) as source:
        return migrate(source, DynamoDbStore(table, MigrationOwner(table), days * _DAY))


def _to_file(name: str, path: str) -> Copied:
    if Path(path).exists():
        raise StateError(f"{path} exists: migrate into a new file")
    table = open_table(TableSettings(name))
    target = SqliteStore(Path(path), on_error=_raise)
    try:
        with closing(target):
            return migrate(DynamoDbSource(table), target)
    except BaseException:
        # A part of a state: the next attempt would refuse it as a file that exists.
        Path(path).unlink(missing_ok=True)
        raise


def _raise(error: StateError) -> None:
    raise error
