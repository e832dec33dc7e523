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
# What a misspelled name is compared with. Not all of them exist.
_EXAMPLES = tuple(
    f"{place}-{direction}-{n}" for place in _GEOGRAPHIES for direction in _DIRECTIONS for n in range(1, 9)
)
PATTERN = rf"^[a-z]{{2,4}}(-[a-z]{{2,4}})?-({'|'.join(_DIRECTIONS)})-[0-9]{{1,2}}$"
# The form of the Regions of each partition. The isolated partitions (aws-iso...) are not checked.
PARTITIONS = {
    "aws": "(af|ap|ca|eu|il|me|mx|sa|us)-[a-z]+-[0-9]+",
    "aws-cn": "cn-.*",
    "aws-eusc": "eusc-.*",
    "aws-us-gov": "us-gov-.*",
}
# What is compared: also `EU_WEST_1`, `euwest1`, and `eu-west-1a`, which is an Availability Zone.
_SIMILAR = r"[A-Za-z_-]{4,28}[0-9][a-z]?"


def checked_region(name: str) -> str:
    """Return the name if it has the form of a Region. Raises `PydanticCustomError` with a suggestion.

    A name that is like none is not shown: it may be a secret in the wrong place.
    """
    if re.fullmatch(PATTERN, name):
        return name
    similar: list[str] = []
    if re.fullmatch(_SIMILAR, name):
        # 0.85 accepts `euwest1` (0.875) and refuses a word that is not a direction, as in `eu-hush-1` (0.74).
        similar = get_close_matches(name.lower().replace("_", "-"), _EXAMPLES, n=1, cutoff=0.85)
    if similar:
        sentence = f'"{name}" is not an AWS Region; did you mean "{similar[0]}"?'
    else:
        sentence = 'the value is not an AWS Region; write it like "eu-west-1"'
    raise PydanticCustomError("sentence", "{sentence}", {"sentence": sentence})


def partition_of(region: str) -> str | None:
    """Return the partition of a Region, or None if it is not in `PARTITIONS`."""
    return next((name for name, pattern in PARTITIONS.items() if re.fullmatch(pattern, region)), None)
