"""Work on a background thread, for waits that have no timeout of their own, and the deadline of the current thread.

A name lookup, a `credential_process` and a TLS handshake cannot be interrupted. They run on a thread of their own;
the poll waits for the result until its deadline and then leaves the thread behind.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TypeVar

from monitor.model.deadline import CHECK_SECONDS, Deadline

T = TypeVar("T")

THREAD_NAME = "aws-background"

_deadline: ContextVar[Deadline] = ContextVar("deadline", default=Deadline(math.inf))  # noqa: B039 - it never changes


@contextmanager
def deadline_scope(deadline: Deadline) -> Iterator[None]:
    """Apply the deadline to every AWS call in the block, including those that botocore makes itself."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def current_deadline() -> Deadline:
    """Return the deadline of the innermost `deadline_scope`; outside of any, it is infinite."""
    return _deadline.get()


def run_in_thread(function: Callable[[], T]) -> Future[T]:
    """Run `function` on a new thread, under the deadline of this one."""
    future: Future[T] = Future()
    context = copy_context()

    def run() -> None:
        try:
            future.set_result(context.run(function))
        except BaseException as error:  # noqa: BLE001 - raised again by `result_of`
            future.set_exception(error)

    # Not a thread pool: its threads are joined when the process ends, and one that hangs would prevent that.
    threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()
    return future


def result_of(future: Future[T], deadline: Deadline, timeout: float = math.inf) -> T:
    """Wait for a future and return its result.

    Raises:
        BaseException: what the function raised.
        PollFailedError, PollCancelledError: the deadline passed or was cancelled before.
        TimeoutError: `timeout` seconds passed before.
    """
    give_up = time.monotonic() + timeout
    while not future.done():
        deadline.check()
        left = give_up - time.monotonic()
        if left <= 0:
            raise TimeoutError
        wait([future], min(CHECK_SECONDS, deadline.remaining(), left))
    return future.result()
