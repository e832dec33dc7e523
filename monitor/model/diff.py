"""Compare the last snapshot with a new listing. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.model.details import InstanceDetail, StackSetDetails
from monitor.model.instances import InstanceKey, InstanceState, Listing, Product, Snapshot, Status, count_statuses
from monitor.model.products import ProductStatus, ProductTransition
from monitor.model.products import event_id as event_id_of


@dataclass(frozen=True, slots=True)
class Transition:
    """One stack instance that changed status, appeared (no previous status) or disappeared (no status).

    The log line, the counter, the stored row and the API object are all made from this value.
    """

    event_id: str
    poll_id: str
    product: Product
    account: str
    region: str
    previous_status: Status | None
    status: Status | None
    previous_since: datetime | None
    observed_at: datetime
    provisioned_product_status: ProductStatus | None = None
    """Status of the product in the same poll; None if the poll could not describe it."""
    detailed_status: str | None = None
    """With `details`: why the instance is not CURRENT, as CloudFormation says it (`FAILED`, for example)."""
    status_reason: str | None = None
    """The same as a text of CloudFormation."""
    operation_id: str | None = None
    """The last operation of CloudFormation on the instance."""

    @property
    def key(self) -> InstanceKey:
        """Account and Region."""
        return (self.account, self.region)


@dataclass(frozen=True, slots=True)
class Change:
    """The result of one poll: the new snapshot, and the transitions that lead to it from the last one."""

    poll_id: str
    product: Product
    previous: Snapshot | None
    snapshot: Snapshot
    transitions: tuple[Transition, ...]
    earlier: tuple[Transition | ProductTransition, ...] = ()
    """Transitions of earlier polls that are not stored yet, oldest first: stored and published before the others.

    If there are any, `previous` was never stored.
    """
    details: StackSetDetails | None = None
    """Why instances of the snapshot are not CURRENT; None if the source has no `details`."""

    @property
    def instance_transitions(self) -> tuple[Transition, ...]:
        """All transitions of stack instances that this change commits, oldest first."""
        return (*(t for t in self.earlier if isinstance(t, Transition)), *self.transitions)

    @property
    def baseline(self) -> bool:
        """True for the first snapshot ever of a product, which has no transitions."""
        return self.previous is None


def diff(
    previous: Snapshot | None,
    listing: Listing,
    product: Product,
    poll_id: str,
    observed_at: datetime,
    product_status: ProductStatus | None = None,
) -> Change:
    """Compare a listing with the last snapshot.

    An unchanged instance keeps the time since when it has its status. Transitions are sorted by account and Region.
    Their ids are derived from `poll_id`, so the same input always gives the same change.
    """
    if previous is None:
        return Change(poll_id, product, None, first_snapshot(listing, product, observed_at), ())
    old, new = previous.states, listing.statuses
    changed = [
        key
        for key, status in new.items()
        if (instance_state := old.get(key)) is None or instance_state.status is not status
    ]
    changed.extend(old.keys() - new.keys())
    if not changed:
        return Change(poll_id, product, previous, replace(previous, observed_at=observed_at), ())
    transitions = tuple(
        _transition(key, old.get(key), new.get(key), product, poll_id, observed_at, product_status)
        for key in sorted(changed)
    )
    states = apply(old, transitions)
    snapshot = Snapshot(product.id, observed_at, states, count_statuses(states.values()))
    return Change(poll_id, product, previous, snapshot, transitions)


def explained(change: Change, details: StackSetDetails | None) -> Change:
    """Return a change with details, whose transitions say why the instances are not CURRENT. Nothing else differs."""
    if details is None:
        return change
    transitions = tuple(_explained(t, details.instances.get(t.key)) for t in change.transitions)
    return replace(change, transitions=transitions, details=details)


def net_change(base: Snapshot | None, change: Change) -> Change:
    """Return the change from `base` straight to the snapshot of `change`, without what happened in between.

    Without a base it is a baseline.
    """
    statuses = {key: state.status for key, state in change.snapshot.states.items()}
    status = change.transitions[0].provisioned_product_status if change.transitions else None
    net = diff(base, Listing(statuses, 0, {}), change.product, change.poll_id, change.snapshot.observed_at, status)
    return explained(replace(net, snapshot=change.snapshot), change.details)


def apply(
    states: Mapping[InstanceKey, InstanceState], transitions: Iterable[Transition]
) -> Mapping[InstanceKey, InstanceState]:
    """Return the states after the transitions. Unchanged states are shared, not copied."""
    result = dict(states)
    shared: dict[tuple[Status, datetime], InstanceState] = {}
    for change in transitions:
        if change.status is None:
            result.pop(change.key, None)
        else:
            now = (change.status, change.observed_at)
            result[change.key] = shared.setdefault(now, InstanceState(*now))
    return result


def first_snapshot(listing: Listing, product: Product, observed_at: datetime) -> Snapshot:
    """Return a listing as a snapshot without a previous one: every status is first seen now."""
    shared = {status: InstanceState(status, observed_at) for status in Status}
    states = {key: shared[status] for key, status in listing.statuses.items()}
    return Snapshot(product.id, observed_at, states, count_statuses(states.values()))


def _transition(
    key: InstanceKey,
    before: InstanceState | None,
    status: Status | None,
    product: Product,
    poll_id: str,
    observed_at: datetime,
    product_status: ProductStatus | None,
) -> Transition:
    account, region = key
    return Transition(
        event_id=event_id_of(poll_id, product, key),
        poll_id=poll_id,
        product=product,
        account=account,
        region=region,
        previous_status=before.status if before else None,
        status=status,
        previous_since=before.since if before else None,
        observed_at=observed_at,
        provisioned_product_status=product_status,
    )


def _explained(transition: Transition, detail: InstanceDetail | None) -> Transition:
    if detail is None or transition.status in (None, Status.CURRENT):
        return transition
    return replace(
        transition,
        detailed_status=detail.detailed_status,
        status_reason=detail.reason,
        operation_id=detail.operation_id,
    )
