"""The events of the contract, whole entries, and the outbox that tells transitions."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from monitor.config.settings import LogFormat, LogLevel
from monitor.events.event_logger import EventLogger
from monitor.events.outbox import BATCH, Outbox
from monitor.events.setup import Log
from monitor.events.transitions import transition_level, transition_line
from monitor.model.diff import Transition, diff
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Anomaly, InstanceKey, Status
from monitor.model.products import ProductStatus, ProductTransition, describe
from monitor.poller.protocols import CompletedPoll, FailedPoll, StateError
from tests.events.capture import captured
from tests.making import BASELINE, EU, LATER, ONE, THREE, TWO, US, baseline, detail, listing, monitored

WAIT = 5.0
FLEET: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}
CHANGE = diff(
    baseline(FLEET).snapshot,
    listing({(ONE, EU): Status.INOPERABLE, (ONE, US): Status.OUTDATED, (THREE, EU): Status.CURRENT}),
    BASELINE,
    "poll-2",
    LATER,
)
PRODUCT = {"provisioned_product_id": BASELINE.id, "provisioned_product_name": BASELINE.name}


class Box:
    """A state that holds transitions, and may fail."""

    def __init__(self, transitions: Sequence[Transition] = ()) -> None:
        self.waiting = list(enumerate(transitions, 1))
        self.failing = False
        self.told = threading.Condition()

    def unpublished(self, limit: int) -> Sequence[tuple[int, Transition]]:
        """Return the oldest."""
        if self.failing:
            raise StateError("the disk is gone")
        return self.waiting[:limit]

    def mark_published(self, through: int) -> None:
        """Forget them."""
        with self.told:
            self.waiting = [entry for entry in self.waiting if entry[0] > through]
            self.told.notify_all()


class Office:
    """An outbox with what is around it."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.errors: list[str] = []
        self.log, self.lines = captured()
        self.outbox = Outbox(box, self.lines, self.render, lambda error: self.errors.append(str(error)))
        self.events = EventLogger(self.log, self.outbox)

    def render(self, transition: Transition | ProductTransition) -> str | None:
        """Make the line of a transition."""
        return transition_line(self.log, transition)


@pytest.fixture
def office() -> Iterator[Office]:
    """Return an outbox over an empty state; not started."""
    made = Office(Box())
    yield made
    made.outbox.stop(0)


def completed(*, committed: bool = True) -> CompletedPoll:
    """Return the poll that found CHANGE."""
    odd = replace(
        listing(FLEET, pages=3, anomalies={Anomaly.DUPLICATE: 2}), unknown_statuses=frozenset({"PENDING", "DRIFTED"})
    )
    return CompletedPoll(monitored(), CHANGE, odd, 1.23456, committed)


def test_transitions_are_told_with_all_their_fields(office: Office) -> None:
    """Loud where something broke, an arrival in a normal voice; null where there is no status."""
    office.box.waiting = list(enumerate(CHANGE.transitions, 1))
    office.outbox.start()
    assert office.outbox.stop(WAIT)
    common = {"event": "stack_instance.transition", "poll_id": "poll-2", **PRODUCT}
    since, at = "2026-01-02T03:04:05.678Z", "2026-01-02T03:09:05.678Z"
    ids = [t.event_id for t in CHANGE.transitions]

    def entry(level: str, place: int, key: InstanceKey, before: str | None, after: str | None) -> dict[str, object]:
        return {
            "level": level,
            **common,
            "event_id": ids[place],
            "account": key[0],
            "region": key[1],
            "previous_status": before,
            "status": after,
            "previous_since": since if before else None,
            "observed_at": at,
        }

    assert office.lines.entries() == [
        entry("error", 0, (ONE, EU), "CURRENT", "INOPERABLE"),
        entry("warning", 1, (ONE, US), "CURRENT", "OUTDATED"),
        entry("info", 2, (TWO, EU), "OUTDATED", None),
        entry("info", 3, (THREE, EU), None, "CURRENT"),
    ]
    assert office.box.waiting == []


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (Status.CURRENT, LogLevel.INFO),
        (Status.OUTDATED, LogLevel.WARNING),
        (Status.UNKNOWN, LogLevel.WARNING),
        (Status.INOPERABLE, LogLevel.ERROR),
        (None, LogLevel.INFO),
    ],
)
def test_the_level_follows_the_status(status: Status | None, level: LogLevel) -> None:
    """What a transition is to says how loud it is."""
    assert transition_level(replace(CHANGE.transitions[0], status=status)) is level


