"""When products are due: on a grid, late but never dropped, and whatever the wall clock does."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.schedule.scheduler import ALIVE_SECONDS, PhasedInterval, PollScheduler

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WAIT = 5.0


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Calls:
    """Remembers what was due, and can be waited for."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.misfires: list[tuple[str, int]] = []
        self.changed = threading.Condition()

    def due(self, name: str) -> None:
        """Remember a name."""
        with self.changed:
            self.names.append(name)
            self.changed.notify_all()

    def misfired(self, name: str, runs: int) -> None:
        """Remember runs that did not take place."""
        self.misfires.append((name, runs))

    def wait_for(self, count: int) -> bool:
        """Wait until so many were due."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.names) >= count, WAIT)


@pytest.fixture
def calls() -> Calls:
    """Return somebody to call."""
    return Calls()


@pytest.fixture
def scheduler(calls: Calls) -> Iterator[PollScheduler]:
    """Return a scheduler that is not started."""
    table = PollScheduler(calls.due, calls.misfired)
    yield table
    table.stop()


intervals = st.floats(0.1, 86400.0)


@given(st.text(min_size=1), intervals, st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)))  # noqa: DTZ001
def test_runs_are_one_interval_apart(name: str, seconds: float, naive: datetime) -> None:
    """On the grid, each run follows the one before by the interval, whenever the daemon was started."""
    now = naive.replace(tzinfo=UTC)
    trigger = PhasedInterval(name, seconds)
    first = trigger.get_next_fire_time(None, now)
    second = trigger.get_next_fire_time(first, first)
    tolerance = timedelta(milliseconds=1)
    assert timedelta() < first - now <= timedelta(seconds=seconds) + tolerance
    assert abs(second - first - timedelta(seconds=seconds)) <= tolerance


def test_products_are_spread_over_the_interval() -> None:
    """A thousand products with one interval are never due at once."""
    phases = [
        (PhasedInterval(f"pp-{n}", 300.0).get_next_fire_time(None, NOW) - NOW).total_seconds() for n in range(1000)
    ]
    in_each_tenth = [sum(30 * n <= phase < 30 * (n + 1) for phase in phases) for n in range(10)]
    assert sum(in_each_tenth) == 1000
    assert all(60 < count < 140 for count in in_each_tenth)


def test_a_restart_does_not_move_the_grid() -> None:
    """The phase comes from the name alone."""
    one, two = (PhasedInterval("pp-1", 300.0).get_next_fire_time(None, NOW) for _ in range(2))
    assert one == two


def test_runs_that_were_missed_are_one_run() -> None:
    """After an hour's pause the next run is the next of the grid, not the first of twelve."""
    trigger = PhasedInterval("pp-1", 300.0)
    before = trigger.get_next_fire_time(None, NOW)
    assert trigger.get_next_fire_time(before, before + timedelta(hours=1)) > before + timedelta(hours=1)


def test_the_second_run_leaves_the_first_one_time() -> None:
    """The first run is at once and off the grid; the next comes half an interval later at the earliest."""
    for n in range(100):
        second = PhasedInterval(f"pp-{n}", 300.0).get_next_fire_time(NOW, NOW)
        assert timedelta(seconds=150) <= second - NOW <= timedelta(seconds=450)


def test_a_product_is_due_at_once_and_again(scheduler: PollScheduler, calls: Calls) -> None:
    """The real scheduler calls at the start, and at the interval."""
    scheduler.start()
    scheduler.add("pp-1", 0.1)
    assert calls.wait_for(3)
    assert set(calls.names) == {"pp-1"}


def test_a_removed_product_is_due_no_more(scheduler: PollScheduler, calls: Calls) -> None:
    """After the removal nothing is called, and another product still is."""
    scheduler.start()
    scheduler.add("pp-1", 0.05)
    assert calls.wait_for(1)
    scheduler.remove("pp-1")
    scheduler.add("pp-2", 0.05)
    before = len(calls.names)
    assert calls.wait_for(before + 3)
    assert set(calls.names[before + 1 :]) == {"pp-2"}


def test_a_due_that_raises_is_called_again(scheduler: PollScheduler, calls: Calls) -> None:
    """Whatever goes wrong in one run, the next one happens."""
    seen = []

    def due(name: str) -> None:
        seen.append(name)
        if len(seen) == 1:
            raise RuntimeError("once")
        calls.due(name)

    scheduler._due = due
    scheduler.start()
    scheduler.add("pp-1", 0.05)
    assert calls.wait_for(2)


def test_a_scheduler_that_does_not_tick_is_not_alive(calls: Calls) -> None:
    """Alive means that the heartbeat came, whatever the thread says."""
    clock = Clock(100.0)
    scheduler = PollScheduler(calls.due, calls.misfired, clock)
    assert scheduler.alive()
    clock.now += ALIVE_SECONDS
    assert not scheduler.alive()
    scheduler._on_heartbeat()
    assert scheduler.alive()


def test_a_dead_scheduler_thread_is_noticed(calls: Calls) -> None:
    """The heart beats in the scheduler's own thread: when that ends, so does the heartbeat."""
    clock = Clock(100.0)
    scheduler = PollScheduler(calls.due, calls.misfired, clock)
    scheduler.start()
    scheduler.add("pp-1", 0.05)
    assert calls.wait_for(1)
    scheduler._scheduler._event.set()
    scheduler._scheduler.shutdown(wait=True)
    clock.now += ALIVE_SECONDS
    assert not scheduler.alive()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_after_a_jump_of_the_clock_polling_goes_on_within_one_interval(calls: Calls, jump: float) -> None:
    """Every run is set anew by the new time, so that none waits for an hour."""
    steady, wall = Clock(100.0), Clock(1000.0)
    scheduler = PollScheduler(calls.due, calls.misfired, steady, wall)
    scheduler.start()
    scheduler.add("pp-1", 60.0)
    assert calls.wait_for(1)
    stuck = datetime.now(UTC) + timedelta(hours=1)
    scheduler._scheduler.get_job("poll:pp-1").modify(next_run_time=stuck)
    assert scheduler.watch_clock() == 0.0
    wall.now += jump
    assert scheduler.watch_clock() == jump
    due = scheduler._scheduler.get_job("poll:pp-1").next_run_time
    assert due - datetime.now(UTC) <= timedelta(seconds=60)
    assert scheduler.watch_clock() == 0.0
    scheduler.stop()


def test_runs_that_did_not_take_place_are_counted(calls: Calls) -> None:
    """When nothing ran for three intervals, two runs are missing."""
    clock = Clock(100.0)
    scheduler = PollScheduler(calls.due, calls.misfired, clock)
    scheduler._intervals["pp-1"] = 60.0
    for now in (100.0, 160.0, 340.0, 400.0):
        clock.now = now
        scheduler._fire("pp-1")
    assert calls.names == ["pp-1"] * 4
    assert calls.misfires == [("pp-1", 2)]


def test_a_product_that_was_removed_meanwhile_is_not_due(scheduler: PollScheduler, calls: Calls) -> None:
    """A run that was under way when its product went away does nothing."""
    scheduler._fire("pp-1")
    assert calls.names == []
