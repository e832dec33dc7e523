"""A deadline ends waits, and a stop cancels all deadlines."""

import threading

import pytest

from monitor.model.deadline import Deadline, Deadlines
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from tests.support import Clock


def test_remaining_counts_down_to_zero() -> None:
    """The seconds left come from the clock and are never negative."""
    clock = Clock()
    deadline = Deadline(4.0, clock)
    clock.now = 103.0
    assert deadline.remaining() == 1.0
    deadline.check()
    clock.now = 105.0
    assert deadline.remaining() == 0.0


def test_check_raises_a_timeout_after_the_deadline() -> None:
    """The message contains the seconds that the poll had."""
    clock = Clock()
    deadline = Deadline(4.5, clock)
    clock.now = 104.5
    with pytest.raises(PollFailedError, match=r"^the poll was not complete after 4.5 s$") as caught:
        deadline.check()
    assert (caught.value.reason, caught.value.error_code) == (Reason.TIMEOUT, "DeadlineExceeded")


def test_a_cancelled_deadline_is_not_a_failure() -> None:
    """A cancelled poll is neither complete nor failed, even after its deadline."""
    clock = Clock()
    deadline = Deadline(10.0, clock)
    deadline.cancel()
    clock.now = 200.0
    with pytest.raises(PollCancelledError):
        deadline.check()


def test_cancel_ends_running_waits_and_later_polls() -> None:
    """A poll that sleeps for an hour ends when the monitor stops, and so does a poll that begins later."""
    deadlines = Deadlines()
    waiting, ended = threading.Event(), threading.Event()

    def poll() -> None:
        with deadlines.running(3600.0) as deadline:
            waiting.set()
            try:
                deadline.wait(3600.0)
            except PollCancelledError:
                ended.set()

    thread = threading.Thread(target=poll)
    thread.start()
    assert waiting.wait(5)
    deadlines.cancel()
    assert ended.wait(5)
    thread.join()
    with deadlines.running(1.0) as late, pytest.raises(PollCancelledError):
        late.check()


def test_a_finished_poll_is_not_cancelled() -> None:
    """`cancel` reaches only the polls that are under way."""
    deadlines = Deadlines()
    with deadlines.running(60.0) as deadline:
        pass
    deadlines.cancel()
    deadline.check()


def test_a_wait_is_no_longer_than_the_deadline() -> None:
    """A sleep that would outlast the deadline ends with it."""
    with pytest.raises(PollFailedError, match=r"not complete after 0\.01 s$"):
        Deadline(0.01).wait(3600.0)
