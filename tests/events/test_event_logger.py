"""The events of polls and transitions, as whole log entries."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from monitor.config.settings import LogLevel
from monitor.events.event_logger import EventLogger
from monitor.events.outbox import Outbox
from monitor.events.transitions import transition_line
from monitor.model.details import Operation, Progress, StackSetDetails
from monitor.model.diff import Transition, diff
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Anomaly, InstanceKey, Status
from monitor.model.products import ProductStatus, ProductTransition, describe
from monitor.poller.protocols import CompletedPoll, FailedPoll
from tests.events.capture import captured
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, baseline, detail, listing, monitored

STATUSES: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}
CHANGE = diff(
    baseline(STATUSES).snapshot,
    listing({(ONE, EU): Status.INOPERABLE, (ONE, US): Status.OUTDATED, (THREE, EU): Status.CURRENT}),
    BASELINE,
    "poll-2",
    LATER,
)
UNCHANGED = diff(baseline(STATUSES).snapshot, listing(STATUSES), BASELINE, "poll-3", LATER)
PRODUCT = {"provisioned_product_id": BASELINE.id, "provisioned_product_name": BASELINE.name}
DENIED = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "User is not authorized")
GONE = PollFailedError(Reason.NOT_FOUND, "ResourceNotFoundException", "not there")


class CountingOutbox(Outbox):
    """Counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        """Count a call."""
        self.woken += 1


class Harness:
    """An event logger with what it wrote, at every level."""

    def __init__(self) -> None:
        self.log, self.lines = captured(LogLevel.DEBUG)
        self.outbox = CountingOutbox()
        self.events = EventLogger(self.log, self.outbox)

    def levels(self) -> list[tuple[str, str]]:
        """Return event and level of the lines since the last call."""
        return [(entry["event"], entry["level"]) for entry in self.lines.entries()]


@pytest.fixture
def harness() -> Harness:
    """Return an event logger."""
    return Harness()


def completed(*, committed: bool = True) -> CompletedPoll:
    """Return the poll that found CHANGE in an unusual listing."""
    odd = replace(
        listing(STATUSES, pages=3, anomalies={Anomaly.DUPLICATE: 2}),
        unknown_statuses=frozenset({"PENDING", "DRIFTED"}),
    )
    return CompletedPoll(monitored(), CHANGE, odd, 1.23456, committed)


def unchanged() -> CompletedPoll:
    """Return a poll that found no change."""
    return CompletedPoll(monitored(), UNCHANGED, listing(STATUSES), 1.0, committed=True)


def failed(error: PollFailedError, *, newly_missing: bool = False) -> FailedPoll:
    """Return a poll that failed."""
    return FailedPoll(monitored(), "poll-3", error, 0.5, LATER, 301.23456, newly_missing=newly_missing)


def published(*transitions: Transition | ProductTransition) -> Sequence[dict[str, object]]:
    """Return the log entries of transitions."""
    log, lines = captured()
    lines.write_through([transition_line(log, transition) for transition in transitions])
    return lines.entries()


def test_a_transition_is_logged_with_all_its_fields() -> None:
    """The level follows the new status; a status that does not exist is null."""
    first = replace(CHANGE.transitions[0], provisioned_product_status=ProductStatus.TAINTED)
    entries = published(first, *CHANGE.transitions[1:])
    assert entries[0] == {
        "level": "error",
        "event": "stack_instance.transition",
        "message": f"The stack instance in account {ONE}, Region {EU}, of {BASELINE.name} ({BASELINE.id})"
        " changed from CURRENT to INOPERABLE.",
        "event_id": first.event_id,
        "poll_id": "poll-2",
        **PRODUCT,
        "account": ONE,
        "region": EU,
        "previous_status": "CURRENT",
        "status": "INOPERABLE",
        "previous_since": "2026-01-02T03:04:05.678Z",
        "observed_at": "2026-01-02T03:09:05.678Z",
        "provisioned_product_status": "TAINTED",
    }
    keys = ("level", "account", "previous_status", "status", "previous_since", "provisioned_product_status")
    assert [tuple(entry[key] for key in keys) for entry in entries[1:]] == [
        ("warning", ONE, "CURRENT", "OUTDATED", "2026-01-02T03:04:05.678Z", None),
        ("info", TWO, "OUTDATED", None, "2026-01-02T03:04:05.678Z", None),
        ("info", THREE, None, "CURRENT", None, None),
    ]


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (Status.CURRENT, "info"),
        (Status.OUTDATED, "warning"),
        (Status.UNKNOWN, "warning"),
        (Status.INOPERABLE, "error"),
        (None, "info"),
    ],
)
def test_the_level_follows_the_new_status(status: Status | None, level: str) -> None:
    """The status that a transition leads to decides its level."""
    (entry,) = published(replace(CHANGE.transitions[0], status=status))
    assert entry["level"] == level


