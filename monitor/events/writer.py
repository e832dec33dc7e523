"""Write lines to stdout in a thread of their own, so that a blocked or closed stdout blocks nothing else."""

import os
import select
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from queue import Full, Queue

# Lines that may wait for a blocked stdout; newer ones are dropped and counted.
WAITING_LINES = 10_000


class LineWriter:
    """Writes lines in the order of arrival. Safe to use from many threads."""

    def __init__(self, descriptor: int, limit: int = WAITING_LINES) -> None:
        """Write to a file descriptor, blocking or non-blocking, which is not closed."""
        self._descriptor = descriptor
        self._waiting: Queue[tuple[str, Future[bool] | None]] = Queue(limit)
        self._torn = False
        """The last write ended in the middle of a line."""
        self._lock = threading.Lock()
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def alive(self) -> bool:
        """Return whether the thread is running."""
        return self._thread.is_alive()

    @property
    def dropped(self) -> int:
        """Lines that were lost because too many were waiting or stdout was closed."""
        return self._dropped

    def write(self, line: str) -> None:
        """Queue one line and return at once."""
        try:
            self._waiting.put_nowait((f"{line}\n", None))
        except Full:
            self._count_dropped()

    def write_through(self, lines: Sequence[str]) -> bool:
        """Write lines and return when the kernel has taken them; return False if stdout is closed."""
        written: Future[bool] = Future()
        self._waiting.put(("".join(f"{line}\n" for line in lines), written))
        return written.result()

    def drain(self, timeout: float) -> bool:
        """Wait until everything is written; return False if that takes longer than `timeout` seconds."""
        end = time.monotonic() + timeout
        reached: Future[bool] = Future()
        try:
            self._waiting.put(("", reached), timeout=timeout)
            reached.result(max(0.0, end - time.monotonic()))
        except (Full, TimeoutError):
            return False
        return True

    def _run(self) -> None:
        while True:
            text, result = self._waiting.get()
            written = self._put(text)
            # The caller of `write_through` tries again; a line of `write` that was not written is lost.
            if result is not None:
                result.set_result(written)
            elif not written:
                self._count_dropped()

    def _put(self, text: str) -> bool:
        # After a torn line, on a full disk for example, the next line must not be glued to what is left of it.
        data = (b"\n" if self._torn else b"") + text.encode("utf-8", "backslashreplace")
        written = 0
        try:
            while written < len(data):
                try:
                    written += os.write(self._descriptor, memoryview(data)[written:])
                except BlockingIOError:
                    # Another process that shares the pipe may have made it non-blocking. `poll` also returns when
                    # the reader is gone, and then the next write says so.
                    waiting = select.poll()
                    waiting.register(self._descriptor, select.POLLOUT)
                    waiting.poll()
        except OSError:  # the reader is gone; the count of dropped lines is the only place left to report it
            self._torn = data[written - 1 : written] != b"\n" if written else self._torn
            return False
        self._torn = False
        return True

    def _count_dropped(self) -> None:
        with self._lock:
            self._dropped += 1
