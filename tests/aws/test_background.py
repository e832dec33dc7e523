"""Calls on a background thread: which threads get the result, and how long they wait."""

import math
import threading

import pytest

from monitor.aws.background import current_deadline, deadline_scope, result_of, run_in_thread
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, PollFailedError
from tests.support import until


def test_the_result_is_for_every_thread_that_waits() -> None:
    """The function runs once, also for a thread that waits after it has returned."""
    go = threading.Event()
    calls: list[int] = []

    def function() -> str:
        assert go.wait(10)
        calls.append(1)
        return "result"

    call = run_in_thread(function)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(result_of(call, Deadline(10.0)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert results == ["result"] * 4
    assert result_of(call, Deadline(10.0)) == "result"
    assert calls == [1]


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_an_exception_is_raised_in_the_thread_that_waits(error: type[BaseException]) -> None:
    """This includes exceptions that are not an `Exception`."""

    def function() -> None:
        raise error("of the function")

    with pytest.raises(error, match="of the function"):
        result_of(run_in_thread(function), Deadline(10.0))


def test_a_wait_ends_with_the_deadline_a_cancel_or_its_timeout() -> None:
    """The function goes on."""
    go = threading.Event()
    call = run_in_thread(lambda: go.wait(10))
    with pytest.raises(PollFailedError, match=r"after 0\.05 s"):
        result_of(call, Deadline(0.05))
    cancelled = Deadline(10.0)
    threading.Timer(0.05, cancelled.cancel).start()
    with pytest.raises(PollCancelledError):
        result_of(call, cancelled)
    with pytest.raises(TimeoutError):
        result_of(call, Deadline(10.0), 0.01)
    assert not call.done()
    go.set()
    assert result_of(call, Deadline(10.0)) is True


def test_a_result_that_is_there_is_returned_after_the_deadline() -> None:
    """There is nothing to wait for."""
    call = run_in_thread(lambda: "result")
    until(call.done)
    assert result_of(call, Deadline(0.0)) == "result"


def test_the_deadline_is_that_of_the_innermost_scope() -> None:
    """It holds on a background thread, too."""
    outer, inner = Deadline(1.0), Deadline(1.0)
    with deadline_scope(outer):
        with deadline_scope(inner):
            assert current_deadline() is inner
            assert result_of(run_in_thread(current_deadline), Deadline(10.0)) is inner
        assert current_deadline() is outer
    assert current_deadline().remaining() == math.inf
