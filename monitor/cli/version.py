"""`stackset-monitor version`."""

import click

from monitor import __version__

VERSION = f"stackset-monitor {__version__}"


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(VERSION)
