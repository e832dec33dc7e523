"""`stackset-monitor check`."""

from pathlib import Path

import click

from monitor.cli.options import config_option, settings_of, wrong_file


@click.command()
@config_option
def check(config: Path) -> None:
    """Check a configuration file: every problem at once, with its line and path.

    The web configuration that it names is checked as well, and the certificates that this names.
    """
    from monitor.configuration.load import ConfigurationError
    from monitor.web.access import Access

    settings = settings_of(config)
    try:
        Access(settings.web_config)
    except ConfigurationError as error:
        raise wrong_file(error, "the web configuration") from error
    products, sources = len(settings.products), len(settings.sources)
    click.echo(
        f"{config}: fine: {products} {'product' if products == 1 else 'products'}"
        f" in {sources} {'source' if sources == 1 else 'sources'}"
    )
