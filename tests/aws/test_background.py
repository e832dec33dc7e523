"""Calls on a background thread: who gets the result, how long a thread waits, and what is cleaned up."""

import threading

import pytest

from monitor.aws.background import BackgroundCall, current_deadline, deadline_scope, run_in_thread
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

    call = BackgroundCall(function)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(call.wait(Deadline(10.0)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert results == ["result"] * 4
    assert call.wait(Deadline(10.0)) == "result"
    assert calls == [1]


def test_an_exception_is_raised_in_the_thread_that_waits() -> None:
    """This includes exceptions that are not an `Exception`."""

    def function() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_thread(function, Deadline(10.0))


def test_a_wait_ends_with_the_deadline_a_cancel_or_its_timeout() -> None:
    """The function goes on."""
    go = threading.Event()
    call = BackgroundCall(lambda: go.wait(10))
    with pytest.raises(PollFailedError, match=r"after 0\.05 s"):
        call.wait(Deadline(0.05))
    cancelled = Deadline(10.0)
    threading.Timer(0.05, cancelled.cancel).start()
    with pytest.raises(PollCancelledError):
        call.wait(cancelled)
    with pytest.raises(TimeoutError):
        call.wait(Deadline(10.0), 0.01)
    assert not call.done
    go.set()
    assert call.wait(Deadline(10.0)) is True


@pytest.mark.parametrize("fails", [False, True])
def test_an_abandoned_call_is_cleaned_up_after_it_has_ended(fails: bool) -> None:
    """This holds whether it returns or raises."""
    go, cleaned_up = threading.Event(), threading.Event()

    def function() -> None:
        assert go.wait(10)
        if fails:
            raise LookupError

    deadline = Deadline(10.0)
    deadline.cancel()
    with pytest.raises(PollCancelledError):
        run_in_thread(function, deadline, cleaned_up.set)
    assert not cleaned_up.is_set()
    go.set()
    assert cleaned_up.wait(10)


def test_a_result_that_is_there_is_returned_after_the_deadline() -> None:
    """There is nothing to wait for, and nothing to clean up."""
    cleaned_up = threading.Event()
    call = BackgroundCall(lambda: "result", cleaned_up.set)
    until(lambda: call.done)
    assert call.wait(Deadline(0.0)) == "result"
    assert not cleaned_up.is_set()


def test_a_call_that_one_of_two_threads_waits_for_is_not_abandoned() -> None:
    """The result goes to the thread that still waits."""
    go, cleaned_up = threading.Event(), threading.Event()
    results: list[bool] = []
    call = BackgroundCall(lambda: go.wait(10), cleaned_up.set)
    patient = threading.Thread(target=lambda: results.append(call.wait(Deadline(10.0))))
    patient.start()
    until(lambda: call._waiting == 1)
    with pytest.raises(PollFailedError):
        call.wait(Deadline(0.0))
    go.set()
    patient.join(10)
    assert results == [True]
    assert not cleaned_up.is_set()


def test_the_deadline_is_that_of_the_innermost_scope() -> None:
    """It holds on a background thread, too."""
    outer, inner = Deadline(1.0), Deadline(1.0)
    with deadline_scope(outer):
        with deadline_scope(inner):
            assert current_deadline() is inner
            assert run_in_thread(current_deadline, Deadline(10.0)) is inner
        assert current_deadline() is outer
    assert current_deadline() is None
