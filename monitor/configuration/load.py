"""From a file to settings, or to every problem of the file at once."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from monitor.configuration.document import Document, Problem, dotted, read_document
from monitor.configuration.duration import format_duration
from monitor.configuration.model import ConfigurationFile, ProductPart, SourcePart
from monitor.configuration.settings import (
    PollSettings,
    SeriesOptions,
    Settings,
    SourceSettings,
    WatchedProduct,
)
from monitor.fleet.instances import Product

TIMEOUT_SHARE = 0.8
"""Of the interval: a poll's default deadline leaves time before the next one is due."""


class ConfigurationError(Exception):
    """A file with problems."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        """Keep the problems, by their lines."""
        self.path = path
        self.problems = tuple(sorted(problems))
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
            problems.extend(_explained(error, document))
        else:
            problems.extend(_contradictions(model, document))
    if problems or model is None:
        raise ConfigurationError(path, problems)
    return _settings(model)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    schema = ConfigurationFile.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _explained(error: ValidationError, document: Document) -> Iterator[Problem]:
    for detail in error.errors(include_url=False):
        path = tuple(detail["loc"])
        match detail["type"]:
            case "extra_forbidden":
                message = f"unknown key{_meant(path)}"
            case "missing":
                message = "is required"
            case "model_type" | "model_attributes_type" | "dict_type":
                message = "must be a mapping"
            case "list_type":
                message = "must be a list"
            case _:
                message = detail["msg"].removeprefix("Value error, ")
                message = message.removeprefix("Input ")
        yield Problem(document.line(path), dotted(path), message)


def _meant(path: tuple[str | int, ...]) -> str:
    """Return a hint where an unknown key looks like a known one of the same place."""
    fields: Iterable[str] = _fields_at(path[:-1])
    close = get_close_matches(str(path[-1]), fields, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _fields_at(path: tuple[str | int, ...]) -> Iterable[str]:
    model: type[BaseModel] = ConfigurationFile
    for part in path:
        if part == "sources":
            model = SourcePart
        elif part == "products":
            model = ProductPart
        elif isinstance(part, str):
            annotation = model.model_fields[part].annotation
            if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
                return ()
            model = annotation
    return model.model_fields


def _contradictions(model: ConfigurationFile, document: Document) -> Iterator[Problem]:
    """Find what is wrong between keys that are right one by one."""

    def problem(message: str, *path: str | int) -> Problem:
        return Problem(document.line(path), dotted(path), message)

    if not model.products:
        yield problem("at least one product is required", "products")
    if model.poll.timeout is not None and model.poll.timeout > model.poll.interval:
        yield problem(
            f"is longer than the interval of {format_duration(model.poll.interval)}: polls would overrun",
            "poll",
            "timeout",
        )
    sources: dict[str, int] = {}
    for place, source in enumerate(model.sources):
        if source.name in sources:
            yield problem(f"the source is there twice, first as sources[{sources[source.name]}]", "sources", place)
        sources.setdefault(source.name, place)
    products: dict[str, int] = {}
    for place, product in enumerate(model.products):
        if product.id in products:
            yield problem(f"the product is there twice, first as products[{products[product.id]}]", "products", place)
        products.setdefault(product.id, place)
        if product.source is None and len(sources) > 1:
            yield problem("`source` is required, since there are several sources", "products", place)
        elif product.source is not None and product.source not in (sources or {DEFAULT_SOURCE: 0}):
            known = ", ".join(sources) or DEFAULT_SOURCE
            yield problem(f"there is no source {product.source!r}, only {known}", "products", place, "source")


DEFAULT_SOURCE = "default"


def _settings(model: ConfigurationFile) -> Settings:
    sources = tuple(map(_source, model.sources or [SourcePart(name=DEFAULT_SOURCE)]))
    poll = model.poll
    return Settings(
        poll=PollSettings(poll.concurrency, poll.stale_after, poll.confirm_shrink),
        sources=sources,
        products=tuple(_product(product, model, sources[0].name) for product in model.products),
        series=SeriesOptions(
            model.metrics.instance_series, model.metrics.zero_series, model.metrics.max_instance_series
        ),
        state_path=model.state.path,
        history=model.state.history,
        listen=model.web.listen,
        log_level=model.log.level,
        log_format=model.log.format,
    )


def _source(part: SourcePart) -> SourceSettings:
    return SourceSettings(part.name, part.region, part.calls_per_second, part.page_size, part.accept_language)


def _product(part: ProductPart, model: ConfigurationFile, first_source: str) -> WatchedProduct:
    interval = part.interval or model.poll.interval
    timeout = model.poll.timeout
    if timeout is None or timeout > interval:
        timeout = interval * TIMEOUT_SHARE
    return WatchedProduct(Product(part.id, part.name or part.id), part.source or first_source, interval, timeout)
