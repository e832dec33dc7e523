"""Work on a background thread, for waits that have no timeout of their own, and the deadline of the current thread.

A name lookup, a `credential_process` and a TLS handshake cannot be interrupted. They run on a thread of their own;
the poll waits for the result until its deadline and then leaves the thread behind.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Generic, TypeVar

from monitor.model.deadline import CHECK_SECONDS, Deadline

T = TypeVar("T")

THREAD_NAME = "aws-background"

_deadline: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline_scope(deadline: Deadline) -> Iterator[None]:
    """Apply the deadline to every AWS call in the block, including those that botocore makes itself."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def current_deadline() -> Deadline | None:
    """Return the deadline of the innermost `deadline_scope`."""
    return _deadline.get()


class BackgroundCall(Generic[T]):
    """A call on a background thread. Several threads may wait for it."""

    def __init__(self, function: Callable[[], T], on_abandoned: Callable[[], None] = lambda: None) -> None:
        """Start `function`. `on_abandoned` runs after it if every thread that waited has given up."""
        self._function = function
        self._on_abandoned = on_abandoned
        self._lock = threading.Lock()
        self._waiting = 0
        self._abandoned = False
        self._done = threading.Event()
        self._results: list[T] = []
        self._error: BaseException | None = None
        context = copy_context()  # the deadline of the caller holds on the new thread, too
        threading.Thread(target=context.run, args=(self._run,), name=THREAD_NAME, daemon=True).start()

    @property
    def done(self) -> bool:
        """Whether the function has returned or raised."""
        return self._done.is_set()

    def wait(self, deadline: Deadline, timeout: float = math.inf) -> T:
        """Return the result of the function.

        Raises:
            BaseException: what the function raised.
            PollFailedError, PollCancelledError: the deadline passed or was cancelled before.
            TimeoutError: `timeout` seconds passed before.
        """
        give_up = time.monotonic() + timeout
        with self._lock:
            self._waiting += 1
        try:
            while not self._done.is_set():
                deadline.check()
                if (left := give_up - time.monotonic()) <= 0:
                    raise TimeoutError  # noqa: TRY301 - it gives up like the deadline
                self._done.wait(min(CHECK_SECONDS, deadline.remaining(), left))
        except BaseException:
            self._give_up()
            raise
        with self._lock:
            self._waiting -= 1
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _give_up(self) -> None:
        with self._lock:
            self._waiting -= 1
            self._abandoned = not self._waiting
            clean_up = self._abandoned and self._done.is_set()
        if clean_up:
            self._on_abandoned()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:  # noqa: BLE001 - raised again in `wait`
            self._error = error
        with self._lock:
            self._done.set()
            clean_up = self._abandoned and not self._waiting
        if clean_up:
            self._on_abandoned()


def run_in_thread(function: Callable[[], T], deadline: Deadline, on_abandoned: Callable[[], None] = lambda: None) -> T:
    """Run `function` on a background thread and return its result; see `BackgroundCall`."""
    return BackgroundCall(function, on_abandoned).wait(deadline)
