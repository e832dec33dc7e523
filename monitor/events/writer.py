"""Lines to stdout by a thread of their own, so that a blocked or closed stdout holds up nothing else."""

import logging
import os
import threading
from collections import deque
from collections.abc import Sequence

WAITING_LINES = 10_000
"""Lines that may wait for a stdout that does not take them; newer ones are dropped and counted."""


class _Batch:
    """Lines whose writer wants to know that they were written."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = lines
        self.done = threading.Event()
        self.written = False


class LineWriter:
    """Writes lines in the order in which they came. Safe to use from many threads."""

    def __init__(self, descriptor: int, limit: int = WAITING_LINES) -> None:
        """Write to a file descriptor, which is not closed."""
        self._descriptor = descriptor
        self._limit = limit
        self._changed = threading.Condition()
        self._waiting: deque[str | _Batch] = deque()
        self._idle = True
        self.dropped = 0
        """Lines that were lost: too many waited, or stdout is closed."""
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        """Return whether the thread is running."""
        return self._thread.is_alive()

    def write(self, line: str) -> None:
        """Hand one line over; returns at once."""
        with self._changed:
            if len(self._waiting) >= self._limit:
                self.dropped += 1
                return
            self._waiting.append(line)
            self._changed.notify_all()

    def write_through(self, lines: Sequence[str]) -> bool:
        """Write lines, and return when the kernel has taken them; False where stdout is closed."""
        batch = _Batch(lines)
        with self._changed:
            self._waiting.append(batch)
            self._changed.notify_all()
        batch.done.wait()
        return batch.written

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written; False where that takes longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._idle and not self._waiting, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                self._idle = False
                item = self._waiting.popleft()
            if isinstance(item, _Batch):
                item.written = self._put("".join(f"{line}\n" for line in item.lines))
                item.done.set()
            elif not self._put(f"{item}\n"):
                self.dropped += 1

    def _put(self, text: str) -> bool:
        rest = memoryview(text.encode("utf-8", "backslashreplace"))
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:  # the reader is gone; there is no other place to say so
            return False
        return True


class LineHandler(logging.Handler):
    """Hands the lines of the standard library's logging over to a writer."""

    def __init__(self, writer: LineWriter) -> None:
        """Write what the formatter makes of a record."""
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Format and hand over; an error in that is swallowed by the contract of logging handlers."""
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - a log line that cannot be written must not end a poll
            self.handleError(record)
