"""The products that are watched now: how they come, change and go while the daemon runs."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from monitor.configuration.settings import LogLevel, Settings, WatchedProduct
from monitor.exposition.board import Board
from monitor.fleet.instances import Product
from monitor.fleet.shard import Shard
from monitor.log.events import EventName
from monitor.log.setup import Log
from monitor.poller.poller import Poller
from monitor.poller.ports import StateError
from monitor.poller.watchlist import watch_list
from monitor.schedule.timetable import Timetable
from monitor.store.state import State

DISCOVER = "discover:"
"""Before the name of a source: what is due is not a product, whose id has no colon, but a search."""


class Watch:
    """Keeps the timetable, the board and the poller to what is configured and found. Safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        shard: Shard,
        state: State,
        poller: Poller,
        board: Board,
        timetable: Timetable,
        log: Log,
        on_state_error: Callable[[StateError], None],
    ) -> None:
        """Watch nothing yet."""
        self._settings = settings
        self._shard = shard
        self._state = state
        self._poller = poller
        self._board = board
        self._timetable = timetable
        self._log = log
        self._on_state_error = on_state_error
        self._lock = threading.RLock()
        self._found: dict[str, Sequence[Product]] = {}
        self._products: Mapping[str, WatchedProduct] = {}
        self._searches: dict[str, float] = {}
        self._waited_for: set[str] = set()
        self._running = False

    @property
    def products(self) -> Mapping[str, WatchedProduct]:
        """What is watched, by id; another mapping after each change."""
        return self._products

    def get(self, product_id: str) -> WatchedProduct | None:
        """Return a product, with the name that it is shown by; None where it is not watched any more."""
        watched = self._products.get(product_id)
        return None if watched is None else self._poller.named(watched)

    def ready(self) -> bool:
        """Say whether everything was restored, polled or looked for once, with whatever outcome."""
        return not self._waited_for

    def done(self, name: str) -> None:
        """Note that a poll or a search has ended."""
        with self._lock:
            self._waited_for.discard(name)

    def restore(self, stop: threading.Event) -> None:
        """Take everything out of the state that was watched before, and show it."""
        with self._lock:
            try:
                if self._shard.total > 1:
                    self._state.forget_products(lambda product_id: not self._shard.owns(product_id))
                for source in self._settings.sources:
                    if source.discover is not None:
                        self._found[source.name] = self._state.found(source.name)
            except StateError as error:
                self._on_state_error(error)
            self._products = watch_list(self._settings, self._found, self._shard)
            for watched in self._products.values():
                if stop.is_set():
                    return
                self._restore(watched)

    def start(self) -> None:
        """Let everything be due."""
        with self._lock:
            self._running = True
            for watched in self._products.values():
                self._timetable.add(watched.product.id, watched.interval)
            self._schedule_searches()

    def configure(self, settings: Settings) -> Mapping[str, int]:
        """Take other settings over; return how many products came, went and changed."""
        with self._lock:
            self._settings = settings
            names = {source.name for source in settings.sources if source.discover is not None}
            self._found = {source: found for source, found in self._found.items() if source in names}
            self._schedule_searches()
            return self._apply("it is not configured any more")

    def found(self, source: str, products: Sequence[Product]) -> Mapping[str, int]:
        """Take over what was found in a source; return how many products came, went and changed.

        Raises `StateError` where it could not be written down, after it took effect.
        """
        with self._lock:
            if source not in self._searches:
                return {}  # it was taken out while the search was under way
            known = self._found.get(source)
            self._found[source] = tuple(products)
            changes = self._apply("it is not found any more")
            if known is None or [one.id for one in known] != [one.id for one in products]:
                self._state.save_found(source, products)
            return changes

    def _apply(self, why: str) -> Mapping[str, int]:
        before, after = self._products, watch_list(self._settings, self._found, self._shard)
        self._products = after
        added = [watched for product_id, watched in after.items() if product_id not in before]
        removed = [before[product_id] for product_id in before if product_id not in after]
        changed = [after[one] for one in after if one in before and after[one] != before[one]]
        for watched in removed:
            self._remove(watched, why)
        for watched in added:
            self._restore(watched)
            if self._running:
                self._timetable.add(watched.product.id, watched.interval)
            self._tell(EventName.ADDED, watched, source=watched.source)
        for watched in changed:
            if watched.interval != before[watched.product.id].interval:
                self._timetable.add(watched.product.id, watched.interval)
            self._board.update(self._poller.named(watched))
        return {"added": len(added), "removed": len(removed), "changed": len(changed)}

    def _restore(self, watched: WatchedProduct) -> None:
        try:
            restored = self._poller.restore(watched)
        except StateError as error:
            self._on_state_error(error)
            restored = False
        if not restored:
            self._waited_for.add(watched.product.id)

    def _remove(self, watched: WatchedProduct, why: str) -> None:
        named = self._poller.named(watched)
        self._timetable.remove(watched.product.id)
        self._poller.forget(watched.product.id)
        self._board.remove(watched.product.id)
        self._waited_for.discard(watched.product.id)
        self._tell(EventName.REMOVED, named, message=why)

    def _schedule_searches(self) -> None:
        wanted = {
            source.name: source.discover.interval for source in self._settings.sources if source.discover is not None
        }
        for source in _gone(self._searches, wanted):
            self._timetable.remove(DISCOVER + source)
            self._waited_for.discard(DISCOVER + source)
        for source, interval in wanted.items():
            if self._searches.get(source) != interval:
                if source not in self._searches:
                    self._waited_for.add(DISCOVER + source)
                self._timetable.add(DISCOVER + source, interval)
        self._searches = wanted

    def _tell(self, event: EventName, watched: WatchedProduct, **fields: Any) -> None:
        self._log.event(
            LogLevel.INFO,
            event,
            provisioned_product_id=watched.product.id,
            provisioned_product_name=watched.product.name,
            **fields,
        )


def _gone(before: Iterable[str], after: Iterable[str]) -> list[str]:
    return [name for name in before if name not in after]
