"""What the pages and the API show: one value per product and per source.

A view is made when something changes and not on each request. It shares its snapshot with the poller.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum

from monitor.model.accepted import Acceptance
from monitor.model.details import StackSetDetails
from monitor.model.errors import Reason
from monitor.model.instances import KNOWN_STATUSES, InstanceKey, InstanceState, Product, Snapshot, Status
from monitor.model.products import ProductDetail, ProductStatus

WORST_FIRST = (Status.INOPERABLE, Status.UNKNOWN, Status.OUTDATED, Status.CURRENT)
RANK = {status: rank for rank, status in enumerate(WORST_FIRST)}


class Severity(IntEnum):
    """How badly a product needs attention, the worst first."""

    BROKEN = 0
    """A stack instance is INOPERABLE, or the product itself has failed (ERROR, TAINTED)."""
    UNREADABLE = 1
    """AWS does not know the product, its last poll failed, or its snapshot is stale: its present state is unknown."""
    BEHIND = 2
    """A stack instance is OUTDATED, or has a status that this version does not know."""
    PENDING = 3
    """It was not polled yet."""
    FINE = 4
    """All stack instances are CURRENT or accepted."""


@dataclass(frozen=True, slots=True)
class PollFailure:
    """Why a poll or a search failed, and when."""

    reason: Reason
    error_code: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProductView:
    """A product with its last snapshot, and how its last poll ended."""

    product: Product
    source: str
    interval: float
    """Seconds between two polls."""
    detail: ProductDetail | None = None
    """What AWS said about the product last; None before that, or without the permission to describe it."""
    status_since: datetime | None = None
    """When the product was first seen with its status; None if that is not known."""
    snapshot: Snapshot | None = None
    """The last complete listing, also if it is stale; None before the first one and of a missing product."""
    keys: tuple[InstanceKey, ...] = ()
    """Every stack instance of the snapshot, by account and Region."""
    regions: frozenset[str] = frozenset()
    """The Regions of the snapshot."""
    non_current: tuple[InstanceKey, ...] = ()
    """The stack instances that are not CURRENT: INOPERABLE, UNKNOWN, OUTDATED, each by time since when, then by key."""
    missing: bool = False
    """AWS does not know the product."""
    stale: bool = False
    """The snapshot is older than `poll.stale_after`, so its series are not exposed any more."""
    polled_at: datetime | None = None
    """When the last complete poll ended."""
    seconds: float | None = None
    """How long the last poll took, complete or not."""
    failure: PollFailure | None = None
    """Why the last poll failed; None if it completed."""
    details: StackSetDetails | None = None
    """Why instances are not CURRENT, and the last rollout; None before a poll that could read them."""
    accepted: Mapping[InstanceKey, Acceptance] = field(default_factory=dict)
    """The stack instances that are not CURRENT and that an entry of `accepted` matches."""
    next_poll_at: datetime | None = None
    """When the next poll is due; in the past while one is waiting or under way. None: not scheduled yet."""

    @property
    def status(self) -> ProductStatus | None:
        """The status of the provisioned product; None if it is not known."""
        return self.detail.status if self.detail else None

    @property
    def counts(self) -> Mapping[Status, int]:
        """The stack instances of each status; empty without a snapshot."""
        return self.snapshot.counts if self.snapshot else {}

    @property
    def states(self) -> Mapping[InstanceKey, InstanceState]:
        """The stack instances of the snapshot; empty without one."""
        return self.snapshot.states if self.snapshot else {}

    @property
    def severity(self) -> Severity:
        """How badly the product needs attention. Accepted stack instances do not count."""
        worst = next((key for key in self.non_current if key not in self.accepted), None)
        status = self.states[worst].status if worst else Status.CURRENT
        if status is Status.INOPERABLE or self.status in (ProductStatus.ERROR, ProductStatus.TAINTED):
            return Severity.BROKEN
        if self.missing or self.stale or self.failure:
            return Severity.UNREADABLE
        if status is not Status.CURRENT:
            return Severity.BEHIND
        return Severity.FINE if self.snapshot else Severity.PENDING

    def with_snapshot(self, snapshot: Snapshot | None) -> "ProductView":
        """Return the view with another snapshot. What is derived from its instances is kept if they are the same."""
        if snapshot is None:
            return replace(self, snapshot=None, keys=(), regions=frozenset(), non_current=(), details=None, accepted={})
        if self.snapshot is not None and snapshot.states is self.snapshot.states:
            return replace(self, snapshot=snapshot)
        keys = tuple(sorted(snapshot.states))
        return replace(
            self,
            snapshot=snapshot,
            keys=keys,
            regions=frozenset(region for _, region in keys),
            non_current=_non_current(snapshot),
        )


@dataclass(frozen=True, slots=True)
class DiscoveryView:
    """The search of a source for products."""

    interval: float
    """Seconds between two searches."""
    names: tuple[str, ...]
    tags: Mapping[str, str]
    searched_at: datetime | None = None
    """When the last complete search ended."""
    found: int | None = None
    """The products that it found; None before the first."""
    failure: PollFailure | None = None
    """Why the last search failed; None if it completed."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """An AWS account and Region that products are read from."""

    name: str
    region: str | None
    """None: that of the environment or the profile."""
    role_arn: str | None
    """The role that is assumed; None: the credentials of the environment or the profile are used as they are."""
    profile: str | None
    accounts: tuple[str, ...]
    """The accounts in the ARNs of its products: one, and none before the first product was described."""
    calls_per_second: float
    """The configured budget."""
    allowed_calls_per_second: float
    """The budget now: lower while AWS throttles."""
    used_calls_per_second: float
    """The requests that were sent in the last five minutes, per second."""
    products: int
    failing: int
    """Products whose last poll failed."""
    failure: PollFailure | None
    """The latest of their failures."""
    discovery: DiscoveryView | None
    """None: the source has no `discover`."""


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of all products."""

    products: int
    instances: Mapping[Status, int]
    """The stack instances of each status; every documented status is included."""
    product_statuses: Mapping[ProductStatus, int]
    """The products of each status; those without a known status are left out."""
    severities: Mapping[Severity, int]
    oldest_poll_at: datetime | None
    """The end of the last complete poll that is the longest ago; None if no poll has completed."""
    next_poll_at: datetime | None
    """When the next poll of any product is due."""


