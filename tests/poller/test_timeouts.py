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


@pytest.mark.parametrize(
    ("instances", "page_size", "calls"),
    [(0, 20, 2), (1, 20, 2), (20, 20, 2), (21, 20, 3), (21, 5, 6), (100_000, 20, 5001)],
)
def test_calls_of_a_product(instances: int, page_size: int, calls: int) -> None:
    """One describes the product; an empty product has a page as well."""
    assert calls_of(instances, page_size) == calls


BUDGET, AWS = 0.9, 0.0
"""The share of a poll that is spent waiting for calls_per_second, if that or if AWS limits it."""


@pytest.mark.parametrize(
    ("product", "timeout", "longer", "calls", "needed", "limit", "message"),
    [
        (
            DEFAULT, 240.0, 480.0, 2304, None, BUDGET,
            ("the poll was not complete after 4m: it needs more than 2304 calls and made 9.6 a second; increase"
            " calls_per_second (source default) or interval: `check --aws` says to what; the next poll may take 8m"),
        ),
        (
            DEFAULT, 240.0, 480.0, 2304, None, AWS,
            ("the poll was not complete after 4m: it needs more than 2304 calls and AWS answered 9.6 a second; increase"
            " interval: `check --aws` says to what; the next poll may take 8m"),
        ),
        (
            DEFAULT, 240.0, 480.0, 2304, 5001, BUDGET,
            ("the poll was not complete after 4m: it needs about 5001 calls and made 9.6 a second; set"
            " calls_per_second >= 22 (source default) or interval >= 11m; the next poll may take 8m"),
        ),
        (
            DEFAULT, 240.0, 480.0, 2304, 5001, AWS,
            ("the poll was not complete after 4m: it needs about 5001 calls and AWS answered 9.6 a second; set"
            " interval >= 11m; the next poll may take 8m"),
        ),
        (  # AWS alone takes 125 ms a call, of which 240 s are enough for 1920
            DEFAULT, 240.0, 480.0, 960, 1920, 0.5,
            ("the poll was not complete after 4m: it needs about 1920 calls and AWS answered 4 a second; set"
            " calls_per_second >= 20 (source default) or interval >= 10m; the next poll may take 8m"),
        ),
        (
            DEFAULT, 240.0, 480.0, 960, 1921, 0.5,
            ("the poll was not complete after 4m: it needs about 1921 calls and AWS answered 4 a second; set"
            " interval >= 11m; the next poll may take 8m"),
        ),
        (  # the rate that the product needs with its share of the source is more than the configuration allows
            DEFAULT, 3000.0, 3000.0, 300, 5001, BUDGET,
            ("the poll was not complete after 50m: it needs about 5001 calls and made 0.1 a second; set"
            " interval >= 17h22m"),
        ),
        (
            monitored(timeout=60.0), 60.0, 60.0, 300, 501, BUDGET,
            ("the poll was not complete after 1m: it needs about 501 calls and made 5 a second; set"
            " calls_per_second >= 17 (source default) or poll.timeout >= 1m41s"),
        ),
        (
            monitored(timeout=30.0, interval=30.0), 30.0, 30.0, 18, 36, AWS,
            ("the poll was not complete after 30s: it needs about 36 calls and AWS answered 0.6 a second; set"
            " poll.timeout and interval >= 1m"),
        ),
        (
            monitored(timeout=30.0, interval=30.0), 30.0, 30.0, 18, None, AWS,
            ("the poll was not complete after 30s: it needs more than 18 calls and AWS answered 0.6 a second; increase"
            " poll.timeout and interval: `check --aws` says to what"),
        ),
    ],
)  # fmt: skip
def test_timeout_says_what_the_product_needs(
    product: MonitoredProduct, timeout: float, longer: float, calls: int, needed: int | None, limit: float, message: str
) -> None:
    """A higher budget is advice only if it helps, and numbers are given if the size of the product is known."""
    assert message == explain_timeout(
        product,
        timeout=timeout,
        next_timeout=longer,
        calls=calls,
        needed=needed,
        budget_wait=limit * timeout,
        calls_per_second=10.0,
    )
