"""The scheduler: APScheduler says when a product is due, and does nothing else."""

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zlib import crc32

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

HEARTBEAT_SECONDS = 5.0
ALIVE_SECONDS = 30.0
"""Without a heartbeat for this long the scheduler does not tick any more."""
CLOCK_JUMP_SECONDS = 2.0
"""The wall clock against the steady one: more than this since the last look is a jump, not a drift."""

_HEARTBEAT = "heartbeat"


class PhasedInterval(BaseTrigger):  # type: ignore[misc]
    """Every `seconds`, at a phase of its own, as Prometheus spreads its scrapes: many products are never due at once.

    The phase comes from the name, so a restart does not move it. Runs that were missed are one run.
    """

    def __init__(self, name: str, seconds: float) -> None:
        """Take the phase from a hash of the name."""
        self._seconds = seconds
        self._phase = crc32(name.encode()) / 2**32 * seconds

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """Return the next time of the grid that is after now, and half an interval after the time before.

        The first run is off the grid; the next one must not come while it may still be under way.
        """
        after = max(now, previous_fire_time + timedelta(seconds=self._seconds / 2)) if previous_fire_time else now
        place = math.floor((after.timestamp() - self._phase) / self._seconds) + 1
        due = datetime.fromtimestamp(place * self._seconds + self._phase, UTC)
        return due if due > after else due + timedelta(seconds=self._seconds)  # a float may round down to `after`


class PollScheduler:
    """Calls `due(name)` for each name at its interval. `due` must return at once: it runs in the scheduler."""

    def __init__(
        self,
        due: Callable[[str], None],
        on_misfire: Callable[[str, int], None],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Tell `on_misfire(name, runs)` of the runs that did not take place because nothing ran."""
        self._due = due
        self._on_misfire = on_misfire
        self._clock = clock
        self._wall = wall
        self._lock = threading.Lock()
        self._intervals: dict[str, float] = {}
        self._fired: dict[str, float] = {}
        self._beat = clock()
        self._offset = wall() - clock()
        # The jobs only hand names over, so they run in the scheduler's own thread; no grace time:
        # a run that is late takes place late, and is never dropped.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            daemon=True,
        )

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.add_job(
            self._on_heartbeat, PhasedInterval(_HEARTBEAT, HEARTBEAT_SECONDS), id=_HEARTBEAT, next_run_time=_now()
        )
        self._scheduler.start()

    def add(self, name: str, interval: float) -> None:
        """Let a name be due now, and from then on every `interval` seconds."""
        with self._lock:
            self._intervals[name] = interval
            self._fired.pop(name, None)
        self._scheduler.add_job(
            self._fire,
            PhasedInterval(name, interval),
            args=(name,),
            id=f"poll:{name}",
            next_run_time=_now(),
            replace_existing=True,
        )

    def remove(self, name: str) -> None:
        """Let a name be due no more."""
        with self._lock:
            self._intervals.pop(name, None)
            self._fired.pop(name, None)
        self._scheduler.remove_job(f"poll:{name}")

    def alive(self) -> bool:
        """Say whether the scheduler ticks."""
        return self._clock() - self._beat < ALIVE_SECONDS

    def watch_clock(self) -> float:
        """Look for a jump of the wall clock, which APScheduler goes by; return its seconds, or 0.

        After a jump back every run would wait until the clock is where it was: they are set anew.
        """
        offset = self._wall() - self._clock()
        jump = offset - self._offset
        self._offset = offset
        if abs(jump) < CLOCK_JUMP_SECONDS:
            return 0.0
        for job in self._scheduler.get_jobs():
            job.modify(next_run_time=job.trigger.get_next_fire_time(None, _now()))
        return jump

    def stop(self) -> None:
        """Stop ticking; does not wait, since a job that adds a job would wait for it in turn."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _on_heartbeat(self) -> None:
        self._beat = self._clock()

    def _fire(self, name: str) -> None:
        now = self._clock()
        with self._lock:
            interval, before = self._intervals.get(name), self._fired.get(name)
            self._fired[name] = now
        if interval is None:
            return
        if before is not None and (missed := int((now - before) / interval) - 1) > 0:
            self._on_misfire(name, missed)
        self._due(name)


def _now() -> datetime:
    return datetime.now(UTC) - timedelta(milliseconds=1)
