"""The jobs that become due."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollJob:
    """Poll a provisioned product."""

    product_id: str


@dataclass(frozen=True, slots=True)
class DiscoveryJob:
    """Search the products of a source."""

    source: str


Job = PollJob | DiscoveryJob
