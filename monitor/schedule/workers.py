"""The workers: a fixed number of polls under way at once, each product at most once, and no source with all of them.

The threads are daemons of our own. A pool of `concurrent.futures`, APScheduler's default, joins its
threads at exit and so would wait for a server that never answers.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable

RESERVED = 4
"""A quarter of the workers is kept for sources that have less than their share."""


class Workers:
    """Runs `work(name)` on `count` threads: names of a group in the order in which they came, groups in turn.

    A source that answers slowly would have all workers after a while, and the others would wait for it. So a
    free worker goes to the group that has the fewest, and one that has more than its share already leaves the
    last quarter of the workers alone, as long as there are other groups.
    """

    def __init__(self, count: int, work: Callable[[str], None], on_error: Callable[[str, Exception], None]) -> None:
        """Start the threads. What `work` raises is given to `on_error`; the worker goes on."""
        self._count = count
        self._work = work
        self._on_error = on_error
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[str]] = {}
        self._running: Counter[str] = Counter()
        self._groups: set[str] = set()
        self._busy: set[str] = set()
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, name: str, group: str = "") -> bool:
        """Let a worker do it as soon as one is free; False where it still waits or runs from before."""
        with self._changed:
            if self._stopped or name in self._busy:
                return False
            self._busy.add(name)
            self._groups.add(group)
            self._waiting.setdefault(group, deque()).append(name)
            self._changed.notify()
            return True

    def stop(self, timeout: float) -> bool:
        """Take no more work and wait for what is under way; False where some of it outlasted `timeout` seconds."""
        with self._changed:
            self._stopped = True
            for waiting in self._waiting.values():
                self._busy.difference_update(waiting)
            self._waiting.clear()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._busy, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                while (group := self._next()) is None:
                    if self._stopped:
                        return
                    self._changed.wait()
                name = self._waiting[group].popleft()
                if not self._waiting[group]:
                    del self._waiting[group]
                self._running[group] += 1
            try:
                self._work(name)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next poll takes place
                self._on_error(name, error)
            finally:
                with self._changed:
                    self._running[group] -= 1
                    self._busy.discard(name)
                    if self._stopped:
                        self._changed.notify_all()
                    # Else nobody has to wake up: what may begin now is begun by this worker itself.

    def _next(self) -> str | None:
        """Return the group whose turn it is, None where there is none."""
        if not self._waiting:
            return None
        group = min(self._waiting, key=self._running.__getitem__)  # of equals, the one that waits longest
        if len(self._groups) > 1 and self._running[group] >= -(-self._count // len(self._groups)):
            free = self._count - self._running.total()
            if free <= self._count // RESERVED:
                return None
        return group
