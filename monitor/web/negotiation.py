"""Which format and which encoding a scrape asks for (RFC 9110, sections 12.5.1 and 12.5.3)."""

from collections.abc import Iterator

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_OPENMETRICS_TYPE = "application/openmetrics-text"
_TEXT_TYPES = ("text/plain", "text/*", "*/*")
_OPENMETRICS_VERSIONS = ("", "1.0.0", "0.0.1")


def wants_openmetrics(accept: str) -> bool:
    """Say whether the client likes OpenMetrics at least as much as the text format."""
    openmetrics = text = 0.0
    for kind, parameters, quality in _choices(accept):
        if kind == _OPENMETRICS_TYPE and parameters.get("version", "") in _OPENMETRICS_VERSIONS:
            openmetrics = max(openmetrics, quality)
        elif kind in _TEXT_TYPES and parameters.get("version", "0.0.4") == "0.0.4":
            text = max(text, quality)
    return openmetrics > 0 and openmetrics >= text


def wants_gzip(accept_encoding: str) -> bool:
    """Say whether the client takes gzip."""
    named: dict[str, float] = {coding: quality for coding, _, quality in _choices(accept_encoding)}
    return named.get("gzip", named.get("x-gzip", named.get("*", 0.0))) > 0


def _choices(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for choice in header.split(","):
        value, *parameters = (part.strip() for part in choice.split(";"))
        pairs = {
            name.strip().lower(): content.strip().strip('"')
            for name, _, content in (parameter.partition("=") for parameter in parameters)
        }
        try:
            quality = float(pairs.pop("q", "1"))
        except ValueError:
            quality = 0.0
        if value:
            yield value.lower(), pairs, quality
