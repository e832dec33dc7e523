"""`stackset-monitor check`."""

import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.cli.errors import ExitCode
from monitor.cli.options import config_option, configuration_error, load_with_lines
from monitor.cli.output import Output, counted, print_error, print_rows
from monitor.config.document import Document, Problem
from monitor.config.errors import ConfigurationError
from monitor.config.settings import Settings
from monitor.config.validation import path_of_secret, read_file
from monitor.poller.protocols import StateError
from monitor.web.web_config import WebConfigReloader


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
    settings, document = load_with_lines(config)
    problems, warnings = _file_problems(settings, document)
    if problems:
        raise configuration_error(ConfigurationError(config, problems), "the configuration")
    try:
        WebConfigReloader(settings.web_config)
    except ConfigurationError as error:
        raise configuration_error(error, "the web configuration") from error
    for warning in [*warnings, *_unknown_regions(settings, document), *_expired(settings, document)]:
        print_error(f"warning: {config}:{warning}")
    products, sources = counted(len(settings.products), "product"), counted(len(settings.sources), "source")
    click.echo(f"{config}: configuration OK ({products}, {sources})")
    return _check_aws(settings, config, document) if aws else ExitCode.OK


def _file_problems(settings: Settings, document: Document) -> tuple[list[Problem], list[Problem]]:
    """Return the problems of the paths in the configuration on this machine, and those that are only warnings."""
    problems: list[Problem] = []
    warnings: list[Problem] = []
    paths: list[tuple[Path | None, tuple[str | int, ...]]] = [(settings.web_config, ("web", "config_file"))]
    paths += [
        (source.external_id_file, ("sources", n, "external_id_file")) for n, source in enumerate(settings.sources)
    ]
    for path, place in paths:
        try:
            if path:
                read_file(path)
        except OSError as error:
            name = path_of_secret(path, error) if path and "external_id_file" in place else f'"{path}"'
            problems.append(document.problem(f"cannot read {name}: {error.strerror or error}", *place))
    if settings.state_table is not None:
        return problems, warnings
    try:
        _try_to_write(settings.state_path)
    except OSError as error:
        message = f'cannot write "{settings.state_path}": {error.strerror or error}'
        # A warning only: the daemon may run as another user, who may write there.
        found = warnings if isinstance(error, PermissionError) else problems
        found.append(document.problem(message, "state", "path"))
    return problems, warnings


def _try_to_write(path: Path) -> None:
    """Raise `OSError` if a file can be neither opened for writing nor created. Nothing is left behind."""
    if path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))  # a FIFO fails and does not block
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    # Only creating a file shows that it is possible: a read-only file system and /proc refuse it to every user,
    # whatever the permissions of the folder are.
    with tempfile.TemporaryFile(dir=folder):
        pass


def _unknown_regions(settings: Settings, document: Document) -> Iterator[Problem]:
    if not any(source.region for source in settings.sources):
        return
    from monitor.aws.regions import is_known_region

    for place, source in enumerate(settings.sources):
        if source.region and not is_known_region(source.region):
            message = f'botocore does not know the Region "{source.region}": correct it, unless the Region is new'
            yield document.problem(message, "sources", place, "region")


def _expired(settings: Settings, document: Document) -> Iterator[Problem]:
    today = datetime.now(UTC).date()
    for place, entry in enumerate(settings.accepted):
        if entry.expired(today):
            message = f"{entry.until} has passed, so the entry accepts nothing: remove it or choose a later day"
            yield document.problem(message, "accepted", place, "until")


def _check_aws(settings: Settings, config: Path, document: Document) -> ExitCode:
    from monitor.cli.aws import open_sources
    from monitor.cli.preflight import preflight
    from monitor.daemon.cluster import open_table

    report = preflight(settings, open_sources(settings))
    if settings.state_table is not None:
        try:
            open_table(settings.state_table).get(("lease", "shard#0/1"))
        except StateError as error:
            report.problems.append(f"state: {error}")
    for source in report.sources:
        click.echo(f"\n{source.summary}")
        if source.products:
            click.echo()
            print_rows(source.products, tuple(source.products[0]), Output.TABLE)
    if report.problems:
        click.echo("\n" + "\n".join(report.problems))
    for place in report.unmatched:
        message = "no stack instance is accepted by this entry: remove it"
        print_error(f"warning: {config}:{document.problem(message, 'accepted', place)}")
    for failure in report.failures:
        print_error(failure)
    if report.failures:
        return ExitCode.FAILED
    if report.problems:
        return ExitCode.NOT_CURRENT
    click.echo("\nno problems found")
    return ExitCode.OK
