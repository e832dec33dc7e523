"""`stackset-monitor version`."""

import click

from monitor import __version__


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"stackset-monitor {__version__}")
