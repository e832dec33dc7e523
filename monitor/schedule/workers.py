"""The workers: a fixed number of polls under way at once, each product at most once.

The threads are daemons of our own. A pool of `concurrent.futures`, APScheduler's default, joins its
threads at exit and so would wait for a server that never answers.
"""

import threading
from collections import deque
from collections.abc import Callable


class Workers:
    """Runs `work(name)` on `count` threads, in the order in which the names came."""

    def __init__(self, count: int, work: Callable[[str], None], on_error: Callable[[str, Exception], None]) -> None:
        """Start the threads. What `work` raises is given to `on_error`; the worker goes on."""
        self._work = work
        self._on_error = on_error
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._busy: set[str] = set()
        self._stopped = False
        self._threads = [threading.Thread(target=self._run, name=f"worker-{n}", daemon=True) for n in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, name: str) -> bool:
        """Let a worker do it as soon as one is free; False where it still waits or runs from before."""
        with self._changed:
            if self._stopped or name in self._busy:
                return False
            self._busy.add(name)
            self._waiting.append(name)
            self._changed.notify()
            return True

    def stop(self, timeout: float) -> bool:
        """Take no more work and wait for what is under way; False where some of it outlasted `timeout` seconds."""
        with self._changed:
            self._stopped = True
            self._busy.difference_update(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._busy, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopped)
                if self._stopped:
                    return
                name = self._waiting.popleft()
            try:
                self._work(name)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next poll takes place
                self._on_error(name, error)
            finally:
                with self._changed:
                    self._busy.discard(name)
                    self._changed.notify_all()
