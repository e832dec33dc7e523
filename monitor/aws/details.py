"""Reads from CloudFormation why stack instances are not CURRENT, and how far the last operation is.

API: ListStackSetOperations, DescribeStackSetOperation, ListStackInstances, DescribeStackSet.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from botocore import xform_name

from monitor.aws.caller import Caller
from monitor.aws.clients import Clients
from monitor.aws.rate_limiter import RateLimiter
from monitor.aws.redaction import sentence
from monitor.aws.responses import incomplete
from monitor.model.deadline import Deadline
from monitor.model.details import (
    DRIFT_STATUSES,
    EXPLAINING_STATUSES,
    InstanceDetail,
    Operation,
    Progress,
    StackSetDetails,
)
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import InstanceKey, Status

LIST_OPERATIONS = "ListStackSetOperations"
DESCRIBE_OPERATION = "DescribeStackSetOperation"
LIST_INSTANCES = "ListStackInstances"
DESCRIBE_STACK_SET = "DescribeStackSet"
OPERATIONS = (LIST_OPERATIONS, DESCRIBE_OPERATION, LIST_INSTANCES, DESCRIBE_STACK_SET)

# CloudFormation throttles some of these operations at about 2 calls a second and account, and does not document it.
# The rate is lowered while it throttles, apart from that of Service Catalog.
CALLS_PER_SECOND = 5.0
# The details are not worth more: the next poll tries again.
ATTEMPTS = 3
# The maximum of the API.
PAGE_SIZE = 100
# Of one product, with 10 MB. An operation that fails early cancels every instance that it has not reached.
MAX_INSTANCES = 10_000
# A drift detection is an operation, too. The last rollout is among the latest ones.
_LATEST_OPERATIONS = 20
_ROLLOUT_ACTIONS = ("CREATE", "UPDATE", "DELETE")


class DetailsReader:
    """Reads the details of the stack sets of one source. Safe to use from many threads."""

    def __init__(
        self,
        connect: Callable[[], Clients],
        caller: Caller,
        budget: RateLimiter,
        find_name: Callable[[str, str, Deadline], str],
    ) -> None:
        """Take only calls of `budget` that no poll waits for. `find_name` returns the name of a stack set."""
        self._connect = connect
        self._caller = caller
        self._budget = budget
        self._find_name = find_name
        self._lock = threading.Lock()
        self._client: Any = None

    def read(
        self, product_id: str, account: str, statuses: Mapping[InstanceKey, Status], deadline: Deadline
    ) -> StackSetDetails:
        """Return the details of a product whose listing has these statuses; `account` is that of the product.

        Raises:
            PollFailedError: they cannot be read completely.
            PollCancelledError: the deadline was cancelled.
        """
        name = self._find_name(product_id, account, deadline)
        operation = self._last_operation(name, statuses, deadline)
        instances, drift = self._instances(name, statuses, deadline)
        return StackSetDetails(instances, drift, operation)

    def _last_operation(
        self, name: str, statuses: Mapping[InstanceKey, Status], deadline: Deadline
    ) -> Operation | None:
        arguments = {"StackSetName": name, "MaxResults": _LATEST_OPERATIONS}
        latest = self._call(LIST_OPERATIONS, arguments, deadline).get("Summaries")
        if not isinstance(latest, list):
            raise incomplete("NotAListing", "the response has no list of operations")
        last = next((one for one in latest if one.get("Action") in _ROLLOUT_ACTIONS and one.get("OperationId")), None)
        if last is None:
            return None
        arguments = {"StackSetName": name, "OperationId": last["OperationId"]}
        answer = self._call(DESCRIBE_OPERATION, arguments, deadline)
        return _operation(answer.get("StackSetOperation") or {}, statuses)

    def _instances(
        self, name: str, statuses: Mapping[InstanceKey, Status], deadline: Deadline
    ) -> tuple[Mapping[InstanceKey, InstanceDetail], Mapping[str, int]]:
        bad = {key for key, status in statuses.items() if status is not Status.CURRENT}
        found: dict[InstanceKey, InstanceDetail] = {}
        if _pages(len(statuses)) <= len(EXPLAINING_STATUSES) + _pages(min(len(bad), MAX_INSTANCES)):
            drift = dict.fromkeys(DRIFT_STATUSES, 0)
            for summary in self._list(name, None, deadline):
                if (drift_status := summary.get("DriftStatus")) in drift:
                    drift[drift_status] += 1
                _add(found, summary, bad)
            return found, drift
        if bad:
            for detailed_status in EXPLAINING_STATUSES:
                for summary in self._list(name, detailed_status, deadline):
                    _add(found, summary, bad)
                    if len(found) >= MAX_INSTANCES:
                        break
        answer = self._call(DESCRIBE_STACK_SET, {"StackSetName": name}, deadline)
        return found, _drift(answer.get("StackSet") or {}, len(statuses))

    def _list(self, name: str, detailed_status: str | None, deadline: Deadline) -> Iterator[Mapping[str, Any]]:
        arguments: dict[str, Any] = {"StackSetName": name, "MaxResults": PAGE_SIZE}
        if detailed_status is not None:
            arguments["Filters"] = [{"Name": "DETAILED_STATUS", "Values": detailed_status}]
        seen: set[str] = set()
        while True:
            answer = self._call(LIST_INSTANCES, arguments, deadline)
            summaries, token = answer.get("Summaries"), answer.get("NextToken")
            if not isinstance(summaries, list):
                raise incomplete("NotAListing", "the response has no list of stack instances")
            yield from summaries
            if not token:
                return
            if token in seen:
                raise incomplete("RepeatedPageToken", f"page {len(seen) + 1} has the page token of an earlier page")
            seen.add(token)
            arguments["NextToken"] = token

    def _call(self, operation: str, arguments: Mapping[str, Any], deadline: Deadline) -> Mapping[str, Any]:
        clients = self._connect()
        with self._lock:  # boto3 cannot create two clients of one session at the same time
            self._client = self._client or clients.create_cloudformation()
        method = getattr(self._client, xform_name(operation))

        def request() -> Mapping[str, Any]:
            # A poll that waits has reserved its slot, so a free slot is one that no poll wants.
            while (pause := self._budget.take_free_slot()) > 0:
                deadline.wait(pause)
            answer: Mapping[str, Any] = method(**arguments)
            return answer

        return clients.credentials.renew_if_rejected(
            lambda: self._caller.call(operation, request, deadline, attempts=ATTEMPTS)
        )


def _pages(instances: int) -> int:
    return math.ceil(instances / PAGE_SIZE)


def _add(found: dict[InstanceKey, InstanceDetail], summary: Mapping[str, Any], bad: set[InstanceKey]) -> None:
    key = (_text(summary, "Account"), _text(summary, "Region"))
    detailed_status = _text(summary.get("StackInstanceStatus") or {}, "DetailedStatus")
    # CloudFormation may be ahead of Service Catalog or behind it: only what the listing shows is explained.
    if key not in bad or detailed_status not in EXPLAINING_STATUSES or len(found) >= MAX_INSTANCES:
        return
    checked_at = summary.get("LastDriftCheckTimestamp")
    found[key] = InstanceDetail(
        detailed_status=detailed_status,
        reason=sentence(str(summary.get("StatusReason") or "")),
        operation_id=_text(summary, "LastOperationId"),
        drift_status=_text(summary, "DriftStatus"),
        drift_checked_at=checked_at if isinstance(checked_at, datetime) else None,
        organizational_unit_id=_text(summary, "OrganizationalUnitId"),
        stack_id=_text(summary, "StackId"),
    )


def _operation(fields: Mapping[str, Any], statuses: Mapping[InstanceKey, Status]) -> Operation:
    started_at, status = fields.get("CreationTimestamp"), _text(fields, "Status")
    if not isinstance(started_at, datetime) or not status:
        raise incomplete("NotAnOperation", "the response does not describe an operation")
    counts = fields.get("StatusDetails") or {}
    stage = (counts.get("Stages") or {}).get("StackInstancesDeployment") or {}
    ended_at = fields.get("EndTimestamp")
    current = sum(status is Status.CURRENT for status in statuses.values())
    reported = {
        region: _progress(one["Stages"]["RegionalStackInstancesDeployment"])
        for region, one in (fields.get("RegionalStatusDetails") or {}).items()
        if "RegionalStackInstancesDeployment" in one.get("Stages", ())
    }
    order = (fields.get("OperationPreferences") or {}).get("RegionOrder") or []
    return Operation(
        id=_text(fields, "OperationId"),
        action=_text(fields, "Action"),
        status=status,
        reason=sentence(str(fields.get("StatusReason") or "")),
        started_at=started_at,
        ended_at=ended_at if isinstance(ended_at, datetime) else None,
        # What the API does not count yet, or in a Region where it does not, is counted in the listing of the poll.
        progress=_progress(
            {
                "TotalStackInstancesCount": len(statuses),
                "SucceededStackInstancesCount": current,
                **counts,
                **stage,
            }
        ),
        regions={region: reported.get(region) for region in dict.fromkeys([*order, *reported])},
    )


def _progress(counts: Mapping[str, Any]) -> Progress:
    total = counts.get("TotalStackInstancesCount", 0)
    failed = sum(counts.get(f"{kind}StackInstancesCount", 0) for kind in ("Failed", "Cancelled", "Skipped"))
    return Progress(total, min(counts.get("SucceededStackInstancesCount", 0), total - min(failed, total)), failed)


def _drift(stack_set: Mapping[str, Any], instances: int) -> Mapping[str, int]:
    counts = stack_set.get("StackSetDriftDetectionDetails") or {}
    drifted, in_sync, failed = (counts.get(f"{kind}StackInstancesCount", 0) for kind in ("Drifted", "InSync", "Failed"))
    unchecked = max(0, instances - drifted - in_sync - failed)
    return dict(zip(DRIFT_STATUSES, (drifted, in_sync, unchecked, failed), strict=True))


def _text(fields: Mapping[str, Any], member: str) -> str:
    value = fields.get(member)
    return value if isinstance(value, str) and value.isprintable() else ""


def stack_set_name(physical_id: str, account: str, product_id: str) -> str:
    """Return what CloudFormation calls the stack set of a product.

    `physical_id`: of SearchProvisionedProducts, `arn:...:stackset/NAME:UUID`, whose last part the API takes as well.
    Without it, the name is what Service Catalog chooses.

    Raises:
        PollFailedError: neither the physical id nor the account is known.
    """
    _, stack_set, name = physical_id.partition(":stackset/")
    if stack_set and name:
        return name
    if not account:
        message = f"the name of the stack set of {product_id} is not known: allow SearchProvisionedProducts"
        raise PollFailedError(Reason.OTHER, "NoStackSetName", message)
    return f"SC-{account}-{product_id}"
