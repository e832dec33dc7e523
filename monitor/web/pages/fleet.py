"""The values of the home page: all products together, and what needs attention."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.model.instances import Status
from monitor.model.paging import Page, paginate
from monitor.model.products import IN_ROLLOUT
from monitor.model.views import ProductView, Totals, totals, worst_first
from monitor.web.pages.instances import (
    CONSIDERED,
    NOT_CURRENT,
    AccountView,
    accounts_in_need,
    counts_in_need,
)

# Accounts that need attention on the home page.
ACCOUNTS = 8
# Rows of a table.
ROWS = 100


@dataclass(frozen=True, slots=True)
class Need:
    """What needs attention now."""

    counts: Mapping[Status, int]
    accounts: Sequence[AccountView]
    """The worst ones."""
    more_accounts: int
    """Those that are left out."""
    complete: bool
    """False: there are more stack instances than were grouped by account."""

    @property
    def instances(self) -> int:
        """Return the number of stack instances."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Fleet:
    """The home page."""

    totals: Totals
    need: Need
    rollouts: Sequence[ProductView]
    """Products that are under change."""
    unreadable: Sequence[ProductView]
    """Products whose present state is not known."""
    products: Page[ProductView]
    views: Sequence[ProductView]
    """Every product."""

    @property
    def instances(self) -> int:
        """Return the number of stack instances."""
        return sum(self.totals.instances.values())

    @property
    def accepted(self) -> int:
        """Return the number of stack instances that are not CURRENT and accepted by the configuration."""
        return sum(len(view.accepted) for view in self.views)

    @property
    def in_rollout(self) -> int:
        """Return the number of stack instances that are OUTDATED because a rollout has not reached them yet."""
        return sum(view.counts.get(Status.OUTDATED, 0) for view in self.rollouts)


def fleet(views: Sequence[ProductView], cursor: str | None) -> Fleet:
    """Return the values of the home page.

    Raises:
        CursorError: the cursor is not one of the list of products.
    """
    return Fleet(
        totals=totals(views),
        need=_need(views),
        rollouts=[view for view in sorted(views, key=worst_first) if view.status in IN_ROLLOUT],
        unreadable=sorted(
            (view for view in views if view.missing or view.stale or view.failure), key=lambda view: view.product.name
        ),
        products=paginate(views, worst_first, ROWS, cursor),
        views=views,
    )


def _need(views: Sequence[ProductView]) -> Need:
    counts = dict.fromkeys(NOT_CURRENT, 0)
    for view in views:
        for status, number in counts_in_need(view).items():
            counts[status] += number
    accounts = accounts_in_need(views)
    return Need(
        counts={status: number for status, number in counts.items() if number},
        accounts=accounts[:ACCOUNTS],
        more_accounts=max(0, len(accounts) - ACCOUNTS),
        complete=sum(counts.values()) <= CONSIDERED,
    )
