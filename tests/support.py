"""Helpers of tests with the real client."""

import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

import pytest

from monitor.config.settings import SourceSettings


class Clock:
    """A clock that a test sets; in seconds."""

    def __init__(self, now: float = 100.0) -> None:
        """Begin at an arbitrary time."""
        self.now = now

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Observer:
    """An `ApiObserver` that records."""

    def __init__(self) -> None:
        """Begin without records."""
        self.attempts: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.waits: list[float] = []
        self.rates: list[float] = []

    def attempted(self, operation: str, seconds: float) -> None:
        """Record."""
        assert seconds >= 0
        self.attempts[operation] += 1

    def failed(self, operation: str, code: str) -> None:
        """Record."""
        self.errors[operation, code] += 1

    def waited(self, seconds: float) -> None:
        """Record."""
        self.waits.append(seconds)

    def rate_limited(self, calls_per_second: float, configured: float) -> None:
        """Record."""
        assert 0 < calls_per_second <= configured
        self.rates.append(calls_per_second)


def source_settings(
    name: str = "default", *, region: str | None = "eu-west-1", calls_per_second: float = 10_000.0, page_size: int = 20
) -> SourceSettings:
    """Return a source without a noticeable rate limit."""
    return SourceSettings(name, region, calls_per_second, page_size, "en")


def free_port() -> int:
    """Return a port of 127.0.0.1 that was just free."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def until(true: Callable[[], object]) -> None:
    """Wait until a condition on another thread is true."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def missing(what: str, remedy: str = "") -> NoReturn:
    """Skip the test because a program is not installed; where nothing may be missing, fail instead."""
    if os.environ.get("STACKSET_MONITOR_NO_SKIPS"):
        pytest.fail(f"{what} is not installed{remedy}")
    pytest.skip(f"needs {what}, which is not installed{remedy}")
