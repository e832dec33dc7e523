"""The outbox publishes stored transitions in order, and no error ends it."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import pytest

from monitor.config.settings import LogFormat, LogLevel
from monitor.events.outbox import BATCH, Outbox
from monitor.events.setup import Log
from monitor.events.transitions import transition_line
from monitor.model.diff import Transition
from monitor.model.instances import Status
from monitor.model.products import ProductTransition
from monitor.poller.protocols import StateError
from tests.events.capture import captured
from tests.making import BASELINE, EU, LATER, ONE

WAIT = 5.0


def transitions(count: int) -> list[Transition]:
    """Return so many transitions with ids 0, 1, 2 and so on."""
    one = Transition("0", "poll-2", BASELINE, ONE, EU, Status.CURRENT, Status.OUTDATED, None, LATER)
    return [replace(one, event_id=str(number)) for number in range(count)]


class FakeStore:
    """Keeps transitions in memory, and may fail."""

    def __init__(self, waiting: Sequence[Transition | None] = ()) -> None:
        self.waiting = list(enumerate(waiting, 1))
        self.error: Exception | None = None
        self.changed = threading.Condition()

    def unpublished(self, limit: int) -> Sequence[tuple[int, Transition | None]]:
        """Return the oldest."""
        with self.changed:
            if error := self.error:
                self.error = None
                self.changed.notify_all()
                raise error
        return self.waiting[:limit]

    def mark_published(self, through: int) -> None:
        """Remove them."""
        with self.changed:
            self.waiting = [entry for entry in self.waiting if entry[0] > through]
            self.changed.notify_all()


class Harness:
    """An outbox over a fake store, with what it wrote and reported."""

    def __init__(self, waiting: Sequence[Transition | None] = (), level: LogLevel = LogLevel.INFO) -> None:
        self.store = FakeStore(waiting)
        self.errors: list[str] = []
        _, self.lines = captured()
        self.log = Log(self.lines, level, LogFormat.JSON)
        self.unrenderable = ""
        self.outbox = Outbox(self.store, self.lines, self.render, lambda error: self.errors.append(str(error)))

    def render(self, transition: Transition | ProductTransition) -> str | None:
        """Return the line of a transition."""
        if transition.event_id == self.unrenderable:
            raise ValueError("bad value")
        return transition_line(self.log, transition)

    def published(self) -> list[str]:
        """Return the ids that were written since the last call."""
        return [entry["event_id"] for entry in self.lines.entries()]


def test_all_batches_are_published_in_order() -> None:
    """More transitions than one batch are published completely."""
    harness = Harness(transitions(2 * BATCH + 1))
    harness.outbox.start()
    assert harness.outbox.stop(WAIT)
    assert harness.published() == [str(number) for number in range(2 * BATCH + 1)]
    assert harness.store.waiting == []


def test_transitions_stay_unpublished_while_stdout_is_closed() -> None:
    """A transition is marked as published only after its line was written."""
    harness = Harness(transitions(3))
    harness.lines.closed = True
    harness.outbox.start()
    assert harness.outbox.stop(WAIT)
    assert [position for position, _ in harness.store.waiting] == [1, 2, 3]
    assert harness.published() == []


@pytest.mark.parametrize(
    ("error", "report"),
    [
        (StateError("the disk is gone"), "the disk is gone"),
        (RuntimeError("odd"), "transitions cannot be published: RuntimeError: odd"),
    ],
)
def test_any_error_of_the_store_is_reported_and_retried(
    monkeypatch: pytest.MonkeyPatch, error: Exception, report: str
) -> None:
    """After an error, expected or not, everything is published when the store works again."""
    monkeypatch.setattr("monitor.events.outbox.RETRY_SECONDS", 0.01)
    harness = Harness(transitions(4))
    harness.store.error = error
    harness.outbox.start()
    with harness.store.changed:
        assert harness.store.changed.wait_for(lambda: not harness.store.waiting, WAIT)
    assert harness.outbox.stop(WAIT)
    assert harness.errors == [report]
    assert len(harness.published()) == 4


def test_a_transition_that_cannot_be_rendered_is_skipped_and_reported() -> None:
    """The transitions around it are published."""
    harness = Harness(transitions(3))
    harness.unrenderable = "1"
    harness.outbox.start()
    assert harness.outbox.stop(WAIT)
    assert harness.published() == ["0", "2"]
    assert harness.store.waiting == []
    assert harness.errors == ["transition '1' cannot be logged: ValueError: bad value"]


def test_transitions_below_the_level_count_as_published() -> None:
    """With log.level error, the other transitions do not stay in the outbox."""
    harness = Harness(transitions(2), LogLevel.ERROR)
    harness.outbox.start()
    assert harness.outbox.stop(WAIT)
    assert harness.published() == []
    assert harness.store.waiting == []


def test_a_transition_that_cannot_be_read_is_skipped_and_reported() -> None:
    """The transitions around it are published, and it does not stay in the outbox."""
    harness = Harness([*transitions(2), None])
    harness.outbox.start()
    assert harness.outbox.stop(WAIT)
    assert harness.published() == ["0", "1"]
    assert harness.store.waiting == []
    assert harness.errors == ["transition 3 of the state cannot be read and is not logged"]


def test_an_error_that_cannot_be_reported_does_not_end_the_outbox() -> None:
    """The transitions after it are published."""
    harness = Harness([None, *transitions(1)])
    harness.errors = None  # type: ignore[assignment]
    harness.outbox.start()
    assert harness.outbox.stop(WAIT)
    assert harness.published() == ["0"]


def test_an_outbox_that_was_not_started_can_be_stopped() -> None:
    """A stop during the start finds no thread to wait for."""
    assert Harness().outbox.stop(WAIT)
