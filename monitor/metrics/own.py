"""The monitor's own metrics, rendered beside the scrapes.

prometheus_client takes a millisecond for a small registry and a tenth of a second for one with many sources,
which is more than all the rest of a scrape. So it is rendered once in a while by a thread that has the time; a
scrape takes what is there.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from monitor.metrics.pieces import Section, part, piece

FRESH_SECONDS = 2.0
"""Older than this, nobody seems to refresh it: then a scrape renders it by itself."""
PERIOD_SECONDS = 0.5
SHARE = 0.02
"""Of one processor, at most, for refreshing."""
WANTED_SECONDS = 300.0
"""For so long after a scrape its format is refreshed."""


@dataclass(frozen=True, slots=True)
class _Rendered:
    section: Section
    at: float
    good_for: float


class OwnMetrics:
    """The text of the registry in both formats, at most a moment old. Safe to use from many threads."""

    def __init__(self, render: Callable[[bool], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        """Show what `render(openmetrics)` returns."""
        self._render = render
        self._clock = clock
        self._lock = threading.Lock()
        self._rendered: dict[bool, _Rendered] = {}
        self._asked: dict[bool, float] = {}

    def section(self, *, openmetrics: bool) -> Section:
        """Return the text, ready to be sent."""
        now = self._clock()
        self._asked[openmetrics] = now
        rendered = self._rendered.get(openmetrics)
        if rendered is None or now - rendered.at > rendered.good_for + FRESH_SECONDS:
            rendered = self._anew(openmetrics)
        return rendered.section

    def refresh(self) -> None:
        """Render what is asked for, where it is time."""
        now = self._clock()
        for openmetrics, asked in list(self._asked.items()):
            rendered = self._rendered.get(openmetrics)
            if now - asked <= WANTED_SECONDS and (rendered is None or now - rendered.at >= rendered.good_for):
                self._anew(openmetrics)

    def outdated(self) -> None:
        """Have the next scrape render it: something happened that must be seen at once."""
        with self._lock:
            self._rendered = {}

    def _anew(self, openmetrics: bool) -> _Rendered:  # noqa: FBT001 - as `render` has it
        with self._lock:
            begun = self._clock()
            section = Section([part([piece(self._render(openmetrics))])])
            good_for = max(PERIOD_SECONDS, (self._clock() - begun) / SHARE)
            rendered = self._rendered[openmetrics] = _Rendered(section, begun, good_for)
            return rendered
