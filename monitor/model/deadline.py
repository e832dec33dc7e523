"""The deadline of a poll. Code that waits checks it at least every `CHECK_SECONDS`."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.model.errors import PollCancelledError, PollFailedError, Reason

# The longest wait, in seconds, on something that `cancel` cannot interrupt: a socket, another thread.
CHECK_SECONDS = 0.5


class Deadline:
    """The time that one poll has. `cancel` may be called from any thread."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Set the deadline to `seconds` from now, by a monotonic clock."""
        self._clock = clock
        self._seconds = seconds
        self._end = clock() + seconds
        self._cancelled = threading.Event()
        self.budget_wait = 0.0
        """Seconds that were spent waiting for the calls per second of the source."""

    def remaining(self) -> float:
        """Return the seconds left; never negative."""
        return max(0.0, self._end - self._clock())

    def check(self) -> None:
        """Return if there is time left.

        Raises:
            PollCancelledError: the deadline was cancelled.
            PollFailedError: the deadline has passed (timeout).
        """
        if self._cancelled.is_set():
            raise PollCancelledError
        if not self.remaining():
            raise PollFailedError(
                Reason.TIMEOUT, "DeadlineExceeded", f"the poll was not complete after {self._seconds:g} s"
            )

    def wait(self, seconds: float) -> None:
        """Sleep until `seconds` have passed, the deadline comes or `cancel` is called; then `check`."""
        self._cancelled.wait(min(seconds, self.remaining()))
        self.check()

    def wait_for_budget(self, seconds: float) -> None:
        """Wait like `wait`, and count the time as spent for the calls per second of the source."""
        self.budget_wait += min(seconds, self.remaining())
        self.wait(seconds)

    def cancel(self) -> None:
        """End the poll, because the monitor stops."""
        self._cancelled.set()


class Deadlines:
    """All deadlines of polls that are under way, so that a stop can cancel them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Use `clock` for every deadline."""
        self._clock = clock
        self._lock = threading.Lock()
        self._running: set[Deadline] = set()
        self._cancelled = False

    @contextmanager
    def running(self, seconds: float) -> Iterator[Deadline]:
        """Yield a deadline that `cancel` reaches until the block ends."""
        deadline = Deadline(seconds, self._clock)
        with self._lock:
            self._running.add(deadline)
            cancelled = self._cancelled
        if cancelled:
            deadline.cancel()
        try:
            yield deadline
        finally:
            with self._lock:
                self._running.discard(deadline)

    def cancel(self) -> None:
        """Cancel every poll that is under way, and every later one as soon as it begins."""
        with self._lock:
            self._cancelled = True
            running = tuple(self._running)
        for deadline in running:
            deadline.cancel()
