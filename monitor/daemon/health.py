"""The answers to the probes of Kubernetes."""

import time
from collections.abc import Callable
from typing import Protocol

SUPERVISOR_SECONDS = 30.0
"""The supervisor reports every second; without a report for this long it is stuck."""


class Responsive(Protocol):
    """What `/livez` asks."""

    def responsive(self) -> bool:
        """Return whether the scheduler runs jobs."""


class Readiness(Protocol):
    """What `/readyz` asks."""

    def ready(self) -> bool:
        """Return whether every product was restored or polled once."""


class Health:
    """Answers `/livez` and `/readyz`."""

    def __init__(
        self,
        scheduler: Responsive,
        product_set: Readiness,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Probe these parts; `clock` is monotonic."""
        self._scheduler = scheduler
        self._product_set = product_set
        self._clock = clock
        self._last_report = clock()

    def report(self) -> None:
        """Note that the supervisor works."""
        self._last_report = self._clock()

    def alive(self) -> bool:
        """Return whether the scheduler and the supervisor work."""
        return self._scheduler.responsive() and self._clock() - self._last_report < SUPERVISOR_SECONDS

    def ready(self) -> bool:
        """Return whether every product was restored or polled once; never False again after that."""
        return self._product_set.ready()