def test_a_poll_is_told_after_its_transitions(office: Office) -> None:
    """The summary has the counts, and what was odd about the listing."""
    office.outbox.start()
    office.box.waiting = list(enumerate(CHANGE.transitions, 1))
    office.events.completed(completed())
    assert office.outbox.stop(WAIT)
    *transitions, last = office.lines.entries()
    assert [entry["event"] for entry in transitions] == ["stack_instance.transition"] * 4
    assert last == {
        "level": "info",
        "event": "poll.completed",
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


def test_a_first_snapshot_is_a_baseline(office: Office) -> None:
    """There are no transitions, so it is told at once, before the poll."""
    office.events.completed(CompletedPoll(monitored(), baseline(FLEET), listing(FLEET), 1.0, committed=True))
    counts = {"CURRENT": 2, "OUTDATED": 1, "INOPERABLE": 0}
    first, second = office.lines.entries()
    assert first == {
        "level": "info", "event": "provisioned_product.baseline", "poll_id": "poll-0", **PRODUCT, "counts": counts,
    }  # fmt: skip
    assert (second["event"], second["transitions"], "anomalies" in second) == ("poll.completed", 0, False)


def test_what_could_not_be_written_down_is_not_told_yet(office: Office) -> None:
    """The poll says that it told no transitions."""
    office.events.completed(completed(committed=False))
    (entry,) = office.lines.entries()
    assert (entry["event"], entry["transitions"]) == ("poll.completed", 0)


def test_a_failed_poll_is_one_line(office: Office) -> None:
    """It says why, with AWS' own code, and how old the snapshot is that is still shown."""
    error = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "User is not authorized")
    office.events.failed(FailedPoll(monitored(), "poll-3", error, 0.5, LATER, 301.23456, newly_missing=False))
    assert office.lines.entries() == [
        {
            "level": "warning",
            "event": "poll.failed",
            "poll_id": "poll-3",
            **PRODUCT,
            "reason": "access_denied",
            "error_code": "AccessDeniedException",
            "message": "User is not authorized",
            "snapshot_age_seconds": 301.235,
            "duration_seconds": 0.5,
        }
    ]


def test_a_missing_product_is_told_before_its_failed_poll(office: Office) -> None:
    """The error is one line more, once; without a snapshot there is no age."""
    error = PollFailedError(Reason.NOT_FOUND, "ResourceNotFoundException", "not there")
    office.events.failed(FailedPoll(monitored(), "poll-3", error, 0.5, LATER, None, newly_missing=True))
    first, second = office.lines.entries()
    assert first == {
        "level": "error", "event": "provisioned_product.missing", "poll_id": "poll-3",
        "message": "not there", **PRODUCT,
    }  # fmt: skip
    assert (second["event"], second["snapshot_age_seconds"]) == ("poll.failed", None)


def test_more_than_one_batch_is_told_in_order() -> None:
    """A rollout in a large fleet is told whole."""
    many = [replace(CHANGE.transitions[0], event_id=str(n)) for n in range(2 * BATCH + 1)]
    office = Office(Box(many))
    office.outbox.start()
    assert office.outbox.stop(WAIT)
    assert [entry["event_id"] for entry in office.lines.entries()] == [str(n) for n in range(2 * BATCH + 1)]


def test_what_a_closed_stdout_did_not_take_waits_in_the_state() -> None:
    """Nothing is marked as told that nobody could read."""
    office = Office(Box(CHANGE.transitions))
    office.lines.closed = True
    office.outbox.start()
    assert office.outbox.stop(WAIT)
    assert [transition for _, transition in office.box.waiting] == list(CHANGE.transitions)
    assert office.lines.entries() == []


def test_a_state_that_cannot_be_read_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it works again, everything is told."""
    monkeypatch.setattr("monitor.events.outbox.RETRY_SECONDS", 0.01)
    office = Office(Box(CHANGE.transitions))
    office.box.failing = True
    office.outbox.start()
    with office.box.told:
        office.box.told.wait(0.05)
        assert office.errors[0] == "the disk is gone"
        office.box.failing = False
        assert office.box.told.wait_for(lambda: not office.box.waiting, WAIT)
    assert office.outbox.stop(WAIT)
    assert len(office.lines.entries()) == 4


def test_a_level_that_is_not_told_counts_as_told() -> None:
    """At log.level error the other transitions do not wait for ever."""
    office = Office(Box(CHANGE.transitions))
    office.log = Log(office.lines, LogLevel.ERROR, LogFormat.JSON)
    office.outbox.start()
    assert office.outbox.stop(WAIT)
    assert [entry["status"] for entry in office.lines.entries()] == ["INOPERABLE"]
    assert office.box.waiting == []


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
def test_a_product_that_changed_status_is_told(status: ProductStatus, level: str) -> None:
    """By way of the outbox as the transitions of its instances; loud where the rollout failed."""
    before = detail(ProductStatus.ERROR if status is not ProductStatus.ERROR else ProductStatus.AVAILABLE)
    transition = describe(before, detail(status), BASELINE, "poll-2", LATER).transition
    assert transition
    log, lines = captured()
    line = transition_line(log, transition)
    assert line
    lines.write_through([line])
    (entry,) = lines.entries()
    assert entry == {
        "level": level,
        "event": "provisioned_product.transition",
        "event_id": transition.event_id,
        "poll_id": "poll-2",
        **PRODUCT,
        "previous_status": before.status,
        "status": status,
        "observed_at": "2026-01-02T03:09:05.678Z",
    }


def test_a_product_that_may_not_be_described_is_told_once(office: Office) -> None:
    """With the code and the sentence of AWS, which names the permission that is missing."""
    denied = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "not authorized to perform: ...")
    poll = CompletedPoll(monitored(), CHANGE, listing({}), 1.0, committed=False, newly_undescribed=denied)
    office.events.completed(poll)
    first, second = office.lines.entries()
    assert (first["event"], first["level"], first["message"]) == (
        "provisioned_product.undescribed", "warning", "not authorized to perform: ...",
    )  # fmt: skip
    assert second["provisioned_product_status"] is None
