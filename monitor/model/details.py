"""What CloudFormation says about a stack set: why an instance is not CURRENT, and how far an operation is.

Details explain a snapshot. They never change a status, and a poll is complete without them.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.model.errors import PollFailedError
from monitor.model.instances import InstanceKey, Snapshot

# The detailed status of an instance that was skipped because its account is suspended. That is not a failure.
SUSPENDED = "SKIPPED_SUSPENDED_ACCOUNT"
# The detailed statuses that say why an instance is not CURRENT (API: `StackInstanceComprehensiveStatus`). The others
# are PENDING and RUNNING, which an operation changes soon, and SUCCEEDED.
EXPLAINING_STATUSES = (SUSPENDED, "FAILED", "INOPERABLE", "FAILED_IMPORT", "CANCELLED")
# API: `StackInstance.DriftStatus`.
DRIFT_STATUSES = ("DRIFTED", "IN_SYNC", "NOT_CHECKED", "UNKNOWN")
_RUNNING = frozenset({"RUNNING", "QUEUED", "STOPPING"})


@dataclass(frozen=True, slots=True)
class InstanceDetail:
    """One stack instance that is not CURRENT (API: `StackInstanceSummary`). What AWS does not say is empty."""

    detailed_status: str
    reason: str = ""
    operation_id: str = ""
    """The last operation on the instance."""
    drift_status: str = ""
    drift_checked_at: datetime | None = None
    organizational_unit_id: str = ""
    stack_id: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The stack instances of an operation."""

    total: int
    succeeded: int
    failed: int
    """Includes those that were cancelled or skipped once the operation has ended."""

    @property
    def remaining(self) -> int:
        """The instances that the operation has not reached yet."""
        return max(0, self.total - self.succeeded - self.failed)


@dataclass(frozen=True, slots=True)
class Operation:
    """The last operation of a stack set (API: `StackSetOperation`)."""

    id: str
    action: str
    """CREATE, UPDATE or DELETE."""
    status: str
    """RUNNING, SUCCEEDED, FAILED, STOPPING, STOPPED or QUEUED."""
    reason: str
    started_at: datetime
    ended_at: datetime | None
    progress: Progress
    regions: Mapping[str, Progress | None] = field(default_factory=dict)
    """The Regions in the order of the rollout, if the operation has one; None where AWS does not say how far it is."""

    @property
    def running(self) -> bool:
        """Whether the operation is under way."""
        return self.status in _RUNNING


@dataclass(frozen=True, slots=True)
class StackSetDetails:
    """The details of one product."""

    instances: Mapping[InstanceKey, InstanceDetail] = field(default_factory=dict)
    """Why instances of the snapshot are not CURRENT. An instance without an explanation has no entry."""
    drift: Mapping[str, int] | None = None
    """Stack instances by drift status; None if AWS did not say."""
    operation: Operation | None = None
    """The last operation that changed stack instances; None if there was none."""
    error: PollFailedError | None = None
    """Why the details could not be read; they are those of an earlier poll then."""

    def counts(self) -> Mapping[str, int]:
        """Count the instances of each detailed status."""
        return Counter(detail.detailed_status for detail in self.instances.values())


def carried_over(
    details: StackSetDetails | None, before: Snapshot | None, now: Snapshot, error: PollFailedError
) -> StackSetDetails:
    """Return the details after a failure to read them: the last ones, of the instances that did not change since."""
    if details is None or before is None:
        return StackSetDetails(error=error)
    kept = {key: one for key, one in details.instances.items() if before.states.get(key) == now.states.get(key)}
    return replace(details, instances=kept, error=error)


def ended_operation(
    before: StackSetDetails | None, now: StackSetDetails, last_poll: datetime | None
) -> Operation | None:
    """Return the operation whose end was not seen before, so that each end is seen once.

    An operation that was under way has ended now. After another one that is known, any later one is news, however
    long ago it ended: details are not read in each poll, and may fail for hours. Without a known one it must have
    ended after `last_poll`: what ended before the first poll is not news.
    """
    operation = now.operation
    if operation is None or operation.running or operation.ended_at is None:
        return None
    known = before.operation if before else None
    if known is None:
        return operation if last_poll is not None and operation.ended_at > last_poll else None
    if known.id == operation.id:
        return operation if known.running else None
    return operation if operation.started_at > known.started_at else None
