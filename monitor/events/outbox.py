"""The outbox: publish the stored transitions as log lines, in order, and record which were published.

What was committed and not published, because of a crash or a blocked stdout, is published later under the same id.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from monitor.events.writer import LineWriter
from monitor.model.diff import Transition
from monitor.model.products import ProductTransition
from monitor.poller.protocols import StateError

BATCH = 500
WAITING_CALLS = 500
RETRY_SECONDS = 30.0

AnyTransition = Transition | ProductTransition


class UnpublishedTransitions(Protocol):
    """The store, as far as the outbox needs it."""

    def unpublished(self, limit: int) -> Sequence[tuple[int, AnyTransition]]:
        """Return the oldest that were not published, each with its position. Raises `StateError`."""

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
        self._changed = threading.Condition()
        self._work = False
        self._idle = False
        self._stopped = False
        self._then: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Start the thread, which begins with what was left from before."""
        self._work = True
        self._thread.start()

    def alive(self) -> bool:
        """Return whether the thread is running."""
        return self._thread.is_alive()

    def wake(self, then: Callable[[], None]) -> None:
        """Say that something was committed; `then` is called when it was published.

        If stdout is blocked and too many calls are waiting, the oldest is dropped and counted as a dropped line.
        """
        with self._changed:
            if len(self._then) >= WAITING_CALLS:
                self._then.popleft()
                self._writer.count_dropped()
            self._then.append(then)
            self._work = True
            self._changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """Publish what is unpublished and stop; return False if that takes longer than `timeout` seconds."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._idle and not self._work, timeout)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._work:
                    self._idle = True
                    self._changed.notify_all()
                    if self._stopped:
                        return
                    self._changed.wait_for(lambda: self._work or self._stopped)
                    self._idle = False
                self._work = False
                then = tuple(self._then)
                self._then.clear()
            published = self._publish()
            for call in then:
                self._guard(call)
            if not published:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped, RETRY_SECONDS)
                    self._work = not self._stopped

    def _publish(self) -> bool:
        """Publish everything; return False if it has to be tried again."""
        try:
            while batch := self._store.unpublished(BATCH):
                lines = list(self._lines(transition for _, transition in batch))
                if lines and not self._writer.write_through(lines):
                    return False
                self._store.mark_published(batch[-1][0])
        except StateError as error:
            self._report(error)
            return False
        except Exception as error:  # noqa: BLE001 - without this thread no transition would be published any more
            self._report(StateError(f"transitions cannot be published: {type(error).__name__}: {error}"))
            return False
        return True

    def _lines(self, transitions: Iterable[AnyTransition]) -> Iterable[str]:
        for transition in transitions:
            try:
                line = self._render(transition)
            except Exception as error:  # noqa: BLE001 - one transition must not keep all others from being published
                what = f"transition {transition.event_id!r} cannot be logged"
                self._report(StateError(f"{what}: {type(error).__name__}: {error}"))
                continue
            if line is not None:
                yield line

    def _report(self, error: StateError) -> None:
        self._guard(lambda: self._on_error(error))

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 - the report itself failed; the count is all that is left
            self._writer.count_dropped()
