"""What CloudFormation knows of a simulated stack set: why instances are not CURRENT, and its operations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

Key = tuple[str, str]
Summary = dict[str, Any]

_DETAILED_STATUSES = {"CURRENT": "SUCCEEDED", "OUTDATED": "PENDING", "INOPERABLE": "INOPERABLE"}
_OU = "ou-ab12-workload"


@dataclass(slots=True)
class Operation:
    """An operation of a stack set."""

    id: str
    action: str
    status: str
    started_at: datetime
    ended_at: datetime | None = None
    reason: str = ""
    region_order: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the operation has not ended."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class _Detail:
    detailed_status: str
    reason: str


@dataclass(slots=True)
class Rollouts:
    """The operations of one stack set, and the details of its instances. The caller holds a lock."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    operations: list[Operation] = field(default_factory=list)
    """The newest comes first."""
    details: dict[Key, _Detail] = field(default_factory=dict)
    last_operations: dict[Key, str] = field(default_factory=dict)
    drift: dict[Key, str] = field(default_factory=dict)

    def changed(self, key: Key, detailed_status: str, reason: str) -> None:
        """Note a change of an instance; without a detailed status it has the usual one of its status."""
        self.details.pop(key, None)
        if detailed_status:
            self.details[key] = _Detail(detailed_status, reason)
        if self.operations:
            self.last_operations[key] = self.operations[0].id

    def start(self, action: str, region_order: tuple[str, ...], product_id: str) -> str:
        """Start an operation and return its id."""
        operation_id = str(uuid5(NAMESPACE_OID, f"{product_id}/{len(self.operations)}"))
        started = Operation(operation_id, action, "RUNNING", self.now(), region_order=region_order)
        self.operations.insert(0, started)
        return operation_id

    def end(self, status: str, reason: str) -> None:
        """End the last operation."""
        self.operations[0] = replace(self.operations[0], status=status, reason=reason, ended_at=self.now())

    def summary(self, key: Key, status: str) -> Summary:
        """Return an instance as ListStackInstances does."""
        account, region = key
        detail = self.details.get(key) or _Detail(_DETAILED_STATUSES.get(status, "FAILED"), "")
        summary: Summary = {
            "Account": account,
            "Region": region,
            "Status": status,
            "StackInstanceStatus": {"DetailedStatus": detail.detailed_status},
            "OrganizationalUnitId": _OU,
            "StackId": f"arn:aws:cloudformation:{region}:{account}:stack/StackSet-simulated",
            "DriftStatus": self.drift.get(key, "NOT_CHECKED"),
            "LastOperationId": self.last_operations.get(key),
            "StatusReason": detail.reason or None,
        }
        return {name: value for name, value in summary.items() if value is not None}

    def describe(self, operation: Operation, instances: Mapping[Key, str]) -> Summary:
        """Return an operation as DescribeStackSetOperation does."""
        statuses = [(key[1], self.summary(key, status)) for key, status in instances.items()]
        order = operation.region_order or tuple(sorted({region for region, _ in statuses}))
        of_region = {
            region: {
                "Stages": {
                    "RegionalStackInstancesDeployment": _counts(
                        [summary for place, summary in statuses if place == region], operation
                    )
                }
            }
            for region in order
        }
        counts = _counts([summary for _, summary in statuses], operation)
        described: Summary = {
            "OperationId": operation.id,
            "Action": operation.action,
            "Status": operation.status,
            "CreationTimestamp": operation.started_at,
            "EndTimestamp": operation.ended_at,
            "StatusReason": operation.reason or None,
            "StatusDetails": {
                "TotalStackInstancesCount": counts.pop("TotalStackInstancesCount"),
                "FailedStackInstancesCount": counts["FailedStackInstancesCount"],
                "Stages": {"StackInstancesDeployment": counts},
            },
            "OperationPreferences": {"RegionConcurrencyType": "SEQUENTIAL", "RegionOrder": list(order)},
            "RegionalStatusDetails": of_region,
        }
        return {name: value for name, value in described.items() if value is not None}


def _counts(summaries: list[Summary], operation: Operation) -> Summary:
    # Before an operation reaches an instance, that has the details of an earlier one.
    reached = [summary for summary in summaries if summary.get("LastOperationId") == operation.id]
    statuses = [summary["StackInstanceStatus"]["DetailedStatus"] for summary in reached]
    counts = {
        "TotalStackInstancesCount": len(summaries),
        "SucceededStackInstancesCount": statuses.count("SUCCEEDED"),
        "FailedStackInstancesCount": statuses.count("FAILED") + statuses.count("INOPERABLE"),
        "CancelledStackInstancesCount": statuses.count("CANCELLED"),
        "SkippedStackInstancesCount": statuses.count("SKIPPED_SUSPENDED_ACCOUNT"),
    }
    done = sum(counts.values()) - len(summaries)
    return counts | {"CompletedStackInstancesCount": done, "PendingStackInstancesCount": len(summaries) - done}
