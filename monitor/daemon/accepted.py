"""Say once which entries of `accepted` accept nothing: they have expired, or match no stack instance any more."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from monitor.config.settings import LogLevel
from monitor.daemon.protocols import EventLog
from monitor.events.names import EventName
from monitor.model.accepted import Acceptance, Unused, unused_entries
from monitor.model.views import ProductView

# An entry expires at the end of a day, and instances become CURRENT with a poll: nothing is urgent.
CHECK_SECONDS = 60.0
_EVENTS = {Unused.EXPIRED: EventName.ACCEPTED_EXPIRED, Unused.UNMATCHED: EventName.ACCEPTED_UNMATCHED}


def utc_today() -> date:
    """Return the present day in UTC."""
    return datetime.now(UTC).date()


class AcceptedCheck:
    """Compares the entries of the configuration with the snapshots of the products."""

    def __init__(
        self,
        products: Callable[[], Sequence[ProductView]],
        log: EventLog,
        *,
        whole: bool = True,
        clock: Callable[[], float] = time.monotonic,
        today: Callable[[], date] = utc_today,
    ) -> None:
        """Take what returns the view of every product.

        `whole`: these are all products. Otherwise an entry may match an instance of another shard or replica.
        """
        self._products = products
        self._log = log
        self._whole = whole
        self._clock = clock
        self._today = today
        self._next_check = clock()
        self._unused: set[tuple[Acceptance, Unused]] = set()

    def check(self, entries: Sequence[Acceptance]) -> None:
        """Log each entry that accepts nothing, once until that changes.

        Does nothing before every product has a snapshot: an instance of a product that was not polled may match.
        """
        if self._clock() < self._next_check:
            return
        self._next_check = self._clock() + CHECK_SECONDS
        views = self._products()
        if not views or any(view.snapshot is None and not view.missing for view in views):
            return
        fleet = ((view.product, ((key, view.states[key].status) for key in view.non_current)) for view in views)
        found = unused_entries(entries, fleet, self._today()).items()
        unused = {(entry, why) for entry, why in found if self._whole or why is Unused.EXPIRED}
        for entry, why in sorted(unused - self._unused, key=_order):
            self._log.event(
                LogLevel.WARNING,
                _EVENTS[why],
                account=entry.account,
                region=entry.region,
                product=entry.product,
                until=entry.until.isoformat(),
                reason=entry.reason,
            )
        self._unused = unused

    def unused(self) -> Sequence[tuple[Acceptance, Unused]]:
        """Return the entries that accept nothing, as the last check found them."""
        return sorted(self._unused, key=_order)


def _order(item: tuple[Acceptance, Unused]) -> tuple[str, date]:
    entry, _ = item
    return entry.account, entry.until
