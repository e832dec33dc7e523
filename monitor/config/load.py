"""The configuration file as settings."""

import errno
from pathlib import Path

from monitor.config.cross_checks import DEFAULT_SOURCE, cross_checks
from monitor.config.document import Document, Problem
from monitor.config.errors import ConfigurationError, UnreadableError
from monitor.config.schema import AcceptedSection, MonitorFile, PollSection, ProductSection, SourceSection
from monitor.config.settings import (
    ClusterSettings,
    DiscoverSettings,
    MonitoredProduct,
    PollSettings,
    SeriesOptions,
    Settings,
    SourceSettings,
    TableSettings,
)
from monitor.config.validation import read_file, validate
from monitor.model.accepted import Acceptance
from monitor.model.instances import Product, Status

# Default timeout as a share of the interval: the rest is the gap before the next poll.
TIMEOUT_SHARE = 0.8
# Minimum default of poll.stale_after in intervals: the series of a product survive one failed poll.
STALE_INTERVALS = 2


def load_settings(path: Path) -> Settings:
    """Read a configuration file.

    Raises `UnreadableError` if the file cannot be read, and `ConfigurationError` with all of its problems.
    """
    return load_with_lines(path)[0]


def load_with_lines(path: Path) -> tuple[Settings, Document]:
    """Read a configuration file; return also the document, which knows the line of each value.

    Raises the errors of `load_settings`.
    """
    try:
        text = read_file(path)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ConfigurationError(path, [Problem(1, "", f"the file is {error.strerror}")]) from error
        message = f"cannot read the configuration file {path}: {error.strerror or error}"
        raise UnreadableError(message) from error
    return _parse(text, path)


def parse_settings(text: bytes, path: Path) -> Settings:
    """Return the settings in the content of the file at `path`.

    Raises `ConfigurationError` with every problem of the file.
    """
    return _parse(text, path)[0]


def _parse(text: bytes, path: Path) -> tuple[Settings, Document]:
    file, document = validate(text, path, MonitorFile, cross_checks, if_empty="the file is empty: add `products`")
    return _settings(file, path.parent), document


def _settings(file: MonitorFile, folder: Path) -> Settings:
    sources = tuple(_source(section, folder) for section in file.sources or [SourceSection(name=DEFAULT_SOURCE)])
    products = tuple(_product(section, file, sources[0].name) for section in file.products)
    intervals = [monitored.interval for monitored in products]
    if any(source.discover for source in sources):
        intervals.append(file.poll.interval)
    stale_after = file.poll.stale_after
    if "stale_after" not in file.poll.model_fields_set:
        stale_after = max(stale_after, STALE_INTERVALS * max(intervals))
    table = file.state.dynamodb
    return Settings(
        poll=PollSettings(
            concurrency=file.poll.concurrency,
            stale_after=stale_after,
            confirm_shrink=file.poll.confirm_shrink,
            interval=file.poll.interval,
            timeout=_timeout(file.poll, file.poll.interval),
            adaptive_timeout=file.poll.timeout is None,
        ),
        sources=sources,
        products=products,
        series=SeriesOptions(file.metrics.instance_series, file.metrics.zero_series, file.metrics.max_instance_series),
        state_path=file.state.path,
        history=file.state.history,
        state_table=TableSettings(table.table, table.region, table.endpoint) if table else None,
        cluster=ClusterSettings(file.cluster.shards, file.cluster.lease),
        listen=file.web.listen,
        log_level=file.log.level,
        log_format=file.log.format,
        accepted=tuple(_acceptance(section) for section in file.accepted),
        web_config=folder / file.web.config_file if file.web.config_file else None,
    )


def _source(section: SourceSection, folder: Path) -> SourceSettings:
    discover, file = section.discover, section.external_id_file
    return SourceSettings(
        name=section.name,
        region=section.region,
        calls_per_second=section.calls_per_second,
        page_size=section.page_size,
        accept_language=section.accept_language,
        profile=section.profile,
        role_arn=section.role_arn,
        external_id=section.external_id,
        external_id_file=folder / file if file else None,
        details=section.details,
        discover=DiscoverSettings(tuple(discover.names), dict(discover.tags), discover.interval) if discover else None,
    )


def _product(section: ProductSection, file: MonitorFile, first_source: str) -> MonitoredProduct:
    interval = section.interval or file.poll.interval
    return MonitoredProduct(
        product=Product(section.id, section.name or section.id),
        source=section.source or first_source,
        interval=interval,
        timeout=_timeout(file.poll, interval),
        own_name=section.name is None,
        adaptive_timeout=file.poll.timeout is None,
    )


def _acceptance(section: AcceptedSection) -> Acceptance:
    return Acceptance(
        account=section.account,
        statuses=frozenset(map(Status, section.statuses)),
        until=section.until,
        reason=section.reason,
        region=section.region,
        product=section.product,
    )


def _timeout(section: PollSection, interval: float) -> float:
    """Return the deadline of a poll in seconds: no longer than the interval of the product."""
    return interval * TIMEOUT_SHARE if section.timeout is None else min(section.timeout, interval)
