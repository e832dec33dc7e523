"""What tests need to let the real client meet a misbehaving AWS: a supervisor, and an observer that keeps books."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from monitor.config.settings import SourceSettings
from monitor.model.deadline import Deadline, Deadlines

TICK_SECONDS = 0.005


class Observer:
    """An `ApiObserver` that keeps books."""

    def __init__(self) -> None:
        """Begin with empty books."""
        self.attempts: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.waits: list[float] = []

    def attempted(self, operation: str, seconds: float) -> None:
        """Count."""
        assert seconds >= 0
        self.attempts[operation] += 1

    def failed(self, operation: str, code: str) -> None:
        """Count."""
        self.errors[operation, code] += 1

    def waited(self, seconds: float) -> None:
        """Keep."""
        self.waits.append(seconds)


def source_settings(
    name: str = "default", *, region: str | None = "eu-west-1", calls_per_second: float = 10_000.0, page_size: int = 20
) -> SourceSettings:
    """Return a source whose budget nobody notices."""
    return SourceSettings(name, region, calls_per_second, page_size, "en")


@contextmanager
def supervisor(deadlines: Deadlines) -> Iterator[None]:
    """Look after deadlines, as the daemon does, only more often."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(TICK_SECONDS):
            deadlines.enforce()

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def supervised(seconds: float = 30.0) -> Iterator[Deadline]:
    """Give a deadline that somebody looks after."""
    deadlines = Deadlines()
    with supervisor(deadlines), deadlines.running(seconds) as deadline:
        yield deadline


def until(true: Callable[[], object]) -> None:
    """Wait for something that happens on another thread."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)
