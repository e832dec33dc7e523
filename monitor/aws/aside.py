"""The deadline that a thread works under, and work on a thread beside it, which may hang without holding anybody up.

Some waits cannot be interrupted from outside: a name that is resolved, a `credential_process`, an agent that
hands out credentials. They get a thread of their own, and who needs the result waits until his deadline.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from monitor.model.deadline import Deadline

T = TypeVar("T")

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(deadline: Deadline) -> Iterator[None]:
    """Let every AWS call of this thread end with the deadline, also those that botocore makes by itself."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def current_deadline() -> Deadline | None:
    """Return the deadline that this thread works under."""
    return _deadline.get()


class _Waiter:
    """Somebody who waits; the `Line` that his deadline interrupts."""

    def __init__(self) -> None:
        self.woken = threading.Event()

    def interrupt(self) -> None:
        self.woken.set()


class Aside(Generic[T]):
    """Work under way on a thread of its own."""

    def __init__(self, work: Callable[[], T], unclaimed: Callable[[T], None] | None = None) -> None:
        """Begin. A result that nobody waits for any more is given to `unclaimed`."""
        self._work = work
        self._unclaimed = unclaimed
        self._lock = threading.Lock()
        self._waiters: list[_Waiter] = []
        self._given_up = False
        self._results: list[T] = []
        self._error: BaseException | None = None
        self.over = False
        threading.Thread(target=self._run, name="aside", daemon=True).start()

    def wait(self, deadline: Deadline) -> T:
        """Return the result or raise the error of the work, or what the deadline raises where that comes first."""
        waiter = _Waiter()
        with self._lock:
            self._waiters.append(waiter)
        try:
            with deadline.attached(waiter):
                while not self.over:
                    deadline.check()
                    waiter.woken.wait(deadline.remaining())
        except BaseException:
            self._give_up(waiter)
            raise
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits for it
            self._error = error
        with self._lock:
            self.over = True
            waiters = tuple(self._waiters)
            unwanted = self._given_up and not waiters
        for waiter in waiters:
            waiter.interrupt()
        if unwanted:
            self._dispose()

    def _give_up(self, waiter: _Waiter) -> None:
        with self._lock:
            self._waiters.remove(waiter)
            self._given_up = True
            unwanted = self.over and not self._waiters
        if unwanted:
            self._dispose()

    def _dispose(self) -> None:
        if self._unclaimed is not None:
            for result in self._results:
                self._unclaimed(result)
