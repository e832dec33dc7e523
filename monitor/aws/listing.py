"""Assembles pages of stack instances into a complete listing.

API: ListStackInstancesForProvisionedProduct.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from monitor.aws.responses import incomplete, next_token
from monitor.model.instances import Anomaly, InstanceKey, Listing, Status

# How many different unknown statuses a listing names. A broken response may contain any number.
MAXIMUM_UNKNOWN_STATUSES = 10
# Characters. An account has 12, a Region at most 20; an endless listing of long ones must not fill the memory.
_MAXIMUM_LENGTH = 64
_STATUSES: dict[str, Status] = {status.value: status for status in Status if status is not Status.UNKNOWN}
_SEVERITY = {Status.CURRENT: 0, Status.UNKNOWN: 1, Status.OUTDATED: 2, Status.INOPERABLE: 3}


@dataclass(frozen=True, slots=True)
class Page:
    """One checked page; the items are not checked yet."""

    items: Sequence[Mapping[str, Any] | None]
    next_token: str | None


def check_page(answer: Any, page_size: int) -> Page:
    """Return a decoded response as a page.

    Raises:
        PollFailedError: it is not a page of at most `page_size` stack instances (incomplete).
    """
    items = answer.get("StackInstances") if isinstance(answer, Mapping) else None
    if not isinstance(items, list):
        raise incomplete("NotAListing", "the response has no list of stack instances")
    if not all(isinstance(item, Mapping | None) for item in items):
        raise incomplete("NotAListing", "the list contains something that is not a stack instance")
    if len(items) > page_size:
        raise incomplete("PageTooLarge", f"the page has {len(items)} stack instances; {page_size} were requested")
    return Page(items, next_token(answer))


class ListingBuilder:
    """Builds a listing from its pages."""

    def __init__(self) -> None:
        """Begin an empty listing."""
        self._statuses: dict[InstanceKey, Status] = {}
        self._anomalies: Counter[Anomaly] = Counter()
        self._unknown: set[str] = set()
        self.pages = 0
        """The number of pages so far."""

    @property
    def instances(self) -> int:
        """The number of stack instances so far."""
        return len(self._statuses)

    def add(self, page: Page) -> None:
        """Add a page."""
        self.pages += 1
        for item in page.items:
            self._add_item(item or {})

    def listing(self) -> Listing:
        """Return the listing of all pages."""
        return Listing(self._statuses, self.pages, dict(self._anomalies), frozenset(self._unknown))

    def _add_item(self, item: Mapping[str, Any]) -> None:
        account, region, raw = item.get("Account"), item.get("Region"), item.get("StackInstanceStatus")
        if not (_is_label(account) and _is_label(region)):
            self._anomalies[Anomaly.INVALID_ITEM] += 1
            return
        status = _STATUSES.get(raw) if isinstance(raw, str) else None
        if status is None:
            status = Status.UNKNOWN
            self._anomalies[Anomaly.UNKNOWN_STATUS] += 1
            if len(self._unknown) < MAXIMUM_UNKNOWN_STATUSES:
                text = raw[:_MAXIMUM_LENGTH] if isinstance(raw, str) else None
                self._unknown.add(text if _is_label(text) else ascii(raw)[:_MAXIMUM_LENGTH])
        # One string for each account and Region, however many instances and products have them.
        key = (sys.intern(account), sys.intern(region))
        if key in self._statuses:
            self._anomalies[Anomaly.DUPLICATE] += 1
            # The more severe status counts, in either order: a problem is never hidden.
            status = max(status, self._statuses[key], key=_SEVERITY.__getitem__)
        self._statuses[key] = status


def _is_label(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAXIMUM_LENGTH and value.isprintable()