def test_a_poll_is_logged_and_its_transitions_are_published(harness: Harness) -> None:
    """The event has the counts and what was unusual about the listing."""
    harness.events.completed(completed())
    assert harness.outbox.woken == 1
    assert harness.lines.entries() == [
        {
            "level": "info",
            "event": "poll.completed",
            "message": f"The poll of {BASELINE.name} ({BASELINE.id}) completed; instances: 3, transitions: 4.",
            "poll_id": "poll-2",
            **PRODUCT,
            "pages": 3,
            "instances": 3,
            "counts": {"CURRENT": 1, "OUTDATED": 1, "INOPERABLE": 1},
            "transitions": 4,
            "provisioned_product_status": None,
            "duration_seconds": 1.235,
            "anomalies": {"duplicate": 2},
            "unknown_statuses": ["DRIFTED", "PENDING"],
        }
    ]


def test_a_poll_without_changes_is_logged_at_debug(harness: Harness) -> None:
    """Thousands of unchanged products do not fill the log; an unusual listing is still visible."""
    harness.events.completed(unchanged())
    harness.events.completed(replace(unchanged(), listing=listing(STATUSES, anomalies={Anomaly.DUPLICATE: 1})))
    assert harness.levels() == [("poll.completed", "debug"), ("poll.completed", "info")]
    assert harness.outbox.woken == 0


def test_transitions_of_earlier_polls_are_published(harness: Harness) -> None:
    """If the state could be written again, what waited is published, although this poll found no change."""
    change = replace(UNCHANGED, earlier=CHANGE.transitions)
    harness.events.completed(replace(unchanged(), change=change))
    assert harness.outbox.woken == 1


def test_the_first_complete_poll_after_a_failure_has_the_level_of_the_failure(harness: Harness) -> None:
    """Whoever saw the failure sees its end, once."""
    for error, newly_missing in ((DENIED, False), (GONE, True), (GONE, False)):
        harness.events.failed(failed(error, newly_missing=newly_missing))
    for _ in range(2):
        harness.events.completed(unchanged())
    harness.events.failed(failed(DENIED))
    harness.events.completed(unchanged())
    assert harness.levels() == [
        ("poll.failed", "warning"),
        ("provisioned_product.missing", "error"),
        ("poll.failed", "warning"),
        ("poll.failed", "warning"),
        ("poll.completed", "error"),
        ("poll.completed", "debug"),
        ("poll.failed", "warning"),
        ("poll.completed", "warning"),
    ]


def baseline_events(harness: Harness, statuses: Mapping[InstanceKey, Status]) -> Sequence[dict[str, object]]:
    """Return the log entries of a first poll."""
    harness.events.completed(CompletedPoll(monitored(), baseline(statuses), listing(statuses), 1.0, committed=True))
    return harness.lines.entries()


def test_a_first_snapshot_is_a_baseline(harness: Harness) -> None:
    """A baseline has no transitions, so it is logged at once, before the poll."""
    first, second = baseline_events(harness, {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT})
    assert first == {
        "level": "info",
        "event": "provisioned_product.baseline",
        "message": f"The first snapshot of {BASELINE.name} ({BASELINE.id}) is stored;"
        " later changes are logged as transitions.",
        "poll_id": "poll-0",
        **PRODUCT,
        "counts": {"CURRENT": 2, "OUTDATED": 0, "INOPERABLE": 0},
    }
    assert (second["event"], second["level"], second["transitions"]) == ("poll.completed", "info", 0)
    assert "anomalies" not in second


