"""`rate_limit`: a token bucket, as exporter-toolkit has it."""

import time
from collections.abc import Callable


class Bucket:
    """Lets `burst` requests through at once, and after them one each `interval` seconds."""

    def __init__(self, interval: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin full."""
        self._interval = interval
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Say whether one more request may come in."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) / self._interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
