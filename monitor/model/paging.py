"""Pages of bounded size. A cursor names the place after which the next page begins, so it survives a new snapshot."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from itertools import islice
from typing import Generic, TypeVar

from monitor.model.accepted import Acceptance
from monitor.model.details import InstanceDetail
from monitor.model.instances import InstanceKey, InstanceState, Status
from monitor.model.views import ProductView

MAX_LIMIT = 1000
"""The most items of one page."""
DENSE = 8
"""If one of so many instances matches, they are found faster in all instances than sorted out of those not CURRENT."""
_MAX_NUMBER = 2**53

Place = tuple[str | int, ...]
"""What a list is sorted by. Different for each item."""

T = TypeVar("T")


class CursorError(ValueError):
    """A cursor that no page of the list has returned."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list."""

    items: Sequence[T]
    cursor: str | None
    """Where the next page begins; None on the last page."""


@dataclass(frozen=True, slots=True)
class InstanceView:
    """A stack instance of a product."""

    product: ProductView
    account: str
    region: str
    state: InstanceState

    @property
    def detail(self) -> InstanceDetail | None:
        """Why it is not CURRENT; None if that is not known."""
        details = self.product.details
        return details.instances.get((self.account, self.region)) if details else None

    @property
    def accepted(self) -> Acceptance | None:
        """The entry of the configuration that accepts its status; None if it is not accepted."""
        return self.product.accepted.get((self.account, self.region))


@dataclass(frozen=True, slots=True)
class InstanceFilter:
    """Which stack instances to return. An empty set lets all pass."""

    statuses: frozenset[Status] = frozenset()
    accounts: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class TransitionFilter:
    """Which transitions of stack instances to return. An empty set lets all pass."""

    since: datetime
    products: frozenset[str] = frozenset()
    """Product IDs."""
    accounts: frozenset[str] = frozenset()
    statuses: frozenset[Status | None] = frozenset()
    """The status after the transition; None for a stack instance that disappeared."""


def encode(place: Place) -> str:
    """Return a place as a cursor."""
    return urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def decode(cursor: str | None, types: Sequence[type] | None) -> Place | None:
    """Return the place that a cursor names, whose parts are of the given types (None: any); None without a cursor.

    Raises:
        CursorError: it is not the cursor of such a place.
    """
    if cursor is None:
        return None
    try:
        place = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        json.dumps(place, ensure_ascii=False).encode()  # refuses half of a surrogate pair, which no database takes
    except (ValueError, RecursionError) as error:
        raise _unknown(cursor) from error
    found = [type(part) for part in place] if isinstance(place, list) else []
    if not found or not {int, str}.issuperset(found) or (types is not None and found != list(types)):
        raise _unknown(cursor)
    if any(isinstance(part, int) and abs(part) > _MAX_NUMBER for part in place):
        raise _unknown(cursor)
    return tuple(place)


def paginate(items: Iterable[T], place_of: Callable[[T], Place], limit: int, cursor: str | None) -> Page[T]:
    """Return the `limit` items that come after the cursor if they are sorted by their place.

    Raises:
        CursorError: the cursor is not one of this list.
    """
    places = {place_of(item): item for item in items}
    first = next(iter(places), None)
    after = decode(cursor, None if first is None else [int if isinstance(part, int) else str for part in first])
    found = nsmallest(limit + 1, (place for place in places if after is None or place > after))
    return page_of([places[place] for place in found], place_of, limit)


def instances(
    views: Iterable[ProductView], wanted: InstanceFilter, limit: int, cursor: str | None
) -> Page[InstanceView]:
    """Return a page of the stack instances of products, by product ID, account and Region.

    An instance that is there throughout is returned exactly once, whatever changes between two pages.

    Raises:
        CursorError: the cursor is not one of this list.
    """
    place = decode(cursor, (str, str, str))
    after = None if place is None else (str(place[0]), (str(place[1]), str(place[2])))
    found = list(islice(_instances(views, wanted, after), limit + 1))
    return page_of(found, lambda one: (one.product.product.id, one.account, one.region), limit)


def _instances(
    views: Iterable[ProductView], wanted: InstanceFilter, after: tuple[str, InstanceKey] | None
) -> Iterator[InstanceView]:
    for view in sorted(views, key=lambda view: view.product.id):
        if after is not None and view.product.id < after[0]:
            continue
        begin = after[1] if after is not None and view.product.id == after[0] else None
        states = view.states
        for account, region in matching(view, wanted, begin):
            yield InstanceView(view, account, region, states[account, region])


def matching(view: ProductView, wanted: InstanceFilter, after: InstanceKey | None = None) -> Iterator[InstanceKey]:
    """Yield the stack instances of a product that match, by account and Region, from the one after `after` on."""
    if wanted.regions and wanted.regions.isdisjoint(view.regions):
        return iter(())
    states, statuses, regions = view.states, wanted.statuses, wanted.regions
    keys = _candidates(view, wanted, after)
    if regions:
        keys = (key for key in keys if key[1] in regions)
    if statuses:
        keys = (key for key in keys if states[key].status in statuses)
    return iter(keys)


def _candidates(view: ProductView, wanted: InstanceFilter, after: InstanceKey | None) -> Iterator[InstanceKey]:
    """Yield few keys that do not match, and every key that matches."""
    keys = view.keys
    start = bisect_right(keys, after) if after else 0
    if wanted.accounts:
        for account in sorted(wanted.accounts):
            first = max(start, bisect_right(keys, (account, "")))
            yield from islice(keys, first, bisect_right(keys, (account, "\U0010ffff")))
    elif wanted.statuses and Status.CURRENT not in wanted.statuses and len(view.non_current) * DENSE < len(keys):
        yield from sorted(key for key in view.non_current if after is None or key > after)
    elif not wanted.statuses or any(view.counts.get(status) for status in wanted.statuses):
        yield from islice(keys, start, None)


def page_of(found: Sequence[T], place_of: Callable[[T], Place], limit: int) -> Page[T]:
    """Return the page of items of which one more than `limit` was looked for."""
    items = found[:limit]
    return Page(items, encode(place_of(items[-1])) if len(found) > limit else None)


def _unknown(cursor: str) -> CursorError:
    return CursorError(f"{cursor!r:.80} is not a cursor of this list; leave it out to begin with the first page")
