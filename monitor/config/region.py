"""Names of AWS Regions, checked by their form.

The list of Regions is botocore's and grows several times a year, so it is not repeated here: a new Region must be
usable before this project knows of it. All of them are named GEOGRAPHY-DIRECTION-NUMBER, where only the first part
gains new words (source: partitions.json of botocore). `stackset-monitor check` warns about a name that has the form
but is not in botocore's list.
"""

import re
from difflib import get_close_matches

from pydantic_core import PydanticCustomError

_DIRECTIONS = ("north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest")
_GEOGRAPHIES = ("af", "ap", "ca", "cn", "eu", "eusc-de", "il", "me", "mx", "sa", "us", "us-gov")
PATTERN = rf"^[a-z]{{2,4}}(-[a-z]{{2,4}})?-({'|'.join(_DIRECTIONS)})-[0-9]{{1,2}}$"
PARTITIONS = {
    "aws": "(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]+",
    "aws-cn": "cn-.*",
    "aws-eusc": "eusc-.*",
    "aws-us-gov": "us-gov-.*",
}
"""The form of the Regions of each partition. The isolated partitions (aws-iso...) are not checked."""
_LOOSE = re.compile(r"([a-z]{2})[^a-z]*(gov)?[^a-z]*([a-z]+)[^a-z0-9]*([0-9])[a-z]?", re.IGNORECASE)
"""Matches what people write instead: `EU_WEST_1`, `euwest1`, or `eu-west-1a`, which is an Availability Zone."""

_MAX_CHARACTERS = 32


def checked_region(name: str) -> str:
    """Return the name if it has the form of a Region. Raises `PydanticCustomError` with a suggestion.

    A name that is like none is not shown: it may be a secret in the wrong place.
    """
    geography = name.partition("-")[0]
    if re.fullmatch(PATTERN, name) and geography[::-1] not in _GEOGRAPHIES:
        return name
    if suggestion := _suggestion(name):
        sentence = f'"{name}" is not an AWS Region; did you mean "{suggestion}"?'
    else:
        sentence = 'the value is not an AWS Region; write it like "eu-west-1"'
    raise PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def partition_of(region: str) -> str | None:
    """Return the partition of a Region, or None if it is not in `PARTITIONS`."""
    return next((name for name, pattern in PARTITIONS.items() if re.fullmatch(pattern, region)), None)


def _suggestion(name: str) -> str | None:
    found = _LOOSE.fullmatch(name) if len(name) <= _MAX_CHARACTERS else None
    if not found:
        return None
    geography = found[1].lower()
    if geography not in _GEOGRAPHIES:
        geography = geography[::-1]
    directions = get_close_matches(found[3].lower(), _DIRECTIONS, n=1, cutoff=0.7)
    if geography not in _GEOGRAPHIES or not directions:
        return None
    return "-".join(part for part in (geography, (found[2] or "").lower(), directions[0], found[4]) if part)
