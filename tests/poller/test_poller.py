"""One poll from the listing to the events."""

from datetime import timedelta

import pytest

from monitor.model.errors import PollCancelledError, Reason
from monitor.model.instances import Anomaly, Status
from monitor.model.products import ProductStatus
from monitor.poller.poller import Poller
from monitor.poller.protocols import StoredProduct
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, listing, monitored, snapshot
from tests.poller.harness import NOT_FOUND, STATUSES, THROTTLED, Harness, completed, failed


def test_complete_poll_is_committed_before_it_is_published(harness: Harness, poller: Poller) -> None:
    """A crash at any instant leaves a transition either stored or not yet published."""
    harness.answers = [listing(STATUSES)]
    poller.poll(monitored())
    (poll,) = completed(harness)
    assert harness.log == [
        ("list", BASELINE.id, 240.0),
        ("commit", poll.change),
        ("metrics", poll),
        ("event", poll),
    ]
    assert (poll.seconds, poll.committed, poll.change.baseline) == (2.5, True, True)
    assert poll.change.snapshot == snapshot(STATUSES)


def test_each_poll_is_compared_with_the_last_snapshot(harness: Harness, poller: Poller) -> None:
    """Each poll has its own id, and its transitions have the time of the poll."""
    harness.answers = [listing(STATUSES), listing({**STATUSES, (TWO, EU): Status.CURRENT})]
    poller.poll(monitored())
    harness.wall = LATER
    poller.poll(monitored())
    first, second = (poll.change for poll in completed(harness))
    (transition,) = second.transitions
    assert (transition.key, transition.previous_status, transition.status) == (
        (TWO, EU),
        Status.OUTDATED,
        Status.CURRENT,
    )
    assert (transition.previous_since, transition.observed_at) == (EPOCH, LATER)
    assert first.poll_id != second.poll_id == transition.poll_id
    assert transition.provisioned_product_status is ProductStatus.AVAILABLE


def test_first_poll_after_a_restart_finds_what_changed_meanwhile(harness: Harness, poller: Poller) -> None:
    """The first listing is compared with the restored snapshot."""
    harness.stored = StoredProduct(snapshot(STATUSES), missing=False)
    harness.wall = LATER
    assert poller.restore(monitored())
    harness.answers = [listing({**STATUSES, (ONE, EU): Status.INOPERABLE})]
    poller.poll(monitored())
    (poll,) = completed(harness)
    assert not poll.change.baseline
    assert [t.key for t in poll.change.transitions] == [(ONE, EU)]


def test_failed_poll_keeps_the_snapshot(harness: Harness, poller: Poller) -> None:
    """Nothing is committed, the age of the snapshot is reported, and the next poll is compared with it."""
    harness.answers = [listing(STATUSES), THROTTLED, listing(STATUSES)]
    poller.poll(monitored())
    harness.monotonic += 300
    poller.poll(monitored())
    (poll,) = failed(harness)
    assert (poll.error, poll.seconds, poll.snapshot_age, poll.newly_missing) == (THROTTLED, 2.5, 302.5, False)
    poller.poll(monitored())
    assert completed(harness)[1].change.transitions == ()


def test_failed_first_poll_has_no_snapshot_age(harness: Harness, poller: Poller) -> None:
    """There is no snapshot yet."""
    harness.answers = [THROTTLED]
    poller.poll(monitored())
    assert [poll.snapshot_age for poll in failed(harness)] == [None]


def test_missing_product_is_reported_once(harness: Harness, poller: Poller) -> None:
    """After it returned, it can go missing again."""
    harness.answers = [listing(STATUSES), NOT_FOUND, NOT_FOUND, listing(STATUSES), NOT_FOUND]
    for _ in range(5):
        poller.poll(monitored())
    assert [poll.newly_missing for poll in failed(harness)] == [True, False, True]
    assert harness.log.count(("missing", BASELINE.id)) == 2
    assert completed(harness)[1].change.transitions == ()


def test_product_that_was_missing_before_a_restart_is_not_reported_again(harness: Harness, poller: Poller) -> None:
    """The store knows that it was reported."""
    harness.stored = StoredProduct(snapshot(STATUSES), missing=True)
    poller.restore(monitored())
    harness.answers = [NOT_FOUND]
    poller.poll(monitored())
    assert [poll.newly_missing for poll in failed(harness)] == [False]


