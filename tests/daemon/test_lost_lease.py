"""A lease that is lost while a poll is stored or published: nothing of the poll is shown after that."""

from collections.abc import Callable

import pytest

from monitor.config.settings import SeriesOptions
from monitor.daemon.product_views import ProductViews
from monitor.daemon.publishers import Publishers
from monitor.metrics.cache import MetricsCache
from monitor.model.deadline import Deadlines
from monitor.model.diff import Change
from monitor.model.errors import PollCancelledError
from monitor.model.instances import Status
from monitor.model.products import Description
from monitor.poller.poller import Poller
from monitor.poller.protocols import CompletedPoll, FailedPoll, StateError, StoredProduct
from tests.making import BASELINE, EU, ONE, TWO, baseline, listing, monitored
from tests.poller.harness import NOT_FOUND, STATUSES, THROTTLED, Harness, Recorder, changes, completed, failed

FIRST = baseline({(ONE, EU): Status.CURRENT, (TWO, EU): Status.OUTDATED})


class Lease:
    """The lease of the product, as the test sets it."""

    def __init__(self) -> None:
        """Hold it."""
        self.held = True

    def owns(self, product_id: str) -> bool:
        """Return whether it is held."""
        return self.held


class LosingHarness(Harness):
    """A store that cannot be written, and whose error comes after the lease was lost."""

    lease: Lease

    def load(self, product_id: str) -> StoredProduct:
        """Keep the lease: the product is loaded."""
        return self.stored

    def commit(self, change: Change, description: Description | None) -> None:
        """Lose the lease, then fail."""
        self._lose()

    def save_description(self, product_id: str, description: Description) -> None:
        """Lose the lease, then fail."""
        self._lose()

    def mark_missing(self, product_id: str) -> None:
        """Lose the lease, then fail."""
        self._lose()

    def _lose(self) -> None:
        self.lease.held = False
        raise StateError("no answer")


@pytest.fixture
def lease() -> Lease:
    """Return a lease that is held."""
    return Lease()


@pytest.fixture
def views(lease: Lease) -> ProductViews:
    """Return no views yet."""
    return ProductViews(lambda _: None, owns=lease.owns)


@pytest.fixture
def metrics(lease: Lease) -> MetricsCache:
    """Return no series yet."""
    return MetricsCache(SeriesOptions(), lambda _: b"", owns=lease.owns)


@pytest.mark.parametrize("answer", [listing(STATUSES), NOT_FOUND, THROTTLED])
def test_a_poll_whose_lease_is_lost_while_it_is_stored_is_not_published(lease: Lease, answer: object) -> None:
    """The error of the store is reported; neither a series nor an event comes from the poll."""
    harness = LosingHarness()
    harness.lease = lease
    poller = Poller(
        {"default": harness},
        harness,
        Recorder("metrics", harness),
        Recorder("events", harness),
        Deadlines(lambda: harness.monotonic),
        confirm_shrink=0.5,
        stale_after=3600.0,
        on_state_error=lambda error: harness.log.append(("state error", str(error))),
        owns=lease.owns,
        clock=lambda: harness.monotonic,
    )
    poller.restore(monitored())
    harness.answers = [answer]  # type: ignore[list-item]
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    assert (completed(harness), failed(harness), changes(harness)) == ([], [], [])
    assert harness.log[-1] == ("state error", "no answer")


@pytest.mark.parametrize(
    "publish",
    [
        lambda publishers: publishers.restored(monitored(), StoredProduct(FIRST.snapshot, False), stale=False),  # noqa: FBT003
        lambda publishers: publishers.completed(poll()),
        lambda publishers: publishers.failed(failed_poll()),
    ],
    ids=["restored", "completed", "failed"],
)
def test_what_is_published_after_the_lease_was_lost_is_not_shown(
    lease: Lease, metrics: MetricsCache, views: ProductViews, publish: Callable[[Publishers], None]
) -> None:
    """The series were removed when the lease was lost: another replica may show them."""
    publishers = Publishers(metrics, views)
    publishers.completed(poll())
    assert BASELINE.id in text(metrics)
    lease.held = False
    publishers.remove(BASELINE.id)
    publish(publishers)
    publishers.update(monitored())
    metrics.configure(SeriesOptions(zero_series=False))
    assert BASELINE.id not in text(metrics)
    assert views.all() == []
    lease.held = True
    publish(publishers)
    assert BASELINE.id in text(metrics)
    assert [view.product for view in views.all()] == [BASELINE]


def text(metrics: MetricsCache) -> str:
    """Return the whole text."""
    return b"".join(metrics.exposition(openmetrics=False).text()).decode()


def poll() -> CompletedPoll:
    """Return a completed poll."""
    return CompletedPoll(monitored(), FIRST, listing(STATUSES), 2.5, committed=False)


def failed_poll() -> FailedPoll:
    """Return a failed poll."""
    return FailedPoll(monitored(), "poll-2", THROTTLED, 0.5, FIRST.snapshot.observed_at, 300.0, newly_missing=False)
