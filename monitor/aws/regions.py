"""The Regions that botocore knows."""

from botocore.loaders import create_loader


def is_known_region(name: str) -> bool:
    """Return whether a Region is in the partitions.json of botocore, which lags behind new Regions."""
    partitions = create_loader().load_data("partitions")["partitions"]
    return any(name in partition["regions"] for partition in partitions)
