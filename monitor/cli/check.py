"""`stackset-monitor check`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.options import Output, config_option, settings_of, wrong_file

if TYPE_CHECKING:
    from monitor.config.settings import Settings

WRONG_AT_AWS = 1
"""Exit code: the file is fine, and something at AWS is not."""


@click.command()
@config_option
@click.option("--aws", is_flag=True, help="Ask AWS, too: who we are, what we may do, what a poll will cost.")
def check(config: Path, aws: bool) -> int:
    """Check a configuration file: every problem at once, with its line and path.

    The web configuration that it names is checked as well, and the certificates that this names.

    With --aws, everything is asked that a poll would ask: the identity of each source, the permissions, type and
    status of each product, its stack instances, the calls of a poll, and whether calls_per_second and the
    interval can hold them.

    \b
    Exit codes:
      0  everything is fine
      1  the file is fine, and something at AWS is not (with --aws)
      2  wrong usage or configuration
    """  # noqa: D301 - click's mark for lines that stay as they are
    from monitor.config.errors import ConfigurationError
    from monitor.web.web_config import WebConfigReloader

    settings = settings_of(config)
    try:
        WebConfigReloader(settings.web_config)
    except ConfigurationError as error:
        raise wrong_file(error, "the web configuration") from error
    products, sources = len(settings.products), len(settings.sources)
    click.echo(
        f"{config}: fine: {products} {'product' if products == 1 else 'products'}"
        f" in {sources} {'source' if sources == 1 else 'sources'}"
    )
    return _check_aws(settings) if aws else 0


def _check_aws(settings: "Settings") -> int:
    from contextlib import ExitStack

    from monitor.cli.concurrent import open_sources
    from monitor.cli.preflight import preflight
    from monitor.cli.progress import progress
    from monitor.cli.table import print_rows

    with ExitStack() as showing:
        found = preflight(
            settings, open_sources(settings), lambda monitored: showing.enter_context(progress(len(monitored)))
        )
    for rows in (found.sources, found.products):
        if rows:
            click.echo()
            print_rows(rows, tuple(rows[0]), Output.TABLE)
    click.echo()
    for problem in found.problems:
        click.echo(problem)
    if not found.problems:
        click.echo("nothing is wrong at AWS")
    return WRONG_AT_AWS if found.problems else 0
