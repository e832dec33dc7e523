"""Read why stack instances are not CURRENT. This may fail, and then the poll is complete all the same."""

from monitor.config.duration import format_duration
from monitor.model.deadline import Deadline, Deadlines
from monitor.model.details import Operation, StackSetDetails, carried_over, ended_operation
from monitor.model.diff import Change, explained
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from monitor.model.instances import Listing, Status
from monitor.model.products import IN_ROLLOUT, ProductDetail, ProductStatus
from monitor.poller.product_state import PollRun

# The transitions of a poll wait for its details. 10,000 explained instances are 100 calls: 20 s without throttling.
MAX_SECONDS = 30.0
# Drift is detected once a day or less, and starts no poll: the counts may be this old.
MAX_AGE = 3600.0


def read_details(
    poll: PollRun, listing: Listing, deadline: Deadline, deadlines: Deadlines, now: float
) -> StackSetDetails | None:
    """Return the details that belong to a complete listing; None if the source has none.

    If they cannot be read, they consist of the `error`; a defect of the monitor is also in `poll.defect`.
    `now` is of the monotonic clock.

    Raises:
        PollCancelledError: the monitor stops.
    """
    catalog, before = poll.catalog.details, poll.state.details
    if catalog is None:
        return None
    if before is not None and not _wanted(poll, listing, before, now):
        return StackSetDetails(drift=before.drift, operation=before.operation)
    seconds = min(MAX_SECONDS, deadline.remaining())
    detail = _detail(poll)
    try:
        with deadlines.running(seconds) as own_deadline:
            details = catalog.read(
                poll.monitored.product.id, detail.account if detail else "", listing.statuses, own_deadline
            )
    except PollFailedError as error:
        if error.reason is Reason.TIMEOUT:
            message = f"the details were not complete after {format_duration(round(seconds, 1))}: {error.error_code}"
            error = PollFailedError(error.reason, error.error_code, message)
        return StackSetDetails(error=error)
    except PollCancelledError:
        raise
    except Exception as error:  # noqa: BLE001 - a response of an unexpected shape must not fail the poll
        poll.defect = error
        message = "a defect of the monitor ended the reading of the details"
        return StackSetDetails(error=PollFailedError(Reason.OTHER, type(error).__name__, message))
    poll.state.details_read_at = now
    return details


def with_details(
    change: Change, details: StackSetDetails | None, before: StackSetDetails | None
) -> tuple[Change, Operation | None]:
    """Return a change with its details, whose transitions are explained, and the rollout that ended.

    If the details could not be read, those `before` go on to explain the instances that did not change.
    """
    if details is None:
        return change, None
    if details.error is not None:
        details = carried_over(before, change.previous, change.snapshot, details.error)
    ended = ended_operation(before, details, change.previous.observed_at if change.previous else None)
    return explained(change, details), ended


def _wanted(poll: PollRun, listing: Listing, before: StackSetDetails, now: float) -> bool:
    """Return whether CloudFormation has something to say that is not known yet.

    A rollout between two polls leaves every instance CURRENT, but it changes the version of the product.
    """
    detail, previous, read_at = _detail(poll), poll.state.detail, poll.state.details_read_at
    return (
        before.error is not None
        or (before.operation is not None and before.operation.running)
        or read_at is None
        or now - read_at > MAX_AGE
        or (detail is not None and detail.status in IN_ROLLOUT)
        or (detail is not None and previous is not None and _version(detail) != _version(previous))
        or any(status is not Status.CURRENT for status in listing.statuses.values())
    )


def _version(detail: ProductDetail) -> tuple[str, str, ProductStatus]:
    return detail.product_id, detail.provisioning_artifact_id, detail.status


def _detail(poll: PollRun) -> ProductDetail | None:
    return poll.description.detail if poll.description else poll.state.detail
