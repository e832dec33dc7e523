"""The monitor's own metrics as a chunk, rendered when they are scraped and cached for a moment.

prometheus_client takes 1 ms to render a small registry, and 100 ms for one with fifty sources.
"""

import threading
import time
from collections.abc import Callable

from monitor.metrics.chunk import Chunk

MIN_CACHE_SECONDS = 0.5
MAX_RENDER_SHARE = 0.1
"""A registry that takes long to render is cached longer, so that rendering takes at most this share of a processor."""


class RegistryCache:
    """Caches the rendered registry in both formats. Safe to use from several threads."""

    def __init__(self, render: Callable[[bool], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        """Cache the result of `render(openmetrics)`."""
        self._render = render
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: dict[bool, tuple[Chunk, float]] = {}

    def chunk(self, *, openmetrics: bool) -> Chunk:
        """Return the rendered registry; the same object as long as it is cached."""
        with self._lock:
            cached, expires = self._cached.get(openmetrics, (None, 0.0))
            started = self._clock()
            if cached is not None and started < expires:
                return cached
            chunk = Chunk.compress(self._render(openmetrics))
            seconds = self._clock() - started
            self._cached[openmetrics] = chunk, started + max(MIN_CACHE_SECONDS, seconds / MAX_RENDER_SHARE)
            return chunk

    def clear(self) -> None:
        """Render the registry again at the next scrape, because a change in it must be visible at once."""
        with self._lock:
            self._cached.clear()
