"""Problems between keys that are valid one by one.

The checks read plain values, not validated ones, so that a report has these problems together with all others.
A value of a wrong type is skipped here: the schema reports it.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from monitor.config.document import Document, Path, Problem, dotted, quoted
from monitor.config.duration import format_duration, parse_duration
from monitor.config.region import partition_of
from monitor.config.schema import PollSection

# The name of the only source of a file without `sources`.
DEFAULT_SOURCE = "default"
_DEFAULTS = PollSection()
_MIN_LEASE = 5.0
# Names that a message lists.
_MAX_NAMES = 8


def cross_checks(document: Document) -> Iterator[Problem]:
    """Yield every problem between keys."""
    if isinstance(document.value, dict):
        yield from _no_products(document)
        yield from _durations(document)
        yield from _roles(document)
        yield from _duplicates(document, "sources", "name")
        yield from _duplicates(document, "products", "id")
        yield from _sources_of_products(document)
        yield from _cluster(document)


def _no_products(document: Document) -> Iterator[Problem]:
    if _has_discover(document.value) or _is_set(document.value, "products"):
        return
    if document.value.get("products", []) == []:  # an empty value is reported by the schema
        yield document.problem("at least one product is required, unless a source has `discover`", "products")


def _roles(document: Document) -> Iterator[Problem]:
    for place, item in enumerate(_items(document.value, "sources")):
        role_arn, region = item.get("role_arn"), item.get("region")
        external_ids = [key for key in ("external_id", "external_id_file") if item.get(key) is not None]
        if role_arn is None:
            for key in external_ids:
                message = "is used only to assume a role: add `role_arn` or remove this key"
                yield document.problem(message, "sources", place, key)
        elif len(external_ids) > 1:
            message = "cannot be combined with `external_id`: remove one of them"
            yield document.problem(message, "sources", place, "external_id_file")
        if isinstance(role_arn, str) and isinstance(region, str) and role_arn.startswith("arn:aws"):
            partition, expected = role_arn.split(":")[1], partition_of(region)
            if expected and partition != expected:
                message = (
                    f"a role of partition {partition} cannot be used in {region}, which is in partition {expected}"
                )
                yield document.problem(message, "sources", place, "role_arn")


def _durations(document: Document) -> Iterator[Problem]:
    """Compare timeout, stale_after and the intervals that are in use: the default only if a product uses it."""
    poll = _mapping(document.value, "poll")
    products = _items(document.value, "products")
    intervals: dict[Path, float | None] = {
        ("products", place, "interval"): _seconds(item, "interval", None) for place, item in enumerate(products)
    }
    if _has_discover(document.value) or not all("interval" in item for item in products):
        intervals["poll", "interval"] = _seconds(poll, "interval", _DEFAULTS.interval)
    timeout = _seconds(poll, "timeout", None)
    longest = max((seconds for seconds in intervals.values() if seconds), default=None)
    limit = intervals.get(("poll", "interval"), longest)
    if timeout and limit and timeout > limit:
        which = "poll.interval" if ("poll", "interval") in intervals else "the longest interval"
        message = f"{format_duration(timeout)} must not be longer than {which}, which is {format_duration(limit)}"
        yield document.problem(message, "poll", "timeout")
    stale_after = _seconds(poll, "stale_after", None)  # its default grows with the intervals
    for path, seconds in intervals.items():
        if seconds and stale_after and seconds >= stale_after:
            message = (
                f"{format_duration(seconds)} must be shorter than poll.stale_after, which is"
                f" {format_duration(stale_after)}: the series would disappear between two polls"
            )
            yield document.problem(message, *path)


def _duplicates(document: Document, section: str, key: str) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for place, item in enumerate(_items(document.value, section)):
        name = item.get(key)
        if isinstance(name, str):
            path: Path = (section, place, key) if (section, place, key) in document.lines else (section, place)
            if name in first:
                where = f"first in {dotted(first[name])} on line {document.line(first[name])}"
                yield document.problem(f"duplicate {quoted(name)}, {where}", *path)
            first.setdefault(name, path)


def _sources_of_products(document: Document) -> Iterator[Problem]:
    names = [item.get("name") for item in _items(document.value, "sources")] or [DEFAULT_SOURCE]
    known = [name for name in names if isinstance(name, str) and name]
    if len(known) < len(names) or not isinstance(document.value.get("sources", []), list | None):
        return  # without all names, no reference can be checked
    for place, item in enumerate(_items(document.value, "products")):
        source = item.get("source")
        if source is None and len(set(known)) > 1:
            message = f"`source` is required because there are several: {_listed(known)}"
            yield document.problem(message, "products", place)
        elif isinstance(source, str) and source and source not in known:
            similar = get_close_matches(source, known, n=1)
            hint = f"did you mean {quoted(similar[0])}?" if similar else f"the sources are {_listed(known)}"
            yield document.problem(f"unknown source {quoted(source)}; {hint}", "products", place, "source")


def _cluster(document: Document) -> Iterator[Problem]:
    state, cluster = _mapping(document.value, "state"), _mapping(document.value, "cluster")
    if state.get("dynamodb") is None:
        if cluster:
            yield document.problem("needs `state.dynamodb`: replicas share their state in a table", "cluster")
    elif "path" in state:
        yield document.problem("cannot be combined with `dynamodb`: remove one of them", "state", "path")
    lease = _seconds(cluster, "lease", None)
    if lease and lease < _MIN_LEASE:
        message = f"must be at least {_MIN_LEASE:g}s: a renewal, each third of it, may take a second"
        yield document.problem(message, "cluster", "lease")


def _listed(names: Sequence[str]) -> str:
    shown = [quoted(name) for name in dict.fromkeys(names)]
    return ", ".join(shown[:_MAX_NAMES]) + (f" and {len(shown) - _MAX_NAMES} more" if len(shown) > _MAX_NAMES else "")


def _has_discover(value: Mapping[str, Any]) -> bool:
    return any(_is_set(item, "discover") for item in _items(value, "sources"))


def _is_set(value: Mapping[str, Any], key: str) -> bool:
    """Return whether a key has a value, also one of a wrong type: the schema reports that."""
    return value.get(key) not in (None, [])


def _items(value: Mapping[str, Any], section: str) -> Sequence[Mapping[str, Any]]:
    """Return the mappings of a list; an ID alone stands for a mapping with only an ID."""
    items = value.get(section)
    if not isinstance(items, list):
        return ()
    return [item if isinstance(item, dict) else {"id": item} if section == "products" else {} for item in items]


def _mapping(value: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    found = value.get(section)
    return found if isinstance(found, dict) else {}


def _seconds(section: Mapping[str, Any], key: str, default: float | None) -> float | None:
    """Return a duration in seconds, the default if it is absent, or None if it is invalid."""
    value = section.get(key)
    if value is None:
        return default
    try:
        return parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
