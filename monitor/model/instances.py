"""Stack instances as values: their status, one listing of them, and the snapshot that is kept."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

InstanceKey = tuple[str, str]
"""Account and Region. A plain tuple of strings, because there may be a million: the garbage
collector stops tracking those, which it never does for a class of ours."""


class Status(StrEnum):
    """What AWS says of a stack instance (API: `StackInstance.StackInstanceStatus`).

    `UNKNOWN` is ours: a status that AWS added after this was written.
    """

    CURRENT = "CURRENT"
    OUTDATED = "OUTDATED"
    INOPERABLE = "INOPERABLE"
    UNKNOWN = "UNKNOWN"


KNOWN_STATUSES = (Status.CURRENT, Status.OUTDATED, Status.INOPERABLE)
"""The statuses that the API documents: these always have a series, also where it is 0."""


class Anomaly(StrEnum):
    """What a listing may have that a well-behaved one has not."""

    DUPLICATE = "duplicate"
    INVALID_ITEM = "invalid_item"
    UNKNOWN_STATUS = "unknown_status"
    SHRINK = "shrink"


@dataclass(frozen=True, slots=True)
class Product:
    """A provisioned product by the two names that metrics and events carry."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All stack instances of one product, as AWS listed them: complete, or it would not exist."""

    statuses: Mapping[InstanceKey, Status]
    pages: int
    anomalies: Mapping[Anomaly, int]
    unknown_statuses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InstanceState:
    """A status and when it was first seen. Instances that changed in the same poll share one."""

    status: Status
    since: datetime


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One complete listing that is believed, with the time since when each status holds."""

    product_id: str
    observed_at: datetime
    states: Mapping[InstanceKey, InstanceState]
    counts: Mapping[Status, int]


def count_statuses(states: Iterable[InstanceState]) -> Mapping[Status, int]:
    """Count how many instances hold each status; the known ones are there even with 0."""
    counts = Counter(instance_state.status for instance_state in states)
    return {status: counts[status] for status in Status if counts[status] or status in KNOWN_STATUSES}
