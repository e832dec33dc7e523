"""What a poll finds out from CloudFormation: it explains a snapshot, and never changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.deadline import Deadline
from monitor.model.details import (
    EXPLAINING_STATUSES,
    InstanceDetail,
    Operation,
    Progress,
    StackSetDetails,
    ended_operation,
)
from monitor.model.diff import diff, explained
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from monitor.model.instances import InstanceKey, Status
from monitor.model.products import ProductStatus
from monitor.poller.details import MAX_AGE, MAX_SECONDS
from monitor.poller.poller import Poller
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, detail, listing, monitored, snapshot
from tests.poller.harness import Harness, completed, failed

CURRENT: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT}
BROKEN = CURRENT | {(ONE, EU): Status.OUTDATED}
WHY = InstanceDetail("FAILED", "no quota", "op-1")
DENIED = PollFailedError(Reason.ACCESS_DENIED, "AccessDenied", "not authorized")


def operation(
    status: str = "SUCCEEDED",
    *,
    name: str = "op-1",
    started_at: datetime = EPOCH,
    ended_at: datetime | None = EPOCH,
) -> Operation:
    """Return an operation of two instances."""
    return Operation(name, "UPDATE", status, "", started_at, ended_at, Progress(2, 2, 0))


@dataclass
class CloudFormation:
    """Answers with the same details each time, or fails."""

    answer: StackSetDetails | Exception = field(
        default_factory=lambda: StackSetDetails({(ONE, EU): WHY}, {"DRIFTED": 1})
    )
    calls: list[tuple[str, str, float]] = field(default_factory=list)

    def read(
        self, product_id: str, account: str, statuses: Mapping[InstanceKey, Status], deadline: Deadline
    ) -> StackSetDetails:
        """Record the call and answer."""
        self.calls.append((product_id, account, deadline.remaining()))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def poll(poller: Poller, harness: Harness, *fleets: Mapping[InstanceKey, Status]) -> list[StackSetDetails | None]:
    """Poll one fleet after the other; return the details that were published."""
    for fleet in fleets:
        harness.answers.append(listing(fleet))
        poller.poll(monitored())
    return [found.details for found in completed(harness)][-len(fleets) :]


def test_a_transition_carries_its_reason(poller: Poller, harness: Harness) -> None:
    """The stored transition has detailed status, reason and operation; one to CURRENT has none."""
    harness.details = CloudFormation()
    poll(poller, harness, CURRENT, BROKEN, CURRENT)
    broken, recovered = harness.transitions
    assert (broken.status, recovered.status) == ("OUTDATED", "CURRENT")
    assert [getattr(broken, name) for name in ("detailed_status", "status_reason", "operation_id")] == [
        "FAILED", "no quota", "op-1"
    ]  # fmt: skip
    assert [getattr(recovered, name) for name in ("detailed_status", "status_reason", "operation_id")] == [None] * 3


def test_a_source_without_details_has_none(poller: Poller, harness: Harness) -> None:
    """It is the default."""
    assert poll(poller, harness, BROKEN) == [None]


def test_details_are_read_if_there_is_something_to_explain(poller: Poller, harness: Harness) -> None:
    """The first time, while an instance is not CURRENT, during and after a change of the product, and once an hour."""
    aws = harness.details = CloudFormation(StackSetDetails(operation=operation()))
    calls = []
    for fleet, description, seconds in (
        (CURRENT, detail(), 0.0),
        (CURRENT, detail(), 0.0),
        (BROKEN, detail(), 0.0),
        (CURRENT, detail(), 0.0),
        (CURRENT, detail(ProductStatus.UNDER_CHANGE), 0.0),
        (CURRENT, detail(), 0.0),
        (CURRENT, detail(), 0.0),
        (CURRENT, replace(detail(), provisioning_artifact_id="pa-2"), 0.0),
        (CURRENT, replace(detail(), provisioning_artifact_id="pa-2"), 0.0),
        (CURRENT, replace(detail(), provisioning_artifact_id="pa-2"), MAX_AGE + 1),
    ):
        harness.description = description
        harness.monotonic += seconds
        poll(poller, harness, fleet)
        calls.append(len(aws.calls))
    assert calls == [1, 1, 2, 2, 3, 4, 4, 5, 5, 6]
    aws.answer = StackSetDetails(operation=operation("RUNNING", ended_at=None))
    harness.monotonic += MAX_AGE + 1
    poll(poller, harness, CURRENT, CURRENT, CURRENT)
    assert len(aws.calls) == 9


def test_what_is_known_stays_while_nothing_is_asked(poller: Poller, harness: Harness) -> None:
    """The last rollout and the drift are shown although every instance is CURRENT again."""
    harness.details = CloudFormation(StackSetDetails({(ONE, EU): WHY}, {"DRIFTED": 1}, operation()))
    assert poll(poller, harness, BROKEN, CURRENT, CURRENT)[2] == StackSetDetails({}, {"DRIFTED": 1}, operation())


def test_a_failure_costs_the_details_and_not_the_poll(poller: Poller, harness: Harness) -> None:
    """The poll is complete; the last reasons of instances that did not change stay, with the error."""
    aws = harness.details = CloudFormation()
    changed = BROKEN | {(TWO, EU): Status.INOPERABLE}
    poll(poller, harness, BROKEN)
    aws.answer = DENIED
    assert poll(poller, harness, changed) == [StackSetDetails({(ONE, EU): WHY}, {"DRIFTED": 1}, error=DENIED)]
    assert poll(poller, harness, changed | {(ONE, EU): Status.INOPERABLE}) == [
        StackSetDetails({}, {"DRIFTED": 1}, error=DENIED)
    ]
    aws.answer = StackSetDetails()
    assert poll(poller, harness, changed) == [StackSetDetails()]
    assert harness.transitions[0].observed_at == EPOCH


def test_a_defect_costs_the_details_and_not_the_poll(poller: Poller, harness: Harness) -> None:
    """The poll is complete with the last reasons, and then the defect is raised, to be logged with its traceback."""
    aws = harness.details = CloudFormation()
    poll(poller, harness, BROKEN)
    aws.answer = defect = AttributeError("'str' object has no attribute 'get'")
    with pytest.raises(AttributeError) as caught:
        poll(poller, harness, BROKEN)
    assert caught.value is defect
    assert failed(harness) == []
    found = completed(harness)[-1].details
    assert found is not None
    assert found.instances == {(ONE, EU): WHY}
    assert found.error is not None
    assert (found.error.reason, found.error.error_code) == (Reason.OTHER, "AttributeError")
    aws.answer = StackSetDetails()
    assert poll(poller, harness, BROKEN) == [StackSetDetails()]


def test_a_stop_ends_the_reading_and_the_poll(poller: Poller, harness: Harness) -> None:
    """Nothing is committed or published."""
    harness.details = CloudFormation(PollCancelledError())
    with pytest.raises(PollCancelledError):
        poll(poller, harness, BROKEN)
    assert harness.log == [("list", BASELINE.id, 240.0)]


def test_the_details_have_a_deadline_of_their_own(poller: Poller, harness: Harness) -> None:
    """It is at most 30 seconds, and no longer than that of the poll; the message says so."""
    aws = harness.details = CloudFormation(PollFailedError(Reason.TIMEOUT, "DeadlineExceeded", "the poll was not ..."))
    harness.page_seconds = 230.0
    (found,) = poll(poller, harness, BROKEN)
    harness.page_seconds = 1.0
    poll(poller, harness, BROKEN)
    assert [seconds for _, _, seconds in aws.calls] == [10.0, MAX_SECONDS]
    assert found is not None
    assert found.error is not None
    assert found.error.message == "the details were not complete after 10s: DeadlineExceeded"


def test_the_end_of_a_rollout_is_published_once(poller: Poller, harness: Harness) -> None:
    """An operation that was under way has ended; one that ended between two polls has as well."""
    aws = harness.details = CloudFormation()
    answers = [
        operation("RUNNING", ended_at=None),
        operation("FAILED", ended_at=LATER),
        operation("FAILED", ended_at=LATER),
        operation(name="op-2", started_at=LATER, ended_at=LATER + timedelta(minutes=8)),
        operation(name="op-2", started_at=LATER, ended_at=LATER + timedelta(minutes=8)),
    ]
    for number, answer in enumerate(answers):
        harness.wall = EPOCH + timedelta(minutes=5 * number)
        aws.answer = StackSetDetails(operation=answer)
        poll(poller, harness, BROKEN)
    published = [found.ended_operation for found in completed(harness)]
    assert [found and (found.id, found.status) for found in published] == [
        None, ("op-1", "FAILED"), None, ("op-2", "SUCCEEDED"), None
    ]  # fmt: skip


def test_the_end_of_a_rollout_is_published_after_polls_without_details(poller: Poller, harness: Harness) -> None:
    """It ended while the details could not be read, or were not, because every instance was CURRENT: once, later."""
    aws = harness.details = CloudFormation(StackSetDetails(operation=operation()))
    second, third = (
        operation(name=f"op-{number}", started_at=EPOCH + timedelta(minutes=5 * number), ended_at=ended_at)
        for number, ended_at in ((2, EPOCH + timedelta(minutes=12)), (5, EPOCH + timedelta(minutes=26)))
    )
    answers: list[StackSetDetails | Exception] = [
        aws.answer, DENIED, DENIED, DENIED, StackSetDetails(operation=second), StackSetDetails(operation=third)
    ]  # fmt: skip
    for number, answer in enumerate([*answers, answers[-1], answers[-1]]):
        harness.wall = EPOCH + timedelta(minutes=5 * number)
        harness.monotonic += MAX_AGE / 2 + 1 if number > 4 else 300
        aws.answer = answer
        poll(poller, harness, BROKEN if number < 4 else CURRENT)
    published = [found.ended_operation for found in completed(harness)]
    assert published == [None, None, None, None, second, None, third, None]


def test_an_operation_before_the_known_one_is_no_news() -> None:
    """A later response that shows an older operation, as an eventually consistent API may, ends nothing again."""
    known = StackSetDetails(operation=operation(name="op-2", started_at=LATER, ended_at=LATER))
    assert ended_operation(known, StackSetDetails(operation=operation()), EPOCH - timedelta(hours=1)) is None


def test_an_old_operation_is_no_news() -> None:
    """What ended before the first poll, or before a restart and was seen then, is not published."""
    now = StackSetDetails(operation=operation(ended_at=EPOCH))
    assert ended_operation(None, now, None) is None
    assert ended_operation(None, now, LATER) is None
    assert ended_operation(StackSetDetails(), now, LATER) is None
    assert ended_operation(now, now, EPOCH - timedelta(hours=1)) is None
    assert ended_operation(None, StackSetDetails(), EPOCH) is None
    assert ended_operation(None, now, EPOCH - timedelta(hours=1)) == now.operation


KEYS = st.sampled_from([(account, region) for account in (ONE, TWO) for region in ("a", "b", "c")])
FLEETS = st.dictionaries(KEYS, st.sampled_from(Status))
DETAILS = st.dictionaries(KEYS, st.builds(InstanceDetail, st.sampled_from(EXPLAINING_STATUSES), st.text(max_size=5)))


@given(FLEETS, FLEETS, DETAILS)
def test_details_change_neither_a_status_nor_a_transition(
    before: dict[InstanceKey, Status], now: dict[InstanceKey, Status], found: dict[InstanceKey, InstanceDetail]
) -> None:
    """Whatever CloudFormation says, only the three fields of an explanation differ."""
    change = diff(snapshot(before), listing(now), BASELINE, "poll-1", LATER)
    with_reasons = explained(change, StackSetDetails(found))
    assert with_reasons.snapshot is change.snapshot
    assert with_reasons.previous is change.previous
    assert change.transitions == tuple(
        replace(one, detailed_status=None, status_reason=None, operation_id=None) for one in with_reasons.transitions
    )
    for one in with_reasons.transitions:
        said = found.get(one.key) if one.status not in (None, Status.CURRENT) else None
        assert (one.detailed_status, one.status_reason) == (
            (said.detailed_status, said.reason) if said else (None, None)
        )
