"""Jobs are due on a grid, late but never dropped, whatever the wall clock does."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.schedulers.blocking import BlockingScheduler
from hypothesis import given
from hypothesis import strategies as st

from monitor.schedule.scheduler import RESPONSIVE_SECONDS, PhasedInterval, PollScheduler
from monitor.schedule.workers import Job, PollJob
from tests.support import Clock, until

ONE, TWO = PollJob("pp-1"), PollJob("pp-2")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WAIT = 5.0


class Calls:
    """Records the callbacks."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.misfires: list[tuple[Job, int]] = []
        self.changed = threading.Condition()

    def due(self, job: Job) -> None:
        """Record a due job."""
        with self.changed:
            self.jobs.append(job)
            self.changed.notify_all()

    def misfired(self, job: Job, runs: int) -> None:
        """Record missed runs."""
        self.misfires.append((job, runs))

    def wait_for(self, count: int) -> bool:
        """Return whether so many jobs become due in time."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.jobs) >= count, WAIT)


@pytest.fixture
def calls() -> Calls:
    """Return a recorder."""
    return Calls()


@pytest.fixture
def scheduler() -> Iterator[PollScheduler]:
    """Return a scheduler that is not started."""
    scheduler = PollScheduler()
    yield scheduler
    scheduler.stop()


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
    scheduler.start(calls.due, calls.misfired)
    scheduler.add(ONE, 0.1)
    assert calls.wait_for(3)
    assert set(calls.jobs) == {ONE}


def test_products_that_are_added_before_the_start_are_due_at_the_start(scheduler: PollScheduler, calls: Calls) -> None:
    """One that was removed again before the start is not."""
    scheduler.add(ONE, 3600.0)
    scheduler.add(TWO, 3600.0)
    scheduler.remove(TWO)
    scheduler.start(calls.due, calls.misfired)
    assert calls.wait_for(1)
    assert calls.jobs == [ONE]


def test_the_next_run_of_a_job(scheduler: PollScheduler, calls: Calls) -> None:
    """Once a job was called back, its next run is one of the grid; a job that is not scheduled has none."""
    scheduler.add(ONE, 300.0)
    assert scheduler.next_run(TWO) is None
    scheduler.start(calls.due, calls.misfired)
    assert calls.wait_for(1)
    until(lambda: (scheduler.next_run(ONE) or NOW) > datetime.now(UTC))
    due = scheduler.next_run(ONE)
    assert due
    assert timedelta(seconds=100) < due - datetime.now(UTC) <= timedelta(seconds=450)
    assert PhasedInterval(str(ONE), 300.0).get_next_fire_time(None, due - timedelta(milliseconds=1)) == due
    scheduler.remove(ONE)
    assert scheduler.next_run(ONE) is None


def test_a_removed_product_is_due_no_more(scheduler: PollScheduler, calls: Calls) -> None:
    """After the removal nothing is called, and another product still is."""
    scheduler.start(calls.due, calls.misfired)
    scheduler.add(ONE, 0.05)
    assert calls.wait_for(1)
    scheduler.remove(ONE)
    scheduler.add(TWO, 0.05)
    before = len(calls.jobs)
    assert calls.wait_for(before + 3)
    assert set(calls.jobs[before + 1 :]) == {TWO}


def test_a_due_that_raises_is_called_again(scheduler: PollScheduler, calls: Calls) -> None:
    """Whatever goes wrong in one run, the next one happens."""
    seen = []

    def due(job: Job) -> None:
        seen.append(job)
        if len(seen) == 1:
            raise RuntimeError("once")
        calls.due(job)

    scheduler.start(due, calls.misfired)
    scheduler.add(ONE, 0.05)
    assert calls.wait_for(2)


def test_a_scheduler_that_does_not_tick_is_not_alive(calls: Calls) -> None:
    """Alive means that the heartbeat came, whatever the thread says."""
    clock = Clock(100.0)
    scheduler = PollScheduler(clock)
    assert scheduler.responsive()
    clock.now += RESPONSIVE_SECONDS
    assert not scheduler.responsive()
    scheduler._beat()
    assert scheduler.responsive()


def test_an_ended_thread_is_noticed(scheduler: PollScheduler, calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in APScheduler ends its thread; `alive` is False from then on."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    scheduler.start(calls.due, calls.misfired)
    assert scheduler.alive()
    monkeypatch.setattr(scheduler._scheduler, "_process_jobs", lambda: 1 / 0)
    scheduler._scheduler.wakeup()
    scheduler._thread.join(WAIT)
    assert not scheduler.alive()


def test_a_stop_ends_the_thread(scheduler: PollScheduler, calls: Calls) -> None:
    """No job is due after it."""
    scheduler.start(calls.due, calls.misfired)
    scheduler.stop()
    scheduler._thread.join(WAIT)
    assert not scheduler.alive()


def test_a_job_can_be_removed_twice(scheduler: PollScheduler, calls: Calls) -> None:
    """Removing a job that is not scheduled does nothing, before the start and after it."""
    scheduler.remove(ONE)
    scheduler.start(calls.due, calls.misfired)
    scheduler.add(ONE, 60.0)
    scheduler.remove(ONE)
    scheduler.remove(ONE)


def test_a_job_that_is_removed_while_the_clock_is_adjusted(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other jobs are rescheduled all the same."""
    steady, wall = Clock(100.0), Clock(1000.0)
    scheduler = PollScheduler(steady, wall)
    scheduler.start(calls.due, calls.misfired)
    scheduler.add(ONE, 60.0)
    jobs = scheduler._scheduler.get_jobs()
    scheduler.remove(ONE)
    monkeypatch.setattr(scheduler._scheduler, "get_jobs", lambda: jobs)
    wall.now += 3600.0
    assert scheduler.adjust_to_clock() == 3600.0
    scheduler.stop()


