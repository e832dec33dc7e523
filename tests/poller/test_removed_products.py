"""A product that is removed, or removed and added again, while it is polled."""

import threading
from dataclasses import replace

import pytest

from monitor.model.diff import Change
from monitor.model.errors import PollCancelledError, PollFailedError
from monitor.model.instances import Listing, Status
from monitor.model.products import Description
from monitor.poller.poller import Poller
from monitor.poller.protocols import StoredProduct
from tests.making import BASELINE, EU, ONE, listing, monitored, snapshot
from tests.poller.harness import STATUSES, THROTTLED, Harness, changes, completed
from tests.support import until


@pytest.mark.parametrize("answer", [listing({**STATUSES, (ONE, EU): Status.INOPERABLE}), THROTTLED], ids=str)
@pytest.mark.parametrize("returns", [True, False])
def test_poll_of_a_product_that_was_removed_leaves_no_trace(
    answer: Listing | PollFailedError, returns: bool, harness: Harness, poller: Poller
) -> None:
    """Neither if it returned meanwhile: its next poll finds the transition, once and under one id."""
    harness.stored = StoredProduct(snapshot(STATUSES), missing=False)

    def remove() -> Listing:
        poller.forget(BASELINE.id)
        if returns:
            poller.restore(monitored())
        harness.log.clear()
        if isinstance(answer, PollFailedError):
            raise answer
        return answer

    poller.restore(monitored())
    harness.answers = [remove]
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    assert harness.log == []
    if returns:
        harness.answers = [listing({**STATUSES, (ONE, EU): Status.INOPERABLE})]
        poller.poll(monitored())
        assert changes(harness) == [("CURRENT", "INOPERABLE")]


def test_forget_waits_for_a_commit(harness: Harness, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it returns, nothing of the product can follow."""
    committing, forgotten, go_on = threading.Event(), threading.Event(), threading.Event()

    def commit(change: Change, description: Description | None) -> None:
        committing.set()
        assert go_on.wait(5)
        assert not forgotten.is_set()

    monkeypatch.setattr(harness, "commit", commit)
    harness.answers = [listing(STATUSES)]
    poll = threading.Thread(target=poller.poll, args=[monitored()])
    poll.start()
    assert committing.wait(5)

    def forget() -> None:
        poller.forget(BASELINE.id)
        forgotten.set()

    forgetting = threading.Thread(target=forget)
    forgetting.start()
    until(lambda: poller.snapshot_age(BASELINE.id) is None and not poller._states)
    go_on.set()
    poll.join(5)
    forgetting.join(5)
    assert forgotten.is_set()
    assert len(completed(harness)) == 1


def test_product_that_is_not_monitored_is_not_polled(harness: Harness, poller: Poller) -> None:
    """It was removed, or its source was, between becoming due and the poll."""
    poller.forget(BASELINE.id)
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    poller.restore(monitored())
    harness.log.clear()
    with pytest.raises(PollCancelledError):
        poller.poll(replace(monitored(), source="gone"))
    assert harness.log == []


def test_poll_of_a_removed_product_ends_at_the_next_page(harness: Harness, poller: Poller) -> None:
    """It spends no more calls of its source."""

    def remove() -> Listing:
        poller.forget(BASELINE.id)
        return listing(STATUSES, pages=5)

    harness.answers = [remove]
    started = harness.monotonic
    with pytest.raises(PollCancelledError):
        poller.poll(monitored())
    assert harness.monotonic - started == harness.page_seconds
