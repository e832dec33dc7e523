"""`stackset-monitor check`."""

from pathlib import Path

import click

from monitor.cli.options import config_option, settings_of


@click.command()
@config_option
def check(config: Path) -> None:
    """Check a configuration file: every problem at once, with its line and path."""
    settings = settings_of(config)
    products, sources = len(settings.products), len(settings.sources)
    click.echo(
        f"{config}: fine: {products} {'product' if products == 1 else 'products'}"
        f" in {sources} {'source' if sources == 1 else 'sources'}"
    )
