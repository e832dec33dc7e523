"""The scheduler: APScheduler decides when a job is due, and does nothing else."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zlib import crc32

from apscheduler.events import EVENT_SCHEDULER_STARTED
from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.base import BaseTrigger

from monitor.schedule.workers import Job

HEARTBEAT_SECONDS = 5.0
# Without a heartbeat for this long the scheduler does not run jobs any more.
RESPONSIVE_SECONDS = 30.0
START_SECONDS = 10.0
# If the wall clock and the monotonic clock differ by more since the last check, it is a jump and not a drift.
CLOCK_JUMP_SECONDS = 2.0

_HEARTBEAT = "heartbeat"


class PhasedInterval(BaseTrigger):  # type: ignore[misc]
    """Every `seconds`, at a phase of its own, as Prometheus spreads its scrapes: many jobs are never due at once.

    The phase is a hash of `key`, so that a restart does not change it. Missed runs are one run.
    """

    def __init__(self, key: str, seconds: float) -> None:
        self._seconds = seconds
        self._phase = crc32(key.encode()) / 2**32 * seconds

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next time of the grid that is after now, and half an interval after the previous time.

        The first run is off the grid; the next one must not be due while the first may still be running.
        """
        after = max(now, previous_fire_time + timedelta(seconds=self._seconds / 2)) if previous_fire_time else now
        place = math.floor((after.timestamp() - self._phase) / self._seconds) + 1
        due = datetime.fromtimestamp(place * self._seconds + self._phase, UTC)
        return due if due > after else due + timedelta(seconds=self._seconds)  # a float may round down to `after`


class PollScheduler:
    """Calls back when a job is due: at once when it is added, then at its interval. Safe to use from many threads.

    Jobs that are added before the start are due at the start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        """Create a scheduler that is not started. `clock` is monotonic, `wall` may jump; both in seconds."""
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._intervals: dict[Job, float] = {}
        self._last_runs: dict[Job, float] = {}
        self._last_heartbeat = clock()
        self._offset = wall() - clock()
        # Jobs run in the scheduler's own thread, since all they do is a callback. No grace time (the default is 1 s):
        # a late run is never dropped.
        self._scheduler = BlockingScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        # BackgroundScheduler would hide its thread, and whether that is alive must be known.
        self._thread = threading.Thread(target=self._scheduler.start, name="scheduler", daemon=True)

    def start(self, due: Callable[[Job], None], on_misfire: Callable[[Job, int], None]) -> None:
        """Call `due(job)` for each due job, and `on_misfire(job, runs)` with the number of runs that were missed.

        Both run in the scheduler's thread while it holds a lock that `add` and `remove` need: they must return at
        once, and must not wait for a thread that calls those.
        """
        self._due = due
        self._on_misfire = on_misfire
        started = threading.Event()
        self._scheduler.add_listener(lambda _: started.set(), EVENT_SCHEDULER_STARTED)
        self._scheduler.add_job(
            self._beat, PhasedInterval(_HEARTBEAT, HEARTBEAT_SECONDS), id=_HEARTBEAT, next_run_time=_now()
        )
        self._thread.start()
        # APScheduler loses a job that is added while it starts (not before).
        started.wait(START_SECONDS)

    def add(self, job: Job, interval: float) -> None:
        """Make a job due now and then every `interval` seconds, in place of its present schedule."""
        with self._lock:
            self._intervals[job] = interval
            self._last_runs.pop(job, None)
        self._scheduler.add_job(
            self._run,
            PhasedInterval(str(job), interval),
            args=(job,),
            id=str(job),
            next_run_time=_now(),
            replace_existing=True,
        )

    def remove(self, job: Job) -> None:
        """Make a job never due again; nothing happens if it is not scheduled."""
        with self._lock:
            self._intervals.pop(job, None)
            self._last_runs.pop(job, None)
        with suppress(JobLookupError):
            self._scheduler.remove_job(str(job))

    def next_run(self, job: Job) -> datetime | None:
        """Return when a job is due next, in UTC; None if it is not scheduled.

        May wait while due jobs are called back. The time is in the past until the callback of a due job has returned.
        """
        scheduled = self._scheduler.get_job(str(job))
        return getattr(scheduled, "next_run_time", None)  # APScheduler sets it when it starts

    def alive(self) -> bool:
        """Return whether the scheduler's thread is running."""
        return self._thread.is_alive()

    def responsive(self) -> bool:
        """Return whether the scheduler has run a job in the last 30 seconds."""
        return self._clock() - self._last_heartbeat < RESPONSIVE_SECONDS

    def adjust_to_clock(self) -> float:
        """Reschedule every job if the wall clock, which APScheduler uses, has jumped; return the seconds of the jump.

        0 means that there was none. After a jump back each run would wait until the clock is where it was before.
        """
        offset = self._wall() - self._clock()
        jump = offset - self._offset
        self._offset = offset
        if abs(jump) < CLOCK_JUMP_SECONDS:
            return 0.0
        for job in self._scheduler.get_jobs():
            with suppress(JobLookupError):  # it was removed meanwhile
                job.modify(next_run_time=job.trigger.get_next_fire_time(None, _now()))
        return jump

    def stop(self) -> None:
        """Stop. Does not wait for the thread, which may wait for a lock that the caller holds."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _beat(self) -> None:
        self._last_heartbeat = self._clock()

    def _run(self, job: Job) -> None:
        now = self._clock()
        with self._lock:
            interval, last_run = self._intervals.get(job), self._last_runs.get(job)
            if interval is None:  # it was removed meanwhile
                return
            self._last_runs[job] = now
        if last_run is not None and (missed := int((now - last_run) / interval) - 1) > 0:
            self._on_misfire(job, missed)
        self._due(job)


def _now() -> datetime:
    return datetime.now(UTC) - timedelta(milliseconds=1)