def test_a_baseline_warns_about_instances_that_are_not_current(harness: Harness) -> None:
    """What was broken before the first start has no transition, so this event names it, the worst first."""
    statuses = STATUSES | {(THREE, US): Status.INOPERABLE}
    warning = baseline_events(harness, statuses)[0]
    assert warning == {
        "level": "warning",
        "event": "provisioned_product.baseline",
        "message": f"Of the 4 stack instances in the first snapshot of {BASELINE.name} ({BASELINE.id}), 2 are not"
        f" CURRENT: {THREE}/{US} INOPERABLE, {TWO}/{EU} OUTDATED.",
        "poll_id": "poll-0",
        **PRODUCT,
        "counts": {"CURRENT": 2, "OUTDATED": 1, "INOPERABLE": 1},
        "non_current": [
            {"account": THREE, "region": US, "status": "INOPERABLE"},
            {"account": TWO, "region": EU, "status": "OUTDATED"},
        ],
    }


def test_a_baseline_names_ten_instances(harness: Harness) -> None:
    """The others are counted: a first start during a rollout may find thousands."""
    statuses: dict[InstanceKey, Status] = {(f"{number:012d}", EU): Status.OUTDATED for number in range(4000)}
    warning = baseline_events(harness, statuses)[0]
    assert warning["non_current"] == [
        {"account": f"{number:012d}", "region": EU, "status": "OUTDATED"} for number in range(10)
    ]
    assert str(warning["message"]).endswith(f" 000000000009/{EU} OUTDATED, and 3990 more.")


def test_a_poll_that_was_not_committed_publishes_nothing(harness: Harness) -> None:
    """The event says that no transition was published."""
    harness.events.completed(completed(committed=False))
    (entry,) = harness.lines.entries()
    assert (entry["event"], entry["transitions"], harness.outbox.woken) == ("poll.completed", 0, 0)


def test_a_failed_poll_is_one_event(harness: Harness) -> None:
    """The event has the error code and message of AWS, and the age of the snapshot that is still published."""
    harness.events.failed(failed(DENIED))
    assert harness.lines.entries() == [
        {
            "level": "warning",
            "event": "poll.failed",
            "message": "User is not authorized",
            "poll_id": "poll-3",
            **PRODUCT,
            "reason": "access_denied",
            "error_code": "AccessDeniedException",
            "snapshot_age_seconds": 301.235,
            "duration_seconds": 0.5,
        }
    ]


def test_a_missing_product_is_logged_before_its_failed_poll(harness: Harness) -> None:
    """The error is one event more, once; without a snapshot the age is null."""
    harness.events.failed(replace(failed(GONE, newly_missing=True), snapshot_age=None))
    first, second = harness.lines.entries()
    assert first == {
        "level": "error",
        "event": "provisioned_product.missing",
        "message": "not there",
        "poll_id": "poll-3",
        **PRODUCT,
    }
    assert (second["event"], second["snapshot_age_seconds"]) == ("poll.failed", None)


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (ProductStatus.AVAILABLE, "info"),
        (ProductStatus.UNDER_CHANGE, "info"),
        (ProductStatus.PLAN_IN_PROGRESS, "info"),
        (ProductStatus.TAINTED, "warning"),
        (ProductStatus.ERROR, "warning"),
        (ProductStatus.UNKNOWN, "info"),
    ],
)
def test_a_product_that_changed_status_is_logged(status: ProductStatus, level: str) -> None:
    """The level is a warning if the rollout failed."""
    before = detail(ProductStatus.ERROR if status is not ProductStatus.ERROR else ProductStatus.AVAILABLE)
    transition = describe(before, None, detail(status), BASELINE, "poll-2", LATER).transition
    assert transition
    (entry,) = published(transition)
    assert entry == {
        "level": level,
        "event": "provisioned_product.transition",
        "message": f"The provisioned product {BASELINE.name} ({BASELINE.id}) changed from {before.status} to {status}.",
        "event_id": transition.event_id,
        "poll_id": "poll-2",
        **PRODUCT,
        "previous_status": before.status,
        "status": status,
        "observed_at": "2026-01-02T03:09:05.678Z",
    }