def totals(views: Iterable[ProductView]) -> Totals:
    """Add up all products."""
    products = tuple(views)
    instances = dict.fromkeys(KNOWN_STATUSES, 0)
    statuses: dict[ProductStatus, int] = {}
    severities = dict.fromkeys(Severity, 0)
    for view in products:
        severities[view.severity] += 1
        for status, count in view.counts.items():
            instances[status] = instances.get(status, 0) + count
        if view.status is not None:
            statuses[view.status] = statuses.get(view.status, 0) + 1
    return Totals(
        len(products),
        instances,
        statuses,
        severities,
        oldest_poll_at=min((view.polled_at for view in products if view.polled_at), default=None),
        next_poll_at=min((view.next_poll_at for view in products if view.next_poll_at), default=None),
    )


def worst_first(view: ProductView) -> tuple[str | int, ...]:
    """Return the key that sorts products: by severity, by instances that are not CURRENT (most first), by name."""
    return (view.severity, -len(view.non_current), view.product.name, view.product.id)


def by_id(view: ProductView) -> tuple[str | int, ...]:
    """Return the key that sorts products by ID, which never changes."""
    return (view.product.id,)


def _non_current(snapshot: Snapshot) -> tuple[InstanceKey, ...]:
    found = [
        (RANK[state.status], state.since, key)
        for key, state in snapshot.states.items()
        if state.status is not Status.CURRENT
    ]
    found.sort()
    return tuple(key for _, _, key in found)
