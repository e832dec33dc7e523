"""The outbox: publish the stored transitions as log lines, in order, and record which were published.

What was committed and not published, because of a crash or a blocked stdout, is published later under the same id.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from monitor.events.writer import LineWriter
from monitor.model.diff import Transition
from monitor.model.products import ProductTransition
from monitor.poller.protocols import StateError

# Transitions that are written at once: a crash between the lines and their mark repeats at most so many.
BATCH = 500
# After an error of the state, or while stdout is closed. A new transition does not shorten it.
RETRY_SECONDS = 30.0

AnyTransition = Transition | ProductTransition


class UnpublishedTransitions(Protocol):
    """The store, as far as the outbox needs it."""

    def unpublished(self, limit: int) -> Sequence[tuple[int, AnyTransition | None]]:
        """Return the oldest that were not published, each with its position; None for what cannot be read.

        Raises `StateError`.
        """

    def mark_published(self, through: int) -> None:
        """Record that all up to and including this position were published. Raises `StateError`."""


class Outbox:
    """A thread that publishes what is unpublished whenever it is woken. No error ends it."""

    def __init__(
        self,
        store: UnpublishedTransitions,
        writer: LineWriter,
        render: Callable[[AnyTransition], str | None],
        on_error: Callable[[StateError], None],
    ) -> None:
        """Write the line that `render` makes of a transition; a transition without a line counts as published."""
        self._store = store
        self._writer = writer
        self._render = render
        self._on_error = on_error
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Start the thread, which begins with what was left from before."""
        self._work.set()
        self._thread.start()

    def alive(self) -> bool:
        """Return whether the thread is running."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Publish what was committed. Returns at once."""
        self._work.set()

    def stop(self, timeout: float) -> bool:
        """Publish what is unpublished and stop; return False if that takes longer than `timeout` seconds."""
        self._stopping.set()
        self._work.set()
        if self.alive():
            self._thread.join(timeout)
        return not self.alive()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self._work.wait()
            self._work.clear()
            # Read before publishing, so that what was committed before the stop is published.
            stopping = self._stopping.is_set()
            if not self._publish() and not stopping:
                # A wait that a stop ends: the last attempt is made then, within the time that the stop allows.
                self._stopping.wait(RETRY_SECONDS)
                self._work.set()

    def _publish(self) -> bool:
        """Publish everything; return False if it has to be tried again."""
        try:
            while batch := self._store.unpublished(BATCH):
                lines = [line for line in (self._line(*entry) for entry in batch) if line is not None]
                if lines and not self._writer.write_through(lines):
                    return False
                self._store.mark_published(batch[-1][0])
        except StateError as error:
            self._report(str(error))
            return False
        except Exception as error:  # noqa: BLE001 - without this thread no transition would be published any more
            self._report(f"transitions cannot be published: {type(error).__name__}: {error}")
            return False
        return True

    def _line(self, position: int, transition: AnyTransition | None) -> str | None:
        if transition is None:
            self._report(f"transition {position} of the state cannot be read and is not logged")
            return None
        try:
            return self._render(transition)
        except Exception as error:  # noqa: BLE001 - one transition must not keep all others from being published
            self._report(f"transition {transition.event_id!r} cannot be logged: {type(error).__name__}: {error}")
            return None

    def _report(self, message: str) -> None:
        with suppress(Exception):
            self._on_error(StateError(message))
