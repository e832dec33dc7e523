"""Work beside the polls: who waits for it, how long, and what becomes of a result that nobody wants."""

import threading
import time

import pytest

from monitor.aws.aside import Aside, current_deadline, within
from monitor.model.deadline import Deadline
from monitor.model.errors import PollCancelledError, PollFailedError
from tests.support import until


def test_the_result_is_for_everybody_who_waits_and_for_those_who_come_later() -> None:
    """The work is done once."""
    go = threading.Event()
    done: list[int] = []

    def work() -> str:
        assert go.wait(10)
        done.append(1)
        return "result"

    aside = Aside(work)
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(aside.wait(Deadline(10.0)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert results == ["result"] * 4
    assert aside.wait(Deadline(10.0)) == "result"
    assert done == [1]


def test_an_error_is_raised_where_somebody_waits() -> None:
    """Also one that is no `Exception`."""

    def work() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Aside(work).wait(Deadline(10.0))


def test_who_waits_gives_up_at_his_deadline_or_when_the_monitor_stops() -> None:
    """The work itself goes on."""
    go = threading.Event()
    aside = Aside(lambda: go.wait(10))
    begun = time.monotonic()
    with pytest.raises(PollFailedError, match=r"after 0\.05 s"):
        aside.wait(Deadline(0.05))
    cancelled = Deadline(10.0)
    threading.Timer(0.05, cancelled.cancel).start()
    with pytest.raises(PollCancelledError):
        aside.wait(cancelled)
    assert time.monotonic() - begun < 5
    assert not aside.over
    go.set()
    assert aside.wait(Deadline(10.0)) is True


@pytest.mark.parametrize("before", [True, False])
def test_a_result_that_nobody_waits_for_any_more_is_disposed_of(before: bool) -> None:
    """Whether it comes after who waited gave up, or at that very moment."""
    go = threading.Event()
    disposed: list[str] = []
    aside = Aside(lambda: str(go.wait(10)), disposed.append)
    deadline = Deadline(10.0)
    deadline.cancel()
    if before:
        go.set()
        until(lambda: aside.over)
        assert aside.wait(deadline) == "True"  # it is there: there is nothing to wait for
        assert disposed == []
        return
    with pytest.raises(PollCancelledError):
        aside.wait(deadline)
    assert disposed == []
    go.set()
    until(lambda: disposed == ["True"])


def test_a_result_that_is_still_waited_for_is_kept() -> None:
    """One gives up, the other does not."""
    go = threading.Event()
    disposed: list[str] = []
    results: list[str] = []
    aside = Aside(lambda: str(go.wait(10)), disposed.append)
    patient = threading.Thread(target=lambda: results.append(aside.wait(Deadline(10.0))))
    patient.start()
    until(lambda: len(aside._waiters) == 1)
    with pytest.raises(PollFailedError):
        aside.wait(Deadline(0.0))
    go.set()
    patient.join(10)
    assert results == ["True"]
    assert disposed == []


def test_a_deadline_is_that_of_the_innermost_block() -> None:
    """And of this thread alone."""
    outer, inner = Deadline(1.0), Deadline(1.0)
    with within(outer):
        with within(inner):
            assert current_deadline() is inner
            assert Aside(current_deadline).wait(Deadline(10.0)) is None
        assert current_deadline() is outer
    assert current_deadline() is None
