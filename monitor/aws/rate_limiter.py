"""The calls per second to one source, shared by all its polls, and lowered while AWS throttles."""

import threading
import time
from collections.abc import Callable

# As botocore's adaptive mode. Every worker may hold a slot that was reserved at the lowest rate, and sixteen of them
# are over half a minute after AWS has stopped throttling.
MINIMUM_CALLS_PER_SECOND = 0.5
DECREASE_FACTOR = 0.5
# Throttled responses within this time of a decrease do not count: their requests were sent at the old rate.
DECREASE_SECONDS = 1.0
# The time in which the rate rises from zero to the configured one.
RECOVERY_SECONDS = 60.0


class RateLimiter:
    """Spaces calls evenly, and adapts the rate by additive increase and multiplicative decrease (AIMD).

    A throttled response halves the rate. From then on the rate rises evenly, by the whole configured rate
    a minute. This needs no feedback from successful calls: if AWS still throttles, the rate is halved again.

    Each call takes the next free slot, and a poll asks for one page at a time: a product with 5,000 pages
    takes every other slot while a product with two pages takes those between.
    """

    def __init__(
        self,
        calls_per_second: float,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Allow the first call at once. `on_change` gets the first rate and each new one."""
        self._configured = calls_per_second
        self._minimum = min(MINIMUM_CALLS_PER_SECOND, calls_per_second)
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._lowered = calls_per_second
        self._lowered_at = clock() - DECREASE_SECONDS
        self._next_slot = clock()
        self._reported = 0.0
        self._update_rate(clock())

    def reserve(self) -> float:
        """Take the next slot; return the seconds until it."""
        with self._lock:
            now = self._clock()
            slot = max(now, self._next_slot)
            self._next_slot = slot + 1.0 / self._update_rate(now)
            return slot - now

    @property
    def lowered(self) -> bool:
        """Whether the rate is below the configured one, because AWS throttled calls."""
        return self._reported < self._configured

    def take_free_slot(self) -> float:
        """Take a slot that is free now and return 0; else return the seconds until the next one may be free."""
        with self._lock:
            now = self._clock()
            if self._next_slot > now:
                return self._next_slot - now
            self._next_slot = now + 1.0 / self._update_rate(now)
            return 0.0

    def throttled(self) -> None:
        """Lower the rate, because AWS throttled a call."""
        with self._lock:
            now = self._clock()
            if now - self._lowered_at < DECREASE_SECONDS:
                return
            self._lowered = max(self._minimum, self._update_rate(now) * DECREASE_FACTOR)
            self._lowered_at = now
            self._next_slot = max(self._next_slot, now + 1.0 / self._update_rate(now))

    def _update_rate(self, now: float) -> float:
        risen = self._configured * (now - self._lowered_at) / RECOVERY_SECONDS
        rate = min(self._configured, self._lowered + risen)
        if rate != self._reported:
            self._reported = rate
            self._on_change(rate)
        return rate
