"""The calls per second to a source: even spacing, and the adaptive rate under throttling."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.aws.rate_limiter import DECREASE_SECONDS, MINIMUM_CALLS_PER_SECOND, RECOVERY_SECONDS, RateLimiter
from tests.support import Clock


def test_the_first_call_is_sent_at_once_and_the_others_are_spaced_evenly() -> None:
    """Ten calls a second are one each 100 ms."""
    limiter = RateLimiter(10.0, Clock())
    assert [limiter.reserve() for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("calls_per_second", [0.5, 10.0, 1000.0])
def test_the_rate_holds_within_one_percent(calls_per_second: float) -> None:
    """A thousand calls that wait as long as the limiter says take a thousand intervals."""
    clock = Clock()
    limiter = RateLimiter(calls_per_second, clock)
    start = clock.now
    for _ in range(1001):
        clock.now += limiter.reserve()
    assert (clock.now - start) * calls_per_second == pytest.approx(1000, rel=0.01)


def test_unused_slots_do_not_add_up_to_a_burst() -> None:
    """After an idle hour the spacing is as before."""
    clock = Clock()
    limiter = RateLimiter(10.0, clock)
    limiter.reserve()
    clock.now += 3600.0
    assert [limiter.reserve() for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=50), st.floats(0.1, 1000.0))
def test_no_two_calls_are_closer_than_the_spacing(pauses: list[float], calls_per_second: float) -> None:
    """This holds for any pattern of calls."""
    clock = Clock()
    limiter = RateLimiter(calls_per_second, clock)
    slots = []
    for pause in pauses:
        clock.now += pause
        slots.append(clock.now + limiter.reserve())
    gaps = [later - earlier for earlier, later in pairwise(slots)]
    assert all(gap >= (1 / calls_per_second) * (1 - 1e-6) for gap in gaps)


def test_threads_share_one_rate() -> None:
    """Each slot is given to one call only."""
    limiter = RateLimiter(10.0, Clock())
    slots: list[float] = []
    threads = [threading.Thread(target=lambda: slots.extend(limiter.reserve() for _ in range(100))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(slots) == pytest.approx([number / 10 for number in range(800)])


def test_throttling_halves_the_rate_and_time_restores_it() -> None:
    """The rate rises by the whole configured rate a minute, and not above it."""
    clock = Clock()
    rates: list[float] = []
    limiter = RateLimiter(12.0, clock, rates.append)
    limiter.throttled()
    assert [limiter.reserve() for _ in range(2)] == pytest.approx([1 / 6, 2 / 6])
    for _ in range(3):
        clock.now += RECOVERY_SECONDS / 4
        limiter.reserve()
    assert rates == pytest.approx([12.0, 6.0, 9.0, 12.0])


def test_many_throttled_calls_at_once_lower_the_rate_once() -> None:
    """They were all sent at the old rate."""
    clock = Clock()
    rates: list[float] = []
    limiter = RateLimiter(10.0, clock, rates.append)
    for _ in range(16):
        limiter.throttled()
    assert rates == [10.0, 5.0]
    clock.now += DECREASE_SECONDS
    limiter.throttled()
    assert rates[-1] == pytest.approx((5.0 + 10.0 / RECOVERY_SECONDS) / 2)


@pytest.mark.parametrize(("configured", "minimum"), [(10.0, MINIMUM_CALLS_PER_SECOND), (0.05, 0.05)])
def test_the_rate_has_a_minimum(configured: float, minimum: float) -> None:
    """A source that is throttled for an hour is still called, and a slow source is not called faster."""
    clock = Clock()
    rates: list[float] = []
    limiter = RateLimiter(configured, clock, rates.append)
    for _ in range(3600):
        limiter.throttled()
        clock.now += DECREASE_SECONDS
    assert min(rates) >= minimum
    assert rates[-1] <= max(configured / 30, minimum)


def test_slots_that_were_reserved_under_throttling_pass_soon() -> None:
    """Sixteen workers wait for one each. The calls after them are as fast as AWS allows again."""
    clock = Clock()
    limiter = RateLimiter(10.0, clock)
    for _ in range(60):
        limiter.throttled()
        clock.now += DECREASE_SECONDS
    assert max(limiter.reserve() for _ in range(16)) < RECOVERY_SECONDS / 2


def test_details_take_only_slots_that_no_poll_waits_for() -> None:
    """A reserved slot in the future is a poll that waits; a free slot is taken, and spaced like any other call."""
    clock = Clock()
    limiter = RateLimiter(2.0, clock)
    assert [limiter.take_free_slot(), limiter.take_free_slot(), limiter.reserve()] == [0.0, 0.5, 0.5]
    clock.now += 0.5  # the slot of the poll
    assert limiter.take_free_slot() == 0.5
    clock.now += 0.5
    assert limiter.take_free_slot() == 0.0