def test_jobs_that_are_added_during_the_start_are_not_lost(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """`start` returns once APScheduler has taken over the jobs from before, however long its thread takes for that."""
    begin, real_add_job = threading.Event(), BlockingScheduler._real_add_job

    def add_job(*arguments: Any) -> None:
        begin.wait(0.1)  # a busy machine; what comes meanwhile must wait
        real_add_job(*arguments)

    monkeypatch.setattr(BlockingScheduler, "_real_add_job", add_job)
    scheduler = PollScheduler()
    scheduler.add(ONE, 60.0)
    scheduler.start(calls.due, calls.misfired)
    assert scheduler._scheduler.running
    begin.set()
    scheduler.add(TWO, 60.0)
    assert calls.wait_for(2)
    assert set(calls.jobs) == {ONE, TWO}
    scheduler.stop()


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_after_a_jump_of_the_clock_polling_goes_on_within_one_interval(calls: Calls, jump: float) -> None:
    """Every run is set anew by the new time, so that none waits for an hour."""
    steady, wall = Clock(100.0), Clock(1000.0)
    scheduler = PollScheduler(steady, wall)
    scheduler.start(calls.due, calls.misfired)
    scheduler.add(ONE, 60.0)
    assert calls.wait_for(1)
    stuck = datetime.now(UTC) + timedelta(hours=1)
    scheduler._scheduler.get_job(str(ONE)).modify(next_run_time=stuck)
    assert scheduler.adjust_to_clock() == 0.0
    wall.now += jump
    assert scheduler.adjust_to_clock() == jump
    due = scheduler._scheduler.get_job(str(ONE)).next_run_time
    assert due - datetime.now(UTC) <= timedelta(seconds=60)
    assert scheduler.adjust_to_clock() == 0.0
    scheduler.stop()


def test_runs_that_did_not_take_place_are_counted(calls: Calls) -> None:
    """When nothing ran for three intervals, two runs are missing."""
    clock = Clock(100.0)
    scheduler = PollScheduler(clock)
    scheduler.start(calls.due, calls.misfired)
    scheduler._intervals[ONE] = 60.0
    for now in (100.0, 160.0, 340.0, 400.0):
        clock.now = now
        scheduler._run(ONE)
    assert calls.jobs == [ONE] * 4
    assert calls.misfires == [(ONE, 2)]
    scheduler.stop()


def test_a_product_that_was_removed_meanwhile_is_not_due(scheduler: PollScheduler, calls: Calls) -> None:
    """A run that was under way when its product went away does nothing."""
    scheduler._run(ONE)
    assert calls.jobs == []
