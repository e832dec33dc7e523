"""Polls while the store cannot be read or written: nothing is lost, and the order of transitions stays."""

import pytest

from monitor.model.instances import Status
from monitor.model.products import ProductStatus
from monitor.poller.poller import Poller
from monitor.poller.protocols import StateError, StoredProduct
from tests.making import EU, ONE, TWO, detail, listing, monitored, snapshot
from tests.poller.harness import NOT_FOUND, STATUSES, THROTTLED, Harness, changes, completed, failed


def test_transitions_that_cannot_be_committed_are_committed_later_in_order(harness: Harness, poller: Poller) -> None:
    """While the disk is full the metrics are right; what changed and changed back is not lost."""
    broken = {**STATUSES, (ONE, EU): Status.INOPERABLE}
    harness.answers = [
        listing(now) for now in (STATUSES, broken, STATUSES, STATUSES, {**STATUSES, (TWO, EU): Status.CURRENT})
    ]
    poller.poll(monitored())
    harness.disk_full = True
    for status in (ProductStatus.UNDER_CHANGE, ProductStatus.AVAILABLE, ProductStatus.AVAILABLE):
        harness.description = detail(status)
        poller.poll(monitored())
    assert changes(harness) == []
    harness.disk_full = False
    poller.poll(monitored())
    assert changes(harness) == [
        ("AVAILABLE", "UNDER_CHANGE"),
        ("CURRENT", "INOPERABLE"),
        ("UNDER_CHANGE", "AVAILABLE"),
        ("INOPERABLE", "CURRENT"),
        ("OUTDATED", "CURRENT"),
    ]
    polls = completed(harness)
    assert [poll.committed for poll in polls] == [True, False, False, False, True]
    assert polls[1].change.snapshot.states[ONE, EU].status is Status.INOPERABLE
    assert len({transition.event_id for transition in harness.transitions}) == 5
    assert polls[4].change.instance_transitions[-1:] == polls[4].change.transitions
    assert harness.log.count(("state error", "disk full")) == 3


def test_baseline_that_cannot_be_committed_has_no_transitions(harness: Harness, poller: Poller) -> None:
    """What changes after it is a transition, and is committed together with it."""
    harness.answers = [listing(STATUSES), listing({**STATUSES, (ONE, EU): Status.INOPERABLE})]
    harness.disk_full = True
    poller.poll(monitored())
    harness.disk_full = False
    poller.poll(monitored())
    assert [poll.change.baseline for poll in completed(harness)] == [True, False]
    assert changes(harness) == [("CURRENT", "INOPERABLE")]


def test_too_many_uncommitted_transitions_become_their_net_change(
    harness: Harness, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for days does not fill the memory; the difference to the last commit is not lost."""
    monkeypatch.setattr("monitor.poller.product_state.MAX_UNCOMMITTED", 2)
    first, second = {**STATUSES, (ONE, EU): Status.INOPERABLE}, {**STATUSES, (TWO, EU): Status.INOPERABLE}
    harness.answers = [listing(now) for now in (STATUSES, first, second, second)]
    poller.poll(monitored())
    harness.disk_full = True
    harness.description = detail(ProductStatus.ERROR)
    poller.poll(monitored())
    poller.poll(monitored())
    harness.disk_full = False
    poller.poll(monitored())
    assert changes(harness) == [("AVAILABLE", "ERROR"), ("OUTDATED", "INOPERABLE")]


def test_status_of_a_failed_poll_waits_behind_earlier_transitions(harness: Harness, poller: Poller) -> None:
    """The order of the log is that of the polls, also if the disk has room again."""
    harness.answers = [
        listing(STATUSES),
        listing({**STATUSES, (ONE, EU): Status.INOPERABLE}),
        THROTTLED,
        listing(STATUSES),
    ]
    poller.poll(monitored())
    harness.disk_full = True
    poller.poll(monitored())
    harness.disk_full, harness.description = False, detail(ProductStatus.ERROR)
    poller.poll(monitored())
    assert changes(harness) == []
    poller.poll(monitored())
    assert changes(harness) == [("CURRENT", "INOPERABLE"), ("AVAILABLE", "ERROR"), ("INOPERABLE", "CURRENT")]


def test_state_that_could_not_be_read_is_read_again_by_the_next_poll(harness: Harness, poller: Poller) -> None:
    """Else a baseline would replace the stored snapshot, and what changed meanwhile would never be logged."""
    harness.stored, harness.disk_unreadable = StoredProduct(snapshot(STATUSES), missing=False), True
    with pytest.raises(StateError):
        poller.restore(monitored())
    harness.disk_unreadable = False
    harness.answers = [listing({**STATUSES, (ONE, EU): Status.INOPERABLE})]
    poller.poll(monitored())
    assert changes(harness) == [("CURRENT", "INOPERABLE")]


def test_product_is_polled_although_the_state_cannot_be_read(harness: Harness, poller: Poller) -> None:
    """Monitoring goes on without it, and each poll says so."""
    harness.disk_unreadable = True
    with pytest.raises(StateError):
        poller.restore(monitored())
    harness.answers = [listing(STATUSES)]
    poller.poll(monitored())
    assert completed(harness)[0].change.baseline
    assert ("state error", "cannot read") in harness.log


def test_nothing_replaces_a_stored_snapshot_that_was_not_read(harness: Harness, poller: Poller) -> None:
    """A state that can be written again but was not read when the poll began keeps its snapshot; no change is lost."""
    harness.stored, harness.disk_unreadable = StoredProduct(snapshot(STATUSES), missing=False, detail=detail()), True
    with pytest.raises(StateError):
        poller.restore(monitored())
    broken = {**STATUSES, (ONE, EU): Status.INOPERABLE}
    harness.answers = [listing(now) for now in (STATUSES, broken)]
    harness.answers += [THROTTLED, listing(STATUSES), listing(broken)]
    for status in (ProductStatus.AVAILABLE, ProductStatus.AVAILABLE, ProductStatus.ERROR, ProductStatus.ERROR):
        harness.description = detail(status)
        poller.poll(monitored())
    assert not any(entry[0] == "commit" for entry in harness.log if isinstance(entry, tuple))
    assert harness.described == []
    harness.disk_unreadable = False
    poller.poll(monitored())
    assert changes(harness) == [("AVAILABLE", "ERROR"), ("CURRENT", "INOPERABLE")]


def test_missing_product_is_reported_although_the_disk_is_full(harness: Harness, poller: Poller) -> None:
    """It is published even if it cannot be stored."""
    harness.disk_full = True
    harness.answers = [NOT_FOUND]
    poller.poll(monitored())
    assert [poll.newly_missing for poll in failed(harness)] == [True]
    assert ("state error", "disk full") in harness.log
