"""The transitions of a table that wait for their publication, as this replica knows them."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from monitor.poller.protocols import StateError
from monitor.state import dynamodb_items as items
from monitor.state.dynamodb_items import AnyTransition
from monitor.state.table import Item, Key


@dataclass(frozen=True, slots=True)
class _Unpublished:
    """A transition that waits for its publication."""

    position: int
    transition: AnyTransition
    outbox: Key
    last: bool
    """The item of the outbox has no further transition."""


class UnpublishedTransitions:
    """A queue of the transitions in the items of the outbox. Thread-safe."""

    def __init__(self, on_error: Callable[[StateError], None]) -> None:
        """Start empty; `on_error` is called once for each item that cannot be read."""
        self._on_error = on_error
        self._lock = threading.Lock()
        self._queue: deque[_Unpublished] = deque()
        self._position = 0
        self._published: list[Key] = []
        """Items of the outbox whose transitions are published, until they are deleted."""
        self._outboxes: set[Key] = set()
        """The items of the outbox of all these transitions."""
        self._unreadable: set[Key] = set()

    def adopt(self, found: Iterable[Item]) -> None:
        """Add the transitions of items of the outbox. An item that cannot be read stays in the table."""
        for outbox in found:
            try:
                transitions = list(items.transitions_of(outbox))
            except StateError as error:
                self._report(outbox, error)
            else:
                self.add(outbox, transitions)

    def add(self, item: Item, transitions: Sequence[AnyTransition]) -> None:
        """Add the transitions of an item of the outbox, unless it is known."""
        outbox = (items.OUTBOX, str(item["sk"]))
        with self._lock:
            # A commit whose answer was lost is repeated, and a product is loaded again if it comes back.
            if outbox in self._outboxes:
                return
            self._outboxes.add(outbox)
            for number, transition in enumerate(transitions, start=1):
                self._position += 1
                last = number == len(transitions)
                self._queue.append(_Unpublished(self._position, transition, outbox, last))

    def oldest(self, limit: int) -> Sequence[tuple[int, AnyTransition]]:
        """Return the oldest transitions, each with its position."""
        with self._lock:
            count = min(limit, len(self._queue))
            return [(one.position, one.transition) for one, _ in zip(self._queue, range(count), strict=False)]

    def published(self, through: int) -> Sequence[Key]:
        """Drop every transition up to and including this position; return the items to delete from the table."""
        with self._lock:
            while self._queue and self._queue[0].position <= through:
                done = self._queue.popleft()
                if done.last:
                    self._published.append(done.outbox)
            return list(self._published)

    def deleted(self, outbox: Key) -> None:
        """Note that an item of `published` was deleted."""
        with self._lock:
            self._published.remove(outbox)
            self._outboxes.discard(outbox)

    def release(self, which: Callable[[str], bool]) -> None:
        """Forget the transitions of some products."""
        with self._lock:
            self._queue = deque(one for one in self._queue if not which(one.transition.product.id))
            self._outboxes = {one.outbox for one in self._queue} | set(self._published)

    def _report(self, item: Item, error: StateError) -> None:
        outbox = (items.OUTBOX, str(item["sk"]))
        with self._lock:
            if outbox in self._unreadable:
                return
            self._unreadable.add(outbox)
        self._on_error(StateError(f"{error}; its transitions are not logged, and the item is kept"))
