"""The events about throttling."""

from typing import Any

from monitor.daemon.sources import ThrottlingObserver
from monitor.events.names import EventName
from tests.support import Observer


class Log:
    """A log that keeps what it gets."""

    def __init__(self) -> None:
        """Begin with no entries."""
        self.entries: list[tuple[str, EventName, dict[str, Any]]] = []

    def event(self, level: str, name: EventName, **fields: Any) -> None:
        """Keep an entry."""
        self.entries.append((level, name, fields))


def test_the_start_and_the_end_of_throttling_are_logged_once() -> None:
    """The rates between are only metrics."""
    inner, log = Observer(), Log()
    observer = ThrottlingObserver("hub", inner, log)  # type: ignore[arg-type]
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
        ("warning", EventName.THROTTLED, throttled),
        ("warning", EventName.THROTTLING_ENDED, ended),
        ("warning", EventName.THROTTLED, throttled),
    ]


def test_calls_are_passed_on() -> None:
    """The metrics get all of them."""
    inner = Observer()
    observer = ThrottlingObserver("hub", inner, Log())  # type: ignore[arg-type]
    observer.attempted("Operation", 1.0)
    observer.failed("Operation", "Code")
    observer.waited(2.0)
    assert (inner.attempts, inner.errors, inner.waits) == ({"Operation": 1}, {("Operation", "Code"): 1}, [2.0])
