"""A rollout is followed to its end."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import pytest

from monitor.cli.rollout import LONGEST, SETTLE_SECONDS, SHORTEST, RolloutTimeoutError, RolloutWaiter
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing, Status
from monitor.model.products import ProductDetail, ProductStatus
from tests.making import BASELINE, EU, ONE, detail, listing

T = TypeVar("T")
CHANGING, AVAILABLE = detail(ProductStatus.UNDER_CHANGE), detail()
OUTDATED, CURRENT = listing({(ONE, EU): Status.OUTDATED}), listing({(ONE, EU): Status.CURRENT})
THROTTLED = PollFailedError(Reason.THROTTLED, "ThrottlingException", "Rate exceeded")
DENIED = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "not authorized")
GONE = PollFailedError(Reason.NOT_FOUND, "ResourceNotFoundException", "not found")


class FakeCatalog:
    """Gives prepared answers, the last of each kind for ever, and notes the calls."""

    calls_per_second = 10.0
    page_size = 20
    details = None

    def __init__(
        self, details: Sequence[ProductDetail | PollFailedError], listings: Sequence[Listing | PollFailedError]
    ) -> None:
        self.calls: list[str] = []
        self.on_list: Callable[[], None] = lambda: None
        self._details, self._listings = _repeated(details), _repeated(listings)

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return the next description."""
        self.calls.append("describe")
        return _returned(next(self._details))

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Return the next listing."""
        self.calls.append("list")
        self.on_list()
        return _returned(next(self._listings))


def _repeated(answers: Sequence[T]) -> Iterator[T]:
    yield from answers
    while True:
        yield answers[-1]


def _returned(answer: T | PollFailedError) -> T:
    if isinstance(answer, PollFailedError):
        raise answer
    return answer


class Harness:
    """A waiter whose clock moves only when it sleeps."""

    def __init__(self, catalog: FakeCatalog, timeout: float = 3600.0) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.progress: list[tuple[ProductStatus, Listing | None]] = []
        self.failures: list[PollFailedError] = []
        self.waiter = RolloutWaiter(
            catalog,
            BASELINE.id,
            timeout,
            on_progress=lambda detail, listing: self.progress.append((detail.status, listing)),
            on_failure=self.failures.append,
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_the_result_is_a_listing_after_the_rollout() -> None:
    """The last listing during the rollout may be older than its end, so it is not the result."""
    catalog = FakeCatalog([CHANGING, AVAILABLE], [OUTDATED, CURRENT])
    harness = Harness(catalog)
    assert harness.waiter.wait() == (AVAILABLE, CURRENT)
    assert catalog.calls == ["describe", "list", "describe", "list", "describe"]
    assert harness.progress == [(ProductStatus.UNDER_CHANGE, OUTDATED)]


def test_a_rollout_that_begins_during_the_listing_is_waited_for() -> None:
    """The listing may show a part of it."""
    catalog = FakeCatalog([CHANGING, AVAILABLE, CHANGING, CHANGING, AVAILABLE], [OUTDATED, OUTDATED, OUTDATED, CURRENT])
    assert Harness(catalog).waiter.wait() == (AVAILABLE, CURRENT)


def test_a_rollout_that_is_not_visible_yet_is_waited_for() -> None:
    """Without a rollout in sight, a second description some seconds later confirms that there is none."""
    idle = Harness(FakeCatalog([AVAILABLE], [CURRENT]))
    assert idle.waiter.wait() == (AVAILABLE, CURRENT)
    assert idle.slept == [SETTLE_SECONDS]
    late = Harness(FakeCatalog([AVAILABLE, CHANGING, CHANGING, AVAILABLE], [CURRENT, OUTDATED, CURRENT]))
    assert late.waiter.wait() == (AVAILABLE, CURRENT)
    assert late.progress == [(ProductStatus.UNDER_CHANGE, OUTDATED)]


def test_the_distance_between_calls_grows() -> None:
    """A short rollout is noticed within seconds, a long one costs a call a minute."""
    harness = Harness(FakeCatalog([*[CHANGING] * 80, AVAILABLE], [CURRENT]), timeout=7200.0)
    harness.waiter.wait()
    assert (harness.slept[0], harness.slept[-1]) == (SHORTEST, LONGEST)
    assert harness.slept == sorted(harness.slept)


def test_a_slow_listing_is_made_less_often_than_a_description() -> None:
    """Progress takes at most about a tenth of the time, whatever the size of the product."""
    catalog = FakeCatalog([*[CHANGING] * 60, AVAILABLE], [OUTDATED])
    harness = Harness(catalog)
    begins: list[float] = []

    def take_20_seconds() -> None:
        begins.append(harness.now)
        harness.now += 20.0

    catalog.on_list = take_20_seconds
    harness.waiter.wait()
    *during, after = begins
    assert len(during) >= 3
    assert all(later - before >= 220.0 for before, later in pairwise(during))
    assert after - during[-1] < 220.0


def test_a_failure_that_passes_is_reported_and_retried() -> None:
    """Whether it is the description or the listing that fails."""
    catalog = FakeCatalog([THROTTLED, CHANGING, AVAILABLE], [OUTDATED, THROTTLED, CURRENT])
    harness = Harness(catalog)
    assert harness.waiter.wait() == (AVAILABLE, CURRENT)
    assert harness.failures == [THROTTLED, THROTTLED]


@pytest.mark.parametrize("failure", [DENIED, GONE])
def test_a_refusal_ends_it(failure: PollFailedError) -> None:
    """A missing permission or product does not come by waiting."""
    harness = Harness(FakeCatalog([failure], [CURRENT]))
    with pytest.raises(PollFailedError) as raised:
        harness.waiter.wait()
    assert (raised.value, harness.slept) == (failure, [])


def test_a_refusal_in_the_middle_may_pass() -> None:
    """Credentials may be rotated during the wait; a product that was terminated ends it."""
    harness = Harness(FakeCatalog([CHANGING, DENIED, AVAILABLE], [CURRENT]))
    assert harness.waiter.wait() == (AVAILABLE, CURRENT)
    assert harness.failures == [DENIED]
    with pytest.raises(PollFailedError):
        Harness(FakeCatalog([CHANGING, GONE], [CURRENT])).waiter.wait()


def test_a_product_that_is_no_stack_set_ends_it() -> None:
    """It has no stack instances, and never will."""
    bucket = detail(kind="CFN_STACK")
    with pytest.raises(PollFailedError, match="of type CFN_STACK, and only those of type CFN_STACKSET"):
        Harness(FakeCatalog([bucket], [CURRENT])).waiter.wait()


@pytest.mark.parametrize("answer", [CHANGING, THROTTLED])
def test_the_timeout_ends_it(answer: ProductDetail | PollFailedError) -> None:
    """Exactly at the timeout, whether the rollout goes on or AWS does not answer."""
    harness = Harness(FakeCatalog([answer], [OUTDATED]), timeout=61.0)
    with pytest.raises(RolloutTimeoutError):
        harness.waiter.wait()
    assert harness.now == 61.0
