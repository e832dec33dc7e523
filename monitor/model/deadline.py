"""The deadline of a poll: it ends waiting, sleeping and sockets alike, whatever the server does."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from monitor.model.errors import PollCancelledError, PollFailedError, Reason


class Line(Protocol):
    """An open connection that somebody may be blocked on."""

    def interrupt(self) -> None:
        """End every blocking call on the connection, at once and from another thread."""


class Deadline:
    """The time one poll has. Belongs to the thread that polls; `enforce` and `cancel` to any other."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Let it end `seconds` from now, by a clock that only goes forward."""
        self._clock = clock
        self._seconds = seconds
        self._end = clock() + seconds
        self._over = threading.Event()
        self._cancelled = False
        self._lock = threading.Lock()
        self._lines: list[Line] = []

    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self._end - self._clock())

    def check(self) -> None:
        """Raise `PollCancelledError` after a cancel, `PollFailedError` (timeout) after the end."""
        if self._cancelled:
            raise PollCancelledError
        if not self.remaining():
            raise PollFailedError(
                Reason.TIMEOUT, "DeadlineExceeded", f"the poll was not complete after {self._seconds:g} s"
            )

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than the deadline; raise like `check` where that comes first."""
        self._over.wait(min(seconds, self.remaining()))
        self.check()

    @contextmanager
    def attached(self, line: Line) -> Iterator[None]:
        """Interrupt `line` when the deadline comes inside of this block."""
        with self._lock:
            self._lines.append(line)
            over = self._over.is_set()
        try:
            if over:
                line.interrupt()
            yield
        finally:
            with self._lock:
                self._lines.remove(line)

    def enforce(self) -> None:
        """Interrupt the poll where its time has come. Called again and again by the supervisor."""
        if not self.remaining():
            self._end_now()

    def cancel(self) -> None:
        """Interrupt the poll now, because the monitor stops."""
        self._cancelled = True
        self._end_now()

    def _end_now(self) -> None:
        self._over.set()
        with self._lock:
            lines = tuple(self._lines)
        for line in lines:
            line.interrupt()


class Deadlines:
    """All deadlines that run now, so that one supervisor can see to them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the clock that every deadline goes by."""
        self._clock = clock
        self._lock = threading.Lock()
        self._running: set[Deadline] = set()
        self._cancelled = False

    @contextmanager
    def running(self, seconds: float) -> Iterator[Deadline]:
        """Give a deadline that is looked after until the block ends."""
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

    def enforce(self) -> None:
        """Interrupt every poll whose time has come."""
        for deadline in self._all():
            deadline.enforce()

    def cancel(self) -> None:
        """Interrupt every poll, and those that begin later."""
        with self._lock:
            self._cancelled = True
        for deadline in self._all():
            deadline.cancel()

    def _all(self) -> tuple[Deadline, ...]:
        with self._lock:
            return tuple(self._running)
