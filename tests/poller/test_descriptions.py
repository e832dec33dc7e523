"""What a poll finds out about the product itself: its status, type and name."""

from dataclasses import replace
from datetime import timedelta

from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Product
from monitor.model.products import ProductStatus
from monitor.poller.poller import Poller
from monitor.poller.protocols import FailedPoll, StoredProduct
from tests.making import BASELINE, EPOCH, detail, listing, monitored
from tests.poller.harness import NOT_FOUND, STATUSES, THROTTLED, Harness, completed


def statuses(harness: Harness) -> list[tuple[str, str]]:
    """Return the transitions of the product itself that were written down."""
    return [
        (found.transition.previous_status, found.transition.status)
        for found in harness.described
        if found and found.transition
    ]


def test_status_change_of_a_product_is_committed_with_its_poll(poller: Poller, harness: Harness) -> None:
    """The first description is not a transition, nor is the same status again."""
    for status in (ProductStatus.AVAILABLE, ProductStatus.UNDER_CHANGE, ProductStatus.UNDER_CHANGE):
        harness.answers.append(listing(STATUSES))
        harness.description = detail(status)
        poller.poll(monitored())
    assert statuses(harness) == [("AVAILABLE", "UNDER_CHANGE")]
    shown = [poll.description.detail.status for poll in completed(harness) if poll.description]
    assert shown == ["AVAILABLE", "UNDER_CHANGE", "UNDER_CHANGE"]


def test_time_since_when_a_status_holds(poller: Poller, harness: Harness) -> None:
    """It is the time of the first poll with that status, also across a restart."""
    times = [EPOCH + timedelta(minutes=number) for number in range(4)]
    harness.stored = StoredProduct(None, missing=False, detail=detail(), status_since=times[0])
    poller.restore(monitored())
    for harness.wall, status in zip(times[1:], ("AVAILABLE", "TAINTED", "TAINTED"), strict=True):
        harness.answers.append(listing(STATUSES))
        harness.description = detail(ProductStatus(status))
        poller.poll(monitored())
    assert [found.status_since for found in harness.described if found] == [times[0], times[2], times[2]]


def test_status_is_stored_although_the_listing_fails(poller: Poller, harness: Harness) -> None:
    """The description of a failed poll is stored and published, and its transition is not repeated."""
    harness.answers = [listing(STATUSES), THROTTLED, THROTTLED, listing(STATUSES)]
    for status in (ProductStatus.AVAILABLE, *[ProductStatus.TAINTED] * 3):
        harness.description = detail(status)
        poller.poll(monitored())
    assert statuses(harness) == [("AVAILABLE", "TAINTED")]
    failed = [e[1] for e in harness.log if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert {poll.description.detail.status for poll in failed if poll.description} == {"TAINTED"}
    assert [poll.committed for poll in failed[::2]] == [True, False]


def test_instances_are_polled_without_the_permission_to_describe(poller: Poller, harness: Harness) -> None:
    """The poll completes without a status; that is reported once, and again after it was possible meanwhile."""
    denied = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "not authorized")
    harness.answers = [listing(STATUSES)] * 4
    for answer in (denied, denied, detail(), denied):
        harness.description = answer
        poller.poll(monitored())
    polls = completed(harness)[:4]
    assert [poll.description is None for poll in polls] == [True, True, False, True]
    assert [poll.newly_undescribed for poll in polls] == [denied, None, None, denied]


def test_any_other_failure_to_describe_fails_the_poll(poller: Poller, harness: Harness) -> None:
    """A product that AWS does not know or is too busy to describe is not listed."""
    for answer in (NOT_FOUND, THROTTLED):
        harness.description = answer
        poller.poll(monitored())
    failed = [e[1] for e in harness.log if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert [poll.error for poll in failed] == [NOT_FOUND, NOT_FOUND, THROTTLED, THROTTLED]
    assert [poll.newly_missing for poll in failed[::2]] == [True, False]


def test_product_of_another_type_is_not_listed(poller: Poller, harness: Harness) -> None:
    """The message names its type."""
    harness.description = detail(kind="CFN_STACK")
    poller.poll(monitored())
    (failed, _) = [e[1] for e in harness.log if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert failed.error.error_code == "NotAStackSet"
    assert "is of type CFN_STACK" in failed.error.message


def test_product_without_a_configured_name_has_the_name_at_aws(poller: Poller, harness: Harness) -> None:
    """As soon as it is known, from AWS or from the store; a configured name stays."""
    named = monitored(Product(BASELINE.id, "mine"))
    unnamed = replace(monitored(Product(BASELINE.id, BASELINE.id)), own_name=True)
    assert poller.named(unnamed).product.name == BASELINE.id
    harness.answers = [listing(STATUSES)] * 2
    poller.poll(unnamed)
    poller.poll(named)
    assert [poll.monitored.product.name for poll in completed(harness)] == ["baseline", "mine"]
    assert poller.named(unnamed).product.name == "baseline"
    poller.forget(BASELINE.id)
    harness.stored = StoredProduct(None, missing=False, detail=detail())
    poller.restore(unnamed)
    assert poller.named(unnamed).product.name == "baseline"


def test_failed_poll_keeps_the_name(poller: Poller, harness: Harness) -> None:
    """The labels of the series do not depend on the outcome of a poll."""
    unnamed = replace(monitored(Product(BASELINE.id, BASELINE.id)), own_name=True)
    harness.answers = [listing(STATUSES)]
    poller.poll(unnamed)
    denied = PollFailedError(Reason.ACCESS_DENIED, "AccessDeniedException", "not authorized")
    for answer in (THROTTLED, denied):
        harness.description = answer
        harness.answers = [THROTTLED]
        poller.poll(unnamed)
    failed = [e[1] for e in harness.log if isinstance(e, tuple) and isinstance(e[1], FailedPoll)]
    assert {poll.monitored.product.name for poll in failed} == {"baseline"}
