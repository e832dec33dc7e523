"""The budget of calls to one source: an even pace that all its polls share."""

import threading
import time
from collections.abc import Callable


class Budget:
    """Hands out places on a time line, `calls_per_second` of them a second.

    Each call takes the next free place, and a poll asks for one page at a time: a product with
    5,000 pages takes every other place while one with two pages takes the ones between.
    """

    def __init__(self, calls_per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Allow the first call at once."""
        self._gap = 1.0 / calls_per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()

    def take(self) -> float:
        """Take a place; return the seconds to wait for it."""
        with self._lock:
            now = self._clock()
            place = max(now, self._next)
            self._next = place + self._gap
            return place - now
