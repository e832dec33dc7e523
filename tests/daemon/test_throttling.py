"""The events about throttling."""

from monitor.daemon.sources import ThrottlingObserver
from monitor.events.names import EventName
from tests.daemon.fakes import FakeLog
from tests.support import Observer


def test_the_start_and_the_end_of_throttling_are_logged_once() -> None:
    """The rates between are only metrics."""
    inner, log = Observer(), FakeLog()
    observer = ThrottlingObserver("hub", inner, log)
    rates = [10.0, 5.0, 2.5, 6.0, 10.0, 10.0, 5.0]
    for rate in rates:
        observer.rate_limited(rate, 10.0)
    assert inner.rates == rates
    throttled = {
        "source": "hub",
        "calls_per_second": 5.0,
        "configured_calls_per_second": 10.0,
    }
    ended = {"source": "hub", "calls_per_second": 10.0}
    assert log.entries == [
        {"level": "warning", "event": EventName.THROTTLED, **throttled},
        {"level": "warning", "event": EventName.THROTTLING_ENDED, **ended},
        {"level": "warning", "event": EventName.THROTTLED, **throttled},
    ]


def test_calls_are_passed_on() -> None:
    """The metrics get all of them."""
    inner = Observer()
    observer = ThrottlingObserver("hub", inner, FakeLog())
    observer.attempted("Operation", 1.0)
    observer.failed("Operation", "Code")
    observer.waited(2.0)
    assert (inner.attempts, inner.errors, inner.waits) == ({"Operation": 1}, {("Operation", "Code"): 1}, [2.0])
