"""The views of products follow the poller, the product set and the scheduler, beside the metrics."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.daemon.product_views import ProductViews
from monitor.daemon.publishers import Publishers
from monitor.metrics.cache import MetricsCache
from monitor.model.accepted import Acceptance
from monitor.model.details import InstanceDetail, StackSetDetails
from monitor.model.diff import diff
from monitor.model.errors import PollFailedError, Reason, SkipReason
from monitor.model.instances import InstanceKey, Product, Snapshot, Status
from monitor.model.products import Description, ProductStatus
from monitor.model.views import PollFailure, ProductView
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, detail, listing, monitored, snapshot

FIRST = {(ONE, EU): Status.CURRENT, (TWO, EU): Status.OUTDATED}
SECOND = {(ONE, EU): Status.CURRENT}
NEXT = LATER + timedelta(minutes=5)
DESCRIBED = Description(detail(), None, EPOCH)
TAINTED = Description(detail(ProductStatus.TAINTED), None, LATER)


def completed(
    statuses: dict[InstanceKey, Status],
    before: Snapshot | None = None,
    description: Description | None = DESCRIBED,
    product: MonitoredProduct | None = None,
) -> CompletedPoll:
    """Return a poll that found these instances."""
    found = listing(statuses)
    change = diff(before, found, BASELINE, "poll-1", LATER)
    return CompletedPoll(product or monitored(), change, found, 2.5, committed=True, description=description)


def failed(reason: Reason = Reason.THROTTLED, description: Description | None = None) -> FailedPoll:
    """Return a poll that failed."""
    error = PollFailedError(reason, "Code", "A sentence.")
    return FailedPoll(monitored(), "poll-2", error, 0.5, LATER, 300.0, newly_missing=False, description=description)


@pytest.fixture
def views() -> ProductViews:
    """Return no views yet."""
    return ProductViews(lambda product_id: NEXT if product_id == BASELINE.id else None)


@pytest.fixture
def publishers(views: ProductViews) -> Publishers:
    """Publish to them and to metrics."""
    return Publishers(MetricsCache(SeriesOptions(), lambda _: b""), views)


def view(views: ProductViews) -> ProductView:
    """Return the one view."""
    (one,) = views.all()
    assert views.get(BASELINE.id) is one
    return one


def test_a_product_from_the_state(publishers: Publishers, views: ProductViews) -> None:
    """It is shown with what is stored, and with the same snapshot object: nothing is copied."""
    kept = snapshot(FIRST)
    details = StackSetDetails()
    stored = StoredProduct(kept, missing=False, detail=detail(), status_since=EPOCH, details=details)
    publishers.restored(monitored(), stored, stale=True)
    found = view(views)
    assert found == ProductView(
        BASELINE,
        "default",
        300.0,
        detail(),
        EPOCH,
        stale=True,
        polled_at=EPOCH,
        next_poll_at=NEXT,
        details=details,
    ).with_snapshot(kept)
    assert found.snapshot is kept


def test_a_missing_product_from_the_state(publishers: Publishers, views: ProductViews) -> None:
    """It has no instances, and says when they were seen last."""
    publishers.restored(
        monitored(), StoredProduct(snapshot(FIRST), missing=True, detail=detail(), status_since=EPOCH), stale=True
    )
    assert view(views) == ProductView(BASELINE, "default", 300.0, missing=True, polled_at=EPOCH, next_poll_at=NEXT)


def test_a_completed_poll(publishers: Publishers, views: ProductViews) -> None:
    """It replaces the snapshot, and ends what was wrong before."""
    publishers.failed(failed(Reason.NOT_FOUND))
    poll = completed(FIRST)
    publishers.completed(poll)
    expected = ProductView(
        BASELINE, "default", 300.0, detail(), EPOCH, polled_at=LATER, seconds=2.5, next_poll_at=NEXT
    ).with_snapshot(poll.change.snapshot)
    assert view(views) == expected
    assert view(views).non_current == ((TWO, EU),)
    publishers.completed(completed(SECOND, poll.change.snapshot, description=None))
    assert view(views).non_current == ()
    assert (view(views).detail, view(views).status_since) == (None, None)


def test_details_are_those_of_the_last_complete_poll(publishers: Publishers, views: ProductViews) -> None:
    """They stay after a failed poll, and end with a poll that has none or a product that is gone."""
    details = StackSetDetails({(TWO, EU): InstanceDetail("FAILED", "It did not work.", "operation-1")})
    poll = completed(FIRST)
    publishers.completed(replace(poll, change=replace(poll.change, details=details)))
    assert view(views).details is details
    publishers.failed(failed())
    assert view(views).details is details
    publishers.failed(failed(Reason.NOT_FOUND))
    assert view(views).details is None
    publishers.completed(completed(FIRST))
    assert view(views).details is None


def test_a_failed_poll_keeps_the_snapshot(publishers: Publishers, views: ProductViews) -> None:
    """The reason, the sentence and the time are shown beside the last snapshot and what AWS last said."""
    publishers.completed(completed(FIRST))
    before = view(views)
    publishers.failed(failed())
    failure = PollFailure(Reason.THROTTLED, "Code", "A sentence.", LATER)
    assert view(views) == replace(before, seconds=0.5, failure=failure)
    publishers.failed(failed(description=TAINTED))
    assert (view(views).status, view(views).status_since) == (ProductStatus.TAINTED, LATER)
    assert view(views).snapshot is before.snapshot


def test_a_product_that_is_gone(publishers: Publishers, views: ProductViews) -> None:
    """A poll that AWS answers with "not found" removes the instances; a later failure for another reason keeps that."""
    publishers.completed(completed(FIRST))
    publishers.failed(failed(Reason.NOT_FOUND))
    assert view(views).missing
    assert (view(views).snapshot, view(views).keys, view(views).detail) == (None, (), None)
    publishers.failed(failed(Reason.TIMEOUT))
    assert view(views).missing


def test_a_stale_snapshot_stays_visible(publishers: Publishers, views: ProductViews) -> None:
    """The metrics withdraw it; people see it with a mark, until the next complete poll."""
    poll = completed(FIRST)
    assert not publishers.withdraw(BASELINE.id)
    publishers.completed(poll)
    assert publishers.withdraw(BASELINE.id)
    assert not publishers.withdraw(BASELINE.id)
    assert view(views).stale
    assert view(views).snapshot is poll.change.snapshot
    publishers.completed(completed(SECOND, poll.change.snapshot))
    assert not view(views).stale


def test_other_settings(publishers: Publishers, views: ProductViews) -> None:
    """A changed name, interval or source is shown at once; a product that was never published stays unknown."""
    renamed = MonitoredProduct(Product(BASELINE.id, "other"), "hub", 60.0, 48.0)
    publishers.update(renamed)
    assert views.all() == []
    publishers.completed(completed(FIRST))
    before = view(views)
    publishers.update(renamed)
    publishers.skipped(renamed, SkipReason.OVERRUN)
    assert view(views) == replace(before, product=renamed.product, source="hub", interval=60.0)


def test_a_removed_product(publishers: Publishers, views: ProductViews) -> None:
    """It is not shown any more."""
    publishers.completed(completed(FIRST))
    publishers.remove(BASELINE.id)
    publishers.remove(BASELINE.id)
    assert views.all() == []
    assert views.get(BASELINE.id) is None


def test_the_next_poll_is_read_when_something_changes() -> None:
    """The scheduler is asked once a poll, and not once a request."""
    asked: list[str] = []

    def next_poll_at(product_id: str) -> datetime | None:
        asked.append(product_id)
        return None

    views = ProductViews(next_poll_at)
    views.completed(completed(FIRST))
    assert asked == [BASELINE.id]
    views.all()
    views.get(BASELINE.id)
    assert asked == [BASELINE.id]


def test_accepted_instances_follow_the_snapshot_and_the_configuration(views: ProductViews) -> None:
    """Each snapshot and each configuration decides anew what is accepted; nothing is after the last day."""
    entry = Acceptance(TWO, frozenset({Status.OUTDATED}), LATER.date(), "account is suspended")
    views.configure([entry])
    views.completed(completed(FIRST))
    assert view(views).accepted == {(TWO, EU): entry}
    views.configure([replace(entry, until=LATER.date() - timedelta(days=1))])
    assert view(views).accepted == {}
    views.configure([entry])
    views.completed(completed(SECOND))
    assert view(views).accepted == {}
