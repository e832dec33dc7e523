"""Deadlines end what waits for them."""

import threading

import pytest

from monitor.model.deadline import Deadline, Deadlines
from monitor.model.errors import PollCancelledError, PollFailedError, Reason


class Clock:
    """A clock that stands until it is set."""

    now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Connection:
    """A line that remembers being interrupted."""

    def __init__(self) -> None:
        self.interrupted = threading.Event()

    def interrupt(self) -> None:
        """Remember."""
        self.interrupted.set()


def test_time_goes_by() -> None:
    """What remains is counted by the clock, and never below zero."""
    clock = Clock()
    deadline = Deadline(4.0, clock)
    clock.now = 103.0
    assert deadline.remaining() == 1.0
    deadline.check()
    clock.now = 105.0
    assert deadline.remaining() == 0.0


def test_after_the_end_there_is_a_timeout() -> None:
    """The failure says how long the poll had."""
    clock = Clock()
    deadline = Deadline(4.5, clock)
    clock.now = 104.5
    with pytest.raises(PollFailedError, match=r"^the poll was not complete after 4.5 s$") as caught:
        deadline.check()
    assert (caught.value.reason, caught.value.error_code) == (Reason.TIMEOUT, "DeadlineExceeded")


def test_a_cancel_is_no_failure() -> None:
    """When the monitor stops, the poll did not take place."""
    deadline = Deadline(10.0, Clock())
    deadline.cancel()
    with pytest.raises(PollCancelledError):
        deadline.check()


def test_the_supervisor_interrupts_only_what_is_over() -> None:
    """A connection is interrupted when its poll's time has come, not before."""
    clock, connection = Clock(), Connection()
    deadlines = Deadlines(clock)
    with deadlines.running(4.0) as deadline, deadline.attached(connection):
        deadlines.enforce()
        assert not connection.interrupted.is_set()
        clock.now = 104.0
        deadlines.enforce()
        assert connection.interrupted.is_set()


def test_a_connection_that_comes_too_late_is_interrupted_at_once() -> None:
    """Between a cancel and the next call nothing gets through."""
    deadline, connection = Deadline(4.0, Clock()), Connection()
    deadline.cancel()
    with deadline.attached(connection):
        assert connection.interrupted.is_set()


def test_a_connection_that_is_done_is_left_alone() -> None:
    """After its block a connection may belong to another poll."""
    deadline, connection = Deadline(4.0, Clock()), Connection()
    with deadline.attached(connection):
        pass
    deadline.cancel()
    assert not connection.interrupted.is_set()


def test_a_cancel_ends_every_wait_and_what_comes_after() -> None:
    """A poll that sleeps for an hour ends when the monitor stops; a poll that begins then ends as well."""
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


def test_a_wait_is_no_longer_than_the_deadline() -> None:
    """A sleep that would outlast the deadline ends with it."""
    with pytest.raises(PollFailedError, match=r"not complete after 0\.01 s$"):
        Deadline(0.01).wait(3600.0)
