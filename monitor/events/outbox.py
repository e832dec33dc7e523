"""The outbox: transitions are told from the state, in order, and marked when the line is out.

What was committed and not told, because of a crash or a blocked stdout, is told later under the same id.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from monitor.events.writer import LineWriter
from monitor.model.diff import Transition
from monitor.model.products import ProductTransition
from monitor.poller.protocols import StateError

BATCH = 500
RETRY_SECONDS = 30.0


class UnpublishedTransitions(Protocol):
    """Where the transitions wait."""

    def unpublished(self, limit: int) -> Sequence[tuple[int, Transition | ProductTransition]]:
        """Return the oldest that were not told, each with its place; raise `StateError`."""

    def mark_published(self, through: int) -> None:
        """Write down that all up to and with this place were told; raise `StateError`."""


class Outbox:
    """A thread that tells what waits, whenever it is woken."""

    def __init__(
        self,
        store: UnpublishedTransitions,
        writer: LineWriter,
        render: Callable[[Transition | ProductTransition], str | None],
        on_error: Callable[[StateError], None],
    ) -> None:
        """Write the line that `render` makes of a transition; None counts as told."""
        self._store = store
        self._writer = writer
        self._render = render
        self._on_error = on_error
        self._changed = threading.Condition()
        self._work = False
        self._idle = False
        self._stopped = False
        self._afterwards: deque[Callable[[], None]] = deque(maxlen=BATCH)
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Begin with what was left from before."""
        self._work = True
        self._thread.start()

    def alive(self) -> bool:
        """Return whether the thread is running."""
        return self._thread.is_alive()

    def wake(self, afterwards: Callable[[], None]) -> None:
        """Say that something was committed; `afterwards` is called when it was told."""
        with self._changed:
            self._afterwards.append(afterwards)
            self._work = True
            self._changed.notify_all()

    def stop(self, timeout: float) -> bool:
        """Tell what waits and end; False where that takes longer than `timeout` seconds."""
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
                afterwards = tuple(self._afterwards)
                self._afterwards.clear()
            told = self._tell()
            for call in afterwards:
                call()
            if not told:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped, RETRY_SECONDS)
                    self._work = not self._stopped

    def _tell(self) -> bool:
        try:
            while batch := self._store.unpublished(BATCH):
                lines = [line for _, transition in batch if (line := self._render(transition)) is not None]
                if lines and not self._writer.write_through(lines):
                    return False
                self._store.mark_published(batch[-1][0])
        except StateError as error:
            self._on_error(error)
            return False
        return True
