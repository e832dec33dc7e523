"""The advice about calls_per_second and intervals suffices if it is followed."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.cli.call_rate import CallCost, rate_problems
from monitor.config.duration import parse_duration
from monitor.config.settings import MonitoredProduct, SourceSettings
from monitor.model.instances import Product

SOURCE = SourceSettings("hub", "eu-west-1", 10.0, 20, "en")
PRODUCT = MonitoredProduct(Product("pp-a", "a"), "hub", 300.0, 240.0, adaptive_timeout=True)
BOUNDED = settings(max_examples=200, deadline=None, derandomize=True)


def test_a_product_of_5000_pages() -> None:
    """Its 5,001 calls take more than eight minutes at ten calls a second."""
    (problem,) = rate_problems(SOURCE, [CallCost(PRODUCT, 5000, 100_000)])
    assert problem == (
        "product pp-a: its 5000 pages need 1251 calls a minute, 20.8 a second, to be read within the timeout of 4m:"
        " set calls_per_second >= 21 (source hub) or interval >= 11m"
    )


@pytest.mark.parametrize(
    ("pages", "interval", "advice"),
    [(2500, 300.0, "poll.timeout >= 5m"), (5000, 300.0, "poll.timeout and interval >= 9m")],
)
def test_a_configured_timeout_is_part_of_the_advice(pages: int, interval: float, advice: str) -> None:
    """A longer interval alone does not extend it."""
    product = replace(PRODUCT, interval=interval, adaptive_timeout=False)
    (problem,) = rate_problems(SOURCE, [CallCost(product, pages - 1, 1)])
    assert problem.endswith(f" or {advice}")


def test_pages_of_an_incomplete_listing_are_a_lower_bound() -> None:
    """The message does not claim to know how many pages there are."""
    (problem,) = rate_problems(SOURCE, [CallCost(PRODUCT, 18_000, None)])
    assert "its at least 18000 pages need" in problem


@pytest.mark.parametrize(
    ("limit", "cost", "problem"),
    [
        (
            100.0,
            CallCost(PRODUCT, 300, 6000, 300.0),
            "AWS took 5m for its 300 pages, the timeout is 4m: set interval >= 7m",
        ),
        (
            10.0,
            CallCost(PRODUCT, 2999, 60_000, 450.0, 50.0),
            (
                "its 2999 pages need 750 calls a minute, 12.5 a second, to be read within the timeout of 4m, and AWS"
                " took 6m40s for them: set interval >= 9m"
            ),
        ),
        (
            10.0,
            CallCost(PRODUCT, 2000, None, 1800.0, 1600.0),
            (
                "at least 2000 pages were listed in 30m, the timeout is 4m: set calls_per_second >= 75 (source hub) or"
                " interval >= 38m"
            ),
        ),
    ],
)
def test_a_higher_rate_is_no_advice_if_aws_is_slow(limit: float, cost: CallCost, problem: str) -> None:
    """Pages are listed one after the other: if AWS takes a second for each, a higher rate does not help."""
    source = replace(SOURCE, calls_per_second=limit)
    assert rate_problems(source, [cost, CallCost(PRODUCT, 1, 1, 0.2)]) == [f"product pp-a: {problem}"]


def test_a_listing_that_waits_for_those_of_other_products_is_no_problem() -> None:
    """`check` lists all products at once; the daemon polls them at different times."""
    assert rate_problems(SOURCE, [CallCost(PRODUCT, 100, 2000, 300.0, 290.0)] * 2) == []


@BOUNDED
@example(pages=[1, 0, 0, 1], limit=0.2, interval=10)  # 0.2 + 0.1 + 0.1 + 0.2 is more than 0.6
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=5), st.floats(0.1, 1000), st.integers(1, 7200))
def test_the_advice_suffices(pages: list[int], limit: float, interval: int) -> None:
    """With the calls_per_second, or with the interval, of each message there are no problems left."""
    source = replace(SOURCE, calls_per_second=limit)

    def problems(source: SourceSettings, interval: float) -> list[str]:
        product = replace(PRODUCT, interval=interval, timeout=interval * 0.8)
        return list(rate_problems(source, [CallCost(product, number, number) for number in pages]))

    rate, longer = limit, float(interval)
    for _ in range(2):  # the problem of the source is reported after those of its products
        advice = " ".join(problems(replace(source, calls_per_second=rate), interval))
        rate = max([rate, *map(float, re.findall(r"calls_per_second >= (\S+)", advice))])
        advice = " ".join(problems(source, longer))
        longer = max([longer, *map(parse_duration, re.findall(r"interval >= (\S+)", advice))])
    assert "calls_per_second" not in " ".join(problems(replace(source, calls_per_second=rate), interval))
    assert problems(source, longer) == []
