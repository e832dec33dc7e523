"""Jobs, and the workers: a fixed number of jobs at once, each job at most once, and no source with all of the workers.

The threads are daemon threads of our own. Python joins the threads of `concurrent.futures` (APScheduler's default)
when it exits, and so would wait for a server that never answers.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass

# One in so many workers is kept for sources that have less than their share.
RESERVED = 4


@dataclass(frozen=True, slots=True)
class PollJob:
    """Poll a provisioned product."""

    product_id: str


@dataclass(frozen=True, slots=True)
class DiscoveryJob:
    """Search the products of a source."""

    source: str


Job = PollJob | DiscoveryJob


class Workers:
    """Runs jobs on `count` threads: the jobs of a group in the order of submission, the groups in turn.

    A group is a source. A source that answers slowly would occupy all workers after a while, and the others would
    wait for it. So a free worker takes the group with the fewest running jobs. A group that has its share of the
    workers leaves the last quarter of them alone, as long as there are other groups.
    """

    def __init__(self, count: int, run: Callable[[Job], None], on_error: Callable[[Job, Exception], None]) -> None:
        """Start the threads. They pass what `run` raises to `on_error` and continue."""
        self._count = count
        self._run_job = run
        self._on_error = on_error
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Job]] = {}
        self._running: Counter[str] = Counter()
        self._groups: set[str] = set()
        self._pending: set[Job] = set()
        """The jobs that wait or run."""
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job, group: str) -> bool:
        """Run a job as soon as a worker is free; return False if the same job is still waiting or running."""
        with self._changed:
            if self._stopped or job in self._pending:
                return False
            self._pending.add(job)
            self._groups.add(group)
            self._waiting.setdefault(group, deque()).append(job)
            self._changed.notify()
            return True

    def retain_groups(self, groups: Collection[str]) -> None:
        """Give the share of all other groups back, until something is submitted to them again."""
        with self._changed:
            self._groups.intersection_update(groups)
            self._changed.notify_all()

    def alive(self) -> bool:
        """Return whether every thread is running."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self, timeout: float) -> bool:
        """Drop the waiting jobs and wait for the running ones; return False if one outlasts `timeout` seconds."""
        with self._changed:
            self._stopped = True
            for waiting in self._waiting.values():
                self._pending.difference_update(waiting)
            self._waiting.clear()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._pending, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                while (group := self._next_group()) is None:
                    if self._stopped:
                        return
                    self._changed.wait()
                job = self._waiting[group].popleft()
                if not self._waiting[group]:
                    del self._waiting[group]
                self._running[group] += 1
            try:
                self._run_job(job)
            except Exception as error:  # noqa: BLE001 - the next run takes place whatever this one raised
                self._on_error(job, error)
            finally:
                with self._changed:
                    self._running[group] -= 1
                    self._pending.discard(job)
                    if self._stopped:
                        self._changed.notify_all()
                    # Otherwise no other thread needs to wake up: this one takes what may run now.

    def _next_group(self) -> str | None:
        """Return the group whose turn it is, None if no waiting job may run."""
        if not self._waiting:
            return None
        group = min(self._waiting, key=self._running.__getitem__)  # among equals, the group that waits longest
        if len(self._groups) > 1 and self._running[group] >= -(-self._count // len(self._groups)):
            free = self._count - self._running.total()
            if free <= self._count // RESERVED:
                return None
        return group