def test_a_product_that_cannot_be_described_is_logged_once(harness: Harness) -> None:
    """The message of AWS names the permission that is missing."""
    harness.events.completed(replace(unchanged(), newly_undescribed=DENIED))
    first, second = harness.lines.entries()
    assert (first["event"], first["level"], first["message"]) == (
        "provisioned_product.undescribed", "warning", "User is not authorized",
    )  # fmt: skip
    assert second["provisioned_product_status"] is None


def test_a_transition_of_a_product_is_published_although_the_poll_failed(harness: Harness) -> None:
    """If only the listing failed, the new status of the product was committed and is published."""
    description = describe(detail(), None, detail(ProductStatus.ERROR), BASELINE, "poll-3", LATER)
    harness.events.failed(replace(failed(DENIED), description=description, committed=True))
    assert harness.outbox.woken == 1


def explained(details: StackSetDetails | None, ended: Operation | None = None) -> CompletedPoll:
    """Return a poll without a change that has details."""
    change = replace(UNCHANGED, details=details)
    return CompletedPoll(monitored(), change, listing(STATUSES), 1.0, committed=True, ended_operation=ended)


def test_an_explained_transition_says_why(harness: Harness) -> None:
    """Detailed status, reason and operation are fields of the line; a line without them has no such fields."""
    why = {"detailed_status": "FAILED", "status_reason": "no quota", "operation_id": "op-1"}
    line = transition_line(
        harness.log,
        replace(CHANGE.transitions[1], detailed_status="FAILED", status_reason="no quota", operation_id="op-1"),
    )
    assert line is not None
    harness.log.writer.write(line)
    (entry,) = harness.lines.entries()
    assert {name: entry[name] for name in why} == why
    assert entry["message"].endswith("changed from CURRENT to OUTDATED (FAILED: no quota).")


def test_a_failure_of_the_details_is_logged_on_a_change_only(harness: Harness) -> None:
    """One line when they fail, one when they can be read again, each for its product."""
    failed = explained(StackSetDetails(error=DENIED))
    for poll in (failed, failed, explained(StackSetDetails()), explained(StackSetDetails()), failed, explained(None)):
        harness.events.completed(poll)
    entries = [entry for entry in harness.lines.entries() if entry["event"] != "poll.completed"]
    assert [(entry["event"], entry["level"]) for entry in entries] == [
        ("details.failed", "warning"),
        ("details.recovered", "warning"),
    ] * 2
    assert entries[0] == {
        "level": "warning",
        "event": "details.failed",
        "message": "User is not authorized",
        "poll_id": "poll-3",
        **PRODUCT,
        "reason": "access_denied",
        "error_code": "AccessDeniedException",
    }


@pytest.mark.parametrize(
    ("status", "failed", "level"), [("SUCCEEDED", 0, "info"), ("SUCCEEDED", 1, "warning"), ("STOPPED", 0, "warning")]
)
def test_the_end_of_a_rollout_has_its_counts(harness: Harness, status: str, failed: int, level: str) -> None:
    """It is a warning if the operation or one of its instances failed."""
    ended = Operation("op-1", "UPDATE", status, "tolerance exceeded", EPOCH, LATER, Progress(9, 5, failed))
    harness.events.completed(explained(StackSetDetails(operation=ended), ended))
    (entry,) = [entry for entry in harness.lines.entries() if entry["event"] == "rollout.completed"]
    assert entry == {
        "level": level,
        "event": "rollout.completed",
        "message": f"The operation UPDATE of baseline (pp-aaaaaaaaaaaaa) ended with {status} after 300.0 seconds; stack"
        f" instances succeeded: 5, failed: {failed}, not reached: {4 - failed}.",
        "poll_id": "poll-3",
        **PRODUCT,
        "operation_id": "op-1",
        "action": "UPDATE",
        "status": status,
        "instances": 9,
        "succeeded": 5,
        "failed": failed,
        "remaining": 4 - failed,
        "started_at": "2026-01-02T03:04:05.678Z",
        "ended_at": "2026-01-02T03:09:05.678Z",
        "duration_seconds": 300.0,
        "status_reason": "tolerance exceeded",
    }
