"""A default timeout grows with what the product needs; a configured one does not."""

from dataclasses import replace

import pytest

from monitor.model.instances import Status
from monitor.poller.poller import Poller
from monitor.poller.protocols import StoredProduct
from tests.making import EU, listing, monitored, snapshot
from tests.poller.harness import STATUSES, Harness, completed, failed

UNCONFIGURED = replace(monitored(), adaptive_timeout=True)


def timeouts(harness: Harness) -> list[float]:
    """Return the seconds that each listing had at its begin."""
    return [e[2] for e in harness.log if isinstance(e, tuple) and e[0] == "list"]


def test_default_timeout_lets_a_large_product_complete(harness: Harness, poller: Poller) -> None:
    """100,000 instances at 8 calls a second and 5m: two polls fail and say what they need, the third completes."""
    harness.page_seconds = 0.125
    harness.answers = [listing(STATUSES, pages=5000)] * 5
    for _ in range(4):
        poller.poll(UNCONFIGURED)
    messages = [poll.error.message for poll in failed(harness)]
    assert [message.partition(";")[0] for message in messages] == [
        "the poll was not complete after 4m: it needs more than 1920 calls and AWS answered 8 a second",
        "the poll was not complete after 8m: it needs more than 3840 calls and AWS answered 8 a second",
    ]
    assert [poll.error.error_code for poll in failed(harness)] == ["DeadlineExceeded"] * 2
    assert len(completed(harness)) == 2
    assert timeouts(harness) == pytest.approx([240.0, 480.0, 960.0, 1250.0])


def test_size_of_the_last_snapshot_gives_the_timeout_after_a_restart(harness: Harness, poller: Poller) -> None:
    """A product that was polled before needs no polls that fail."""
    fleet = dict.fromkeys([(f"{n:012}", EU) for n in range(40_000)], Status.CURRENT)
    harness.stored = StoredProduct(snapshot(fleet), missing=False)
    poller.restore(UNCONFIGURED)
    harness.answers = [listing(fleet)]
    poller.poll(UNCONFIGURED)
    assert timeouts(harness) == pytest.approx([400.2])


def test_configured_timeout_does_not_grow(harness: Harness, poller: Poller) -> None:
    """Each poll says what it needs instead."""
    harness.page_seconds = 0.1
    harness.answers = [listing(STATUSES, pages=5000)] * 2
    poller.poll(monitored())
    poller.poll(monitored())
    assert timeouts(harness) == [240.0, 240.0]
    advice = "increase poll.timeout and interval: `check --aws` says to what"
    assert all(poll.error.message.endswith(advice) for poll in failed(harness))


@pytest.mark.parametrize(
    ("budget_wait", "advice"),
    [
        (0.9, "; set calls_per_second >= 21 (source default) or poll.timeout and interval >= 9m"),
        (0.0, "; set poll.timeout and interval >= 9m"),
    ],
)
def test_advice_depends_on_what_the_poll_waited_for(
    budget_wait: float, advice: str, harness: Harness, poller: Poller
) -> None:
    """100 ms a page are the budget of 10 calls a second, or AWS: then more calls a second would not help."""
    fleet = dict.fromkeys([(f"{n:012}", EU) for n in range(50_000)], Status.CURRENT)
    harness.stored = StoredProduct(snapshot(fleet), missing=False)
    harness.page_size, harness.page_seconds, harness.budget_wait = 10, 0.1, budget_wait
    harness.answers = [listing(fleet, pages=5000)]
    poller.restore(monitored())
    poller.poll(monitored())
    (poll,) = failed(harness)
    assert poll.error.message.endswith(advice)


def test_poll_that_hangs_gets_no_more_time(harness: Harness, poller: Poller) -> None:
    """More time would not have helped it."""
    harness.page_seconds = 100.0
    harness.answers = [listing(STATUSES, pages=5)] * 2
    poller.poll(UNCONFIGURED)
    harness.page_seconds = 2000.0
    poller.poll(UNCONFIGURED)
    assert timeouts(harness) == [240.0, 240.0]
    assert [poll.error.message for poll in failed(harness)] == ["the poll was not complete after 240 s"] * 2
