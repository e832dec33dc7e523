"""Stack instances as values: their status, one listing of them, and the snapshot that is kept."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

# Account and Region. A plain tuple of strings, because there may be a million of them: the garbage collector untracks
# such tuples, but never instances of a class.
InstanceKey = tuple[str, str]


class Status(StrEnum):
    """The status of a stack instance (API: `StackInstance.StackInstanceStatus`).

    `UNKNOWN` is not from AWS: it stands for a status that this version does not know.
    """

    CURRENT = "CURRENT"
    OUTDATED = "OUTDATED"
    INOPERABLE = "INOPERABLE"
    UNKNOWN = "UNKNOWN"


# The statuses that the API documents: each always has a series, 0 if no instance has it.
KNOWN_STATUSES = (Status.CURRENT, Status.OUTDATED, Status.INOPERABLE)


class Anomaly(StrEnum):
    """What is odd about a listing (the `kind` label of `servicecatalog_listing_anomalies_total`)."""

    DUPLICATE = "duplicate"
    INVALID_ITEM = "invalid_item"
    UNKNOWN_STATUS = "unknown_status"
    SHRINK = "shrink"
    """The first listing of the poll lost more than the share `poll.confirm_shrink` of the known instances."""


@dataclass(frozen=True, slots=True)
class Product:
    """A provisioned product by the id and the name that metrics and events carry."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All stack instances of one product. A listing is complete: an incomplete one is an error."""

    statuses: Mapping[InstanceKey, Status]
    pages: int
    anomalies: Mapping[Anomaly, int]
    unknown_statuses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InstanceState:
    """A status and when it was first seen. Instances that changed in the same poll share one object."""

    status: Status
    since: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One accepted listing, with the time since when each status holds."""

    product_id: str
    observed_at: datetime
    states: Mapping[InstanceKey, InstanceState]
    counts: Mapping[Status, int]


def count_statuses(states: Iterable[InstanceState]) -> Mapping[Status, int]:
    """Count the instances of each status. The documented statuses are included even if the count is 0."""
    counts = Counter(instance_state.status for instance_state in states)
    return {status: counts[status] for status in Status if counts[status] or status in KNOWN_STATUSES}
