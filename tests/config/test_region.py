"""Names of Regions: the known ones, new ones, and misspelled ones with a suggestion."""

import json
import re

import pytest
from botocore.loaders import create_loader
from pydantic_core import PydanticCustomError

from monitor.config.region import PATTERN, checked_region, partition_of

REGIONS = {
    region: partition["id"]
    for partition in create_loader().load_data("partitions")["partitions"]
    for region in partition["regions"]
    if not region.endswith("-global")
}


@pytest.mark.parametrize("region", [*REGIONS, "eu-west-9", "nz-north-1", "us-gov-central-1", "eusc-fr-west-2"])
def test_every_region_is_accepted(region: str) -> None:
    """All Regions of botocore's list, and names that a new Region may have."""
    assert checked_region(region) == region
    assert re.search(PATTERN, region)


@pytest.mark.parametrize("region", REGIONS)
def test_the_partition_of_a_region_is_botocores(region: str) -> None:
    """It is unknown for the isolated partitions, whose roles are not compared."""
    partition = REGIONS[region]
    assert partition_of(region) == (None if partition.startswith("aws-iso") else partition)


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("eu-wset-1", "eu-west-1"),
        ("EU_WEST_1", "eu-west-1"),
        ("euwest1", "eu-west-1"),
        ("eu-west-1a", "eu-west-1"),
        ("ap-sotheast-2", "ap-southeast-2"),
        ("us-gov-wst-1", "us-gov-west-1"),
    ],
)
def test_a_misspelled_region_has_a_suggestion(name: str, suggestion: str) -> None:
    """A misspelled direction, other separators, or an Availability Zone."""
    with pytest.raises(PydanticCustomError) as refused:
        checked_region(name)
    assert refused.value.message() == f'"{name}" is not an AWS Region; did you mean "{suggestion}"?'


@pytest.mark.parametrize(
    "name", ["", "Ireland", "eu-west", "aws-global", "eu-hush-1", "eu-west-1\x1b", "us" + "-" * 100_000, "x" * 40]
)
def test_what_is_like_no_region_is_not_shown(name: str) -> None:
    """It may be a secret in the wrong place."""
    with pytest.raises(PydanticCustomError) as refused:
        checked_region(name)
    assert refused.value.message() == f"the value is not an AWS Region; write it like {json.dumps('eu-west-1')}"
