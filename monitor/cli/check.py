"""`stackset-monitor check`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.errors import ExitCode
from monitor.cli.options import config_option, configuration_error, load_with_lines
from monitor.cli.output import Output, print_rows
from monitor.cli.streams import print_error

if TYPE_CHECKING:
    from monitor.config.document import Document, Problem
    from monitor.config.settings import Settings


@click.command()
@config_option
@click.option("--aws", is_flag=True, help="Check at AWS, too: identity, permissions, products and rate of calls.")
def check(config: Path, aws: bool) -> ExitCode:
    """Check a configuration file and report every problem at once, with its line and path.

    The web configuration file, its certificates and the other files that it names are checked, too.

    With --aws, everything that a poll calls is called once: the identity of each source, the permissions, type and
    status of each product, and all of its stack instances, however long that takes. The report says how many calls
    are needed and which setting allows them.

    \b
    Exit codes:
      0  no problems
      1  AWS reported a problem (with --aws)
      2  wrong usage or configuration
      3  failure: missing file, no credentials or Region, AWS unreachable
    """  # noqa: D301 - click's mark for lines that it must not wrap
    from monitor.config.errors import ConfigurationError
    from monitor.web.web_config import WebConfigReloader

    settings, document = load_with_lines(config)
    problems, warnings = _file_problems(settings, document)
    if problems:
        raise configuration_error(ConfigurationError(config, problems), "the configuration")
    try:
        WebConfigReloader(settings.web_config)
    except ConfigurationError as error:
        raise configuration_error(error, "the web configuration") from error
    for warning in [*warnings, *_unknown_regions(settings, document)]:
        print_error(f"warning: {config}:{warning}")
    products, sources = len(settings.products), len(settings.sources)
    click.echo(
        f"{config}: configuration OK ({products} {'product' if products == 1 else 'products'},"
        f" {sources} {'source' if sources == 1 else 'sources'})"
    )
    return _check_aws(settings) if aws else ExitCode.OK


def _file_problems(settings: "Settings", document: "Document") -> "tuple[list[Problem], list[Problem]]":
    """Return the problems of the paths in the configuration on this machine, and those that are only warnings."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    paths: list[tuple[Path | None, tuple[str | int, ...]]] = [(settings.web_config, ("web", "config_file"))]
    paths += [(one.external_id_file, ("sources", n, "external_id_file")) for n, one in enumerate(settings.sources)]
    for path, place in paths:
        if path and (error := _read_error(path)):
            problems.append(document.problem(f'cannot read "{path}": {error.strerror or error}', *place))
    if error := _create_error(settings.state_path):
        problem = document.problem(f'cannot create "{settings.state_path}": {error.strerror or error}', "state", "path")
        # The daemon may run as another user, so a missing permission need not be one for the daemon.
        (warnings if isinstance(error, PermissionError) else problems).append(problem)
    return problems, warnings


def _read_error(path: Path) -> OSError | None:
    """Return the error of reading a file, or None if it can be read."""
    from monitor.config.validation import read_file

    try:
        read_file(path)
    except OSError as error:
        return error
    return None


def _create_error(path: Path) -> OSError | None:
    """Return the error of creating a file with its folders, or None if it can be created or exists.

    A temporary file is created in the nearest folder that exists, and deleted: permissions alone do not tell about
    read-only file systems and folders like /proc.
    """
    if path.is_dir():
        return IsADirectoryError(0, "Is a directory")
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error


def _unknown_regions(settings: "Settings", document: "Document") -> "Iterator[Problem]":
    if not any(source.region for source in settings.sources):
        return
    from monitor.aws.regions import is_known_region

    for place, source in enumerate(settings.sources):
        if source.region and not is_known_region(source.region):
            message = f'botocore does not know the Region "{source.region}": correct it, unless the Region is new'
            yield document.problem(message, "sources", place, "region")


def _check_aws(settings: "Settings") -> ExitCode:
    from contextlib import ExitStack

    from monitor.cli.aws import open_sources
    from monitor.cli.preflight import preflight
    from monitor.cli.progress import progress

    with ExitStack() as stack:
        report = preflight(settings, open_sources(settings), lambda number: stack.enter_context(progress(number)))
    for source in report.sources:
        click.echo(f"\n{source.summary}")
        if source.products:
            click.echo()
            print_rows(source.products, tuple(source.products[0]), Output.TABLE)
    if report.problems:
        click.echo("\n" + "\n".join(report.problems))
    for failure in report.failures:
        print_error(failure)
    if report.failures:
        return ExitCode.FAILED
    if report.problems:
        return ExitCode.NOT_CURRENT
    click.echo("\nno problems found")
    return ExitCode.OK
