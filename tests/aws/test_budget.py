"""The pace that all polls of a source share."""

import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.aws.budget import Budget


class Clock:
    """A clock that somebody sets."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.time = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.time


def test_the_first_call_goes_at_once_and_the_others_follow_at_an_even_pace() -> None:
    """Ten a second: one each 100 ms."""
    clock = Clock()
    budget = Budget(10.0, clock)
    assert [budget.take() for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("calls_per_second", [0.5, 10.0, 1000.0])
def test_the_pace_holds_within_one_percent(calls_per_second: float) -> None:
    """A thousand calls of somebody who waits as long as he is told to."""
    clock = Clock()
    budget = Budget(calls_per_second, clock)
    begun = clock.time
    for _ in range(1001):
        clock.time += budget.take()
    assert (clock.time - begun) * calls_per_second == pytest.approx(1000, rel=0.01)


def test_what_was_not_used_is_not_made_up_for() -> None:
    """After an idle hour there is no burst: AWS would throttle it."""
    clock = Clock()
    budget = Budget(10.0, clock)
    budget.take()
    clock.time += 3600.0
    assert [budget.take() for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0.0, 2.0), min_size=1, max_size=50), st.floats(0.1, 1000.0))
def test_no_two_calls_are_closer_than_the_pace(pauses: list[float], calls_per_second: float) -> None:
    """However they come."""
    clock = Clock()
    budget = Budget(calls_per_second, clock)
    places = []
    for pause in pauses:
        clock.time += pause
        places.append(clock.time + budget.take())
    gaps = [later - earlier for earlier, later in pairwise(places)]
    assert all(gap >= (1 / calls_per_second) * (1 - 1e-6) for gap in gaps)


def test_many_threads_share_one_pace() -> None:
    """Each place is given out once."""
    clock = Clock()
    budget = Budget(10.0, clock)
    places: list[float] = []
    threads = [threading.Thread(target=lambda: places.extend(budget.take() for _ in range(100))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(places) == pytest.approx([number / 10 for number in range(800)])
