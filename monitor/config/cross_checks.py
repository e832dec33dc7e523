"""What is wrong between keys that are right one by one.

Looks at plain values, not at checked ones: what does not fit together is said in the same report as what is
wrong by itself. A value of a wrong kind is passed over here, since the schema says so already.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from monitor.config.document import Document, Path, Problem, dotted, shortened
from monitor.config.duration import format_duration, parse_duration
from monitor.config.model import PollPart

DEFAULT_SOURCE = "default"
"""The name of the source that there is where the file has none."""
_DEFAULTS = PollPart()
_PARTITIONS = {
    "aws": "(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]+",
    "aws-cn": "cn-.*",
    "aws-us-gov": "us-gov-.*",
}
"""What the Regions of a partition look like. Of the others, those of isolated clouds, nothing is said."""


def contradictions(document: Document) -> Iterator[Problem]:
    """Find them all."""
    if isinstance(document.value, dict):
        yield from _nothing_to_watch(document)
        yield from _times(document)
        yield from _roles(document)
        yield from _twice(document, "sources", "name")
        yield from _twice(document, "products", "id")
        yield from _sources_of_products(document)


def _nothing_to_watch(document: Document) -> Iterator[Problem]:
    if _discovers(document.value) or _given(document.value, "products"):
        return
    there = "products" in document.value
    what = "at least one is required" if there else "is required"
    if not there or document.value["products"] == []:
        yield document.problem(f"{what}, unless a source has `discover`", "products")


def _roles(document: Document) -> Iterator[Problem]:
    for place, item in enumerate(_items(document.value, "sources")):
        role_arn, region = item.get("role_arn"), item.get("region")
        given = [key for key in ("external_id", "external_id_file") if item.get(key) is not None]
        if role_arn is None:
            for key in given:
                message = "is used only to assume a role: add `role_arn`, or remove this key"
                yield document.problem(message, "sources", place, key)
        elif len(given) > 1:
            message = "cannot be combined with `external_id`: remove one of them"
            yield document.problem(message, "sources", place, "external_id_file")
        if isinstance(role_arn, str) and isinstance(region, str) and role_arn.startswith("arn:aws"):
            partition, expected = role_arn.split(":")[1], _partition(region)
            if expected and partition != expected:
                message = f"a role of the partition {partition} has no rights in {region}, which is in {expected}"
                yield document.problem(message, "sources", place, "role_arn")


def _partition(region: str) -> str | None:
    """Return the partition of a Region; None for those of which nothing is known here."""
    return next((name for name, pattern in _PARTITIONS.items() if re.fullmatch(pattern, region)), None)


def _times(document: Document) -> Iterator[Problem]:
    poll = _mapping(document.value, "poll")
    interval = _seconds(poll, "interval", _DEFAULTS.interval)
    timeout = _seconds(poll, "timeout", None)
    stale_after = _seconds(poll, "stale_after", None)  # the default grows with the intervals
    if timeout and interval and timeout > interval:
        message = (
            f"{format_duration(timeout)} is longer than poll.interval, which is {format_duration(interval)}:"
            " a poll would run into the next one"
        )
        yield document.problem(message, "poll", "timeout")
    products = _items(document.value, "products")
    intervals: dict[Path, float | None] = {
        ("products", place, "interval"): _seconds(item, "interval", None) for place, item in enumerate(products)
    }
    if _discovers(document.value) or not all("interval" in item for item in products):
        intervals["poll", "interval"] = interval
    for path, seconds in intervals.items():
        if seconds and stale_after and seconds >= stale_after:
            message = (
                f"{format_duration(seconds)} is not shorter than poll.stale_after, which is"
                f" {format_duration(stale_after)}: the series would be gone between two polls"
            )
            yield document.problem(message, *path)


def _twice(document: Document, part: str, key: str) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for place, item in enumerate(_items(document.value, part)):
        name = item.get(key)
        if isinstance(name, str):
            path: Path = (part, place, key) if (part, place, key) in document.lines else (part, place)
            if name in first:
                where = f"first as {dotted(first[name])} on line {document.line(first[name])}"
                yield document.problem(f"{shortened(name)!r} is there twice, {where}", *path)
            first.setdefault(name, path)


def _sources_of_products(document: Document) -> Iterator[Problem]:
    names = [item.get("name") for item in _items(document.value, "sources")] or [DEFAULT_SOURCE]
    known = [name for name in names if isinstance(name, str) and name]
    if len(known) < len(names) or not isinstance(document.value.get("sources", []), list | None):
        return  # nobody can say which sources there are
    for place, item in enumerate(_items(document.value, "products")):
        source = item.get("source")
        if source is None and len(set(known)) > 1:
            yield document.problem(f"`source` is required, since there are {_one_of(known)}", "products", place)
        elif isinstance(source, str) and source and source not in known:
            close = get_close_matches(source, known, n=1)
            meant = f"did you mean {shortened(close[0])!r}?" if close else f"known: {_one_of(known)}"
            message = f"there is no source {shortened(source)!r}; {meant}"
            yield document.problem(message, "products", place, "source")


def _one_of(names: Sequence[str]) -> str:
    shown = [repr(shortened(name)) for name in dict.fromkeys(names)]
    most = 8
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _discovers(value: Mapping[str, Any]) -> bool:
    return any(_given(item, "discover") for item in _items(value, "sources"))


def _given(value: Mapping[str, Any], key: str) -> bool:
    """Say whether there is something; what is of a wrong kind counts, since that is said already."""
    return value.get(key) not in (None, [])


def _items(value: Mapping[str, Any], part: str) -> Sequence[Mapping[str, Any]]:
    """Return the mappings of a list; an id alone stands for a mapping with nothing else in it."""
    items = value.get(part)
    if not isinstance(items, list):
        return ()
    return [item if isinstance(item, dict) else {"id": item} if part == "products" else {} for item in items]


def _mapping(value: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    found = value.get(part)
    return found if isinstance(found, dict) else {}


def _seconds(part: Mapping[str, Any], key: str, default: float | None) -> float | None:
    """Return a duration, the default where there is none, and None where it is wrong."""
    value = part.get(key)
    if value is None:
        return default
    try:
        return parse_duration(value) if isinstance(value, str) else None
    except ValueError:
        return None
