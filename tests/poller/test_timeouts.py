"""How long a poll may take, and what a poll that runs out of time says."""

from dataclasses import replace

import pytest

from monitor.config.settings import MonitoredProduct
from monitor.poller.timeouts import calls_of, explain_timeout, poll_timeout
from tests.making import monitored

DEFAULT = replace(monitored(), adaptive_timeout=True)


@pytest.mark.parametrize(("needed", "seconds"), [(0.0, 240.0), (240.0, 240.0), (500.0, 500.0), (1e6, 3000.0)])
def test_default_timeout_grows_to_what_is_needed(needed: float, seconds: float) -> None:
    """At least 80 % of the interval, at most ten intervals."""
    assert poll_timeout(DEFAULT, needed) == seconds


def test_configured_timeout_stays() -> None:
    """A user who sets `poll.timeout` gets it."""
    assert poll_timeout(monitored(timeout=30.0), 1e6) == 30.0


@pytest.mark.parametrize(("instances", "calls"), [(0, 2), (1, 2), (20, 2), (21, 3), (100_000, 5001)])
def test_calls_of_a_product(instances: int, calls: int) -> None:
    """One describes the product; an empty product has a page as well."""
    assert calls_of(instances) == calls


@pytest.mark.parametrize(
    ("product", "timeout", "longer", "calls", "instances", "message"),
    [
        (
            DEFAULT, 240.0, 480.0, 2304, 0,
            ("the poll was not complete after 4m: it needs more than 2304 calls and made 9.6 a second; set"
            " calls_per_second >= 20 (source default) or interval >= 10m; the next poll may take 8m"),
        ),
        (
            DEFAULT, 240.0, 480.0, 2304, 100_000,
            ("the poll was not complete after 4m: it needs about 5001 calls and made 9.6 a second; set"
            " calls_per_second >= 22 (source default) or interval >= 11m; the next poll may take 8m"),
        ),
        (
            DEFAULT, 3000.0, 3000.0, 3000, 0,
            ("the poll was not complete after 50m: it needs more than 3000 calls and made 1 a second; set"
            " interval >= 2h5m"),
        ),
        (
            monitored(timeout=60.0), 60.0, 60.0, 300, 10_000,
            ("the poll was not complete after 1m: it needs about 501 calls and made 5 a second; set"
            " calls_per_second >= 17 (source default) or poll.timeout >= 2m"),
        ),
        (
            monitored(timeout=30.0, interval=30.0), 30.0, 30.0, 18, 0,
            ("the poll was not complete after 30s: it needs more than 18 calls and made 0.6 a second; set"
            " poll.timeout and interval >= 1m"),
        ),
    ],
)  # fmt: skip
def test_timeout_says_what_the_product_needs(
    product: MonitoredProduct, timeout: float, longer: float, calls: int, instances: int, message: str
) -> None:
    """The size of the last snapshot is known, else the advice is for twice as many calls as were made."""
    assert explain_timeout(product, timeout, longer, calls, instances, 10.0) == message
