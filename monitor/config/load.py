"""From a file to settings, or to every problem of the file at once."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from monitor.config.cross_checks import DEFAULT_SOURCE, contradictions
from monitor.config.document import Problem, read_document
from monitor.config.messages import schema_problems
from monitor.config.model import ConfigurationFile, DiscoverPart, PollPart, ProductPart, SourcePart
from monitor.config.settings import (
    DiscoverSettings,
    MonitoredProduct,
    PollSettings,
    SeriesOptions,
    Settings,
    SourceSettings,
)
from monitor.model.instances import Product

TIMEOUT_SHARE = 0.8
"""Of the interval: a poll's default deadline leaves time before the next one is due."""
STALE_INTERVALS = 2
"""Where poll.stale_after is not set: the series of a product outlast at least one poll that failed."""


class ConfigurationError(Exception):
    """A file with problems."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        """Keep the problems, by their lines, each once."""
        self.path = path
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(f"{path}:{problem}" for problem in self.problems))


class UnreadableError(Exception):
    """A file that cannot be read; one sentence that says why."""


def load_settings(path: Path) -> Settings:
    """Read a configuration file.

    Raises `UnreadableError` where there is nothing to read, and `ConfigurationError` with all problems.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        message = f"cannot read the configuration file {path}: {error.strerror or error}"
        raise UnreadableError(message) from error
    return parse_settings(text, path)


def parse_settings(text: bytes, path: Path) -> Settings:
    """Make settings of the content of a file; raise `ConfigurationError` with all problems."""
    document = read_document(text)
    problems = list(document.problems)
    model = None
    if document.value is None and not problems:
        problems.append(Problem(1, "", "the file is empty: `products` is required"))
    elif document.value is not None:
        try:
            model = ConfigurationFile.model_validate(document.value)
        except ValidationError as error:
            problems.extend(schema_problems(error, document))
        problems.extend(contradictions(document))
    if problems or model is None:
        raise ConfigurationError(path, problems)
    return _settings(model, path.parent)


def _settings(model: ConfigurationFile, folder: Path) -> Settings:
    sources = tuple(_source(part, folder) for part in model.sources or [SourcePart(name=DEFAULT_SOURCE)])
    products = tuple(_product(product, model, sources[0].name) for product in model.products)
    intervals = [monitored.interval for monitored in products]
    if any(source.discover for source in sources):
        intervals.append(model.poll.interval)
    return Settings(
        poll=_poll(model.poll, max(intervals)),
        sources=sources,
        products=products,
        series=SeriesOptions(
            model.metrics.instance_series, model.metrics.zero_series, model.metrics.max_instance_series
        ),
        state_path=model.state.path,
        history=model.state.history,
        listen=model.web.listen,
        log_level=model.log.level,
        log_format=model.log.format,
        web_config=folder / model.web.config_file if model.web.config_file else None,
    )


def _poll(part: PollPart, longest_interval: float) -> PollSettings:
    stale_after = part.stale_after
    if "stale_after" not in part.model_fields_set:
        stale_after = max(stale_after, STALE_INTERVALS * longest_interval)
    return PollSettings(
        part.concurrency, stale_after, part.confirm_shrink, part.interval, _timeout(part, part.interval)
    )


def _source(part: SourcePart, folder: Path) -> SourceSettings:
    return SourceSettings(
        name=part.name,
        region=part.region,
        calls_per_second=part.calls_per_second,
        page_size=part.page_size,
        accept_language=part.accept_language,
        role_arn=part.role_arn,
        external_id=part.external_id,
        external_id_file=folder / part.external_id_file if part.external_id_file else None,
        profile=part.profile,
        discover=_discover(part.discover) if part.discover else None,
    )


def _discover(part: DiscoverPart) -> DiscoverSettings:
    return DiscoverSettings(tuple(part.names), dict(part.tags), part.interval)


def _product(part: ProductPart, model: ConfigurationFile, first_source: str) -> MonitoredProduct:
    interval = part.interval or model.poll.interval
    return MonitoredProduct(
        product=Product(part.id, part.name or part.id),
        source=part.source or first_source,
        interval=interval,
        timeout=_timeout(model.poll, interval),
        own_name=part.name is None,
    )


def _timeout(part: PollPart, interval: float) -> float:
    return interval * TIMEOUT_SHARE if part.timeout is None or part.timeout > interval else part.timeout
