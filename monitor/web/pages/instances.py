"""Stack instances in the order in which a person wants to see them: the worst first, then the longest."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from monitor.model.instances import InstanceKey, Status
from monitor.model.paging import InstanceFilter, InstanceView, Page, Place, decode, instances, matching, page_of
from monitor.model.products import IN_ROLLOUT
from monitor.model.views import RANK, WORST_FIRST, ProductView

NOT_CURRENT = frozenset(Status) - {Status.CURRENT}
# The most instances that are grouped by account: during a rollout, a million may not be CURRENT.
CONSIDERED = 2000

_PLACE = (int, str, str, str, str)


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account whose stack instances need attention."""

    account: str
    counts: Mapping[Status, int]
    products: Sequence[ProductView]
    regions: Sequence[str]
    since: datetime
    """Since when the instance has its status that has it the longest."""


def wanted_instances(
    views: Iterable[ProductView], wanted: InstanceFilter, limit: int, cursor: str | None
) -> Page[InstanceView]:
    """Return a page of stack instances: those not CURRENT with the worst first, others by product, account and Region.

    Raises:
        CursorError: the cursor is not one of this list.
    """
    if not wanted.statuses <= NOT_CURRENT or not wanted.statuses:
        return instances(views, wanted, limit, cursor)
    after = decode(cursor, _PLACE)
    found = list(islice(merge(*(_after(view, wanted, after) for view in views), key=_place), limit + 1))
    return page_of(found, _place, limit)


def accounts_in_need(views: Iterable[ProductView]) -> Sequence[AccountView]:
    """Return the accounts with stack instances that need attention, the one with the worst instance first.

    Only the `CONSIDERED` worst stack instances are grouped.
    """
    worst = islice(merge(*(_in_need(view) for view in views), key=_place), CONSIDERED)
    by_account: dict[str, list[InstanceView]] = {}
    for instance in worst:
        by_account.setdefault(instance.account, []).append(instance)
    return [_account_view(account, found) for account, found in by_account.items()]


def counts_in_need(view: ProductView) -> Mapping[Status, int]:
    """Return how many stack instances need attention.

    These are all that are not CURRENT, without accepted ones, and without the OUTDATED ones of a rollout.
    """
    expected = {Status.OUTDATED} if view.status in IN_ROLLOUT else set()
    accepted = Counter(view.states[key].status for key in view.accepted)
    counts = {status: count - accepted[status] for status, count in view.counts.items()}
    return {status: count for status, count in counts.items() if count > 0 and status in NOT_CURRENT - expected}


def _in_need(view: ProductView) -> Iterator[InstanceView]:
    statuses = counts_in_need(view)
    for key in _of_statuses(view, statuses, 0):
        if key not in view.accepted:
            yield _instance(view, key)


def _after(view: ProductView, wanted: InstanceFilter, after: Place | None) -> Iterator[InstanceView]:
    if wanted.regions and wanted.regions.isdisjoint(view.regions):
        return

    def place(key: InstanceKey) -> Place:
        return _place(_instance(view, key))

    keys: Iterable[InstanceKey]
    if wanted.accounts:  # few: found by bisection, and sorted again
        keys = (key for key in sorted(matching(view, wanted), key=place) if after is None or place(key) > after)
    else:
        begin = bisect_right(view.non_current, after, key=place) if after else 0
        keys = _of_statuses(view, wanted.statuses, begin)
    for key in keys:
        if not wanted.regions or key[1] in wanted.regions:
            yield _instance(view, key)


def _of_statuses(view: ProductView, statuses: Collection[Status], begin: int) -> Iterator[InstanceKey]:
    """Yield the instances that are not CURRENT and have one of the statuses, from an index of `non_current` on."""
    end = 0
    for status in WORST_FIRST[:-1]:  # the order of `non_current`
        first, end = end, end + view.counts.get(status, 0)
        if status in statuses:
            yield from islice(view.non_current, max(begin, first), end)


def _instance(view: ProductView, key: InstanceKey) -> InstanceView:
    return InstanceView(view, *key, view.states[key])


def _place(instance: InstanceView) -> Place:
    since = instance.state.since.isoformat(timespec="microseconds")
    rank = RANK[instance.state.status]
    return (rank, since, instance.account, instance.region, instance.product.product.id)


def _account_view(account: str, found: Sequence[InstanceView]) -> AccountView:
    return AccountView(
        account=account,
        counts=Counter(instance.state.status for instance in found),
        products=list({instance.product.product.id: instance.product for instance in found}.values()),
        regions=sorted({instance.region for instance in found}),
        since=min(instance.state.since for instance in found),
    )