def test_cancelled_poll_leaves_no_trace(harness: Harness, poller: Poller) -> None:
    """It neither completed nor failed."""
    harness.answers = [PollCancelledError()]
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    assert harness.log == [("list", BASELINE.id, 240.0)]


def test_disappearance_is_listed_again_before_it_is_accepted(harness: Harness, poller: Poller) -> None:
    """The second listing of the same poll has the instance, so nothing changed."""
    harness.answers = [listing(STATUSES), listing({(ONE, EU): Status.CURRENT}), listing(STATUSES)]
    poller.poll(monitored())
    poller.poll(monitored())
    assert harness.answers == []
    poll = completed(harness)[1]
    assert (poll.change.transitions, poll.listing.anomalies) == ((), {Anomaly.SHRINK: 1})


def test_listing_that_cannot_be_confirmed_fails_the_poll(harness: Harness, poller: Poller) -> None:
    """The disappearance is not accepted."""
    harness.answers = [listing(STATUSES), listing({}), THROTTLED]
    poller.poll(monitored())
    poller.poll(monitored())
    assert len(completed(harness)) == len(failed(harness)) == 1


def test_defect_is_published_as_a_failed_poll_and_raised(harness: Harness, poller: Poller) -> None:
    """The worker logs its traceback."""
    harness.answers = [ZeroDivisionError("division by zero")]
    with pytest.raises(ZeroDivisionError):
        poller.poll(monitored())
    assert [(poll.error.reason, poll.error.error_code) for poll in failed(harness)] == [
        (Reason.OTHER, "ZeroDivisionError")
    ]


def test_restored_snapshot_is_as_old_as_its_listing(harness: Harness, poller: Poller) -> None:
    """The age goes on with the monotonic clock, whatever the wall clock does."""
    harness.stored, harness.wall = StoredProduct(snapshot(STATUSES), missing=False), EPOCH + timedelta(minutes=10)
    poller.restore(monitored())
    assert poller.snapshot_age(BASELINE.id) == 600.0
    harness.monotonic += 60
    harness.wall -= timedelta(days=1)
    assert poller.snapshot_age(BASELINE.id) == 660.0


def test_clock_that_was_set_back_makes_no_negative_age(harness: Harness, poller: Poller) -> None:
    """A snapshot from the future is as old as one from now."""
    harness.stored = StoredProduct(snapshot(STATUSES, at=EPOCH + timedelta(hours=1)), missing=False)
    poller.restore(monitored())
    assert poller.snapshot_age(BASELINE.id) == 0.0


def test_product_without_a_complete_poll_has_no_age(poller: Poller) -> None:
    """Nor has a product that is not monitored."""
    poller.restore(monitored())
    assert (poller.snapshot_age(BASELINE.id), poller.snapshot_age("pp-other")) == (None, None)


@pytest.mark.parametrize(("age", "published"), [(3600, True), (3601, False)])
def test_stale_snapshot_is_not_published_when_it_is_restored(
    age: float, published: bool, harness: Harness, poller: Poller
) -> None:
    """The first poll is compared with it all the same."""
    harness.stored, harness.wall = StoredProduct(snapshot(STATUSES), missing=False), EPOCH + timedelta(seconds=age)
    assert poller.restore(monitored()) is published
    assert harness.log == [("metrics", "restored" if published else "stale", harness.stored)]
    harness.answers = [listing({**STATUSES, (ONE, EU): Status.INOPERABLE})]
    poller.poll(monitored())
    assert [transition.key for transition in completed(harness)[0].change.transitions] == [(ONE, EU)]


def test_snapshot_is_withdrawn_when_it_is_stale(
    harness: Harness, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before, and not while a newer one is committed; what is not monitored has nothing to withdraw."""
    assert poller.withdraw_stale(BASELINE.id) is None
    assert poller.withdraw_stale("pp-other") is None
    harness.answers = [listing(STATUSES)] * 2
    poller.poll(monitored())
    harness.monotonic += 3600
    assert poller.withdraw_stale(BASELINE.id) is None
    harness.monotonic += 1
    assert poller.withdraw_stale(BASELINE.id) == 3601
    assert harness.log[-1] == ("metrics", "withdrawn", BASELINE.id)
    checks: list[float | None] = []
    monkeypatch.setattr(harness, "commit", lambda *_: checks.append(poller.withdraw_stale(BASELINE.id)))
    poller.poll(monitored())
    assert checks == [None]
