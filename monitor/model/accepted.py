"""Stack instances that are known not to be CURRENT and accepted: they stay visible and raise no alert."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from monitor.model.instances import InstanceKey, InstanceState, Product, Status


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An entry of `accepted` in the configuration."""

    account: str
    statuses: frozenset[Status]
    until: date
    """The last day on which it applies, in UTC."""
    reason: str
    region: str | None = None
    """None: every Region."""
    product: str | None = None
    """The ID or the name of a product. None: every product."""

    def expired(self, today: date) -> bool:
        """Return whether the entry does not apply any more."""
        return today > self.until

    def matches(self, product: Product, key: InstanceKey, status: Status) -> bool:
        """Return whether the entry, if it has not expired, accepts a stack instance with this status."""
        return (
            key[0] == self.account
            and status in self.statuses
            and self.region in (None, key[1])
            and self.product in (None, product.id, product.name)
        )


class Unused(StrEnum):
    """Why an entry accepts nothing."""

    EXPIRED = "expired"
    UNMATCHED = "unmatched"


def unused_entries(
    entries: Sequence[Acceptance],
    fleet: Iterable[tuple[Product, Iterable[tuple[InstanceKey, Status]]]],
    today: date,
) -> Mapping[Acceptance, Unused]:
    """Return the entries that accept nothing: they have expired, or match no instance of the products in `fleet`."""
    valid = [entry for entry in entries if not entry.expired(today)]
    if valid:
        for product, instances in fleet:
            for key, status in instances:
                valid = [entry for entry in valid if not entry.matches(product, key, status)]
    return {
        entry: Unused.EXPIRED if entry.expired(today) else Unused.UNMATCHED
        for entry in entries
        if entry in valid or entry.expired(today)
    }


def accepted_instances(
    entries: Sequence[Acceptance],
    product: Product,
    states: Mapping[InstanceKey, InstanceState],
    candidates: Iterable[InstanceKey],
    today: date,
) -> Mapping[InstanceKey, Acceptance]:
    """Return which of the `candidates` are accepted, each with the first entry that matches it."""
    valid: dict[str, list[Acceptance]] = {}
    for entry in entries:
        if not entry.expired(today) and entry.product in (None, product.id, product.name):
            valid.setdefault(entry.account, []).append(entry)
    if not valid:
        return {}
    found: dict[InstanceKey, Acceptance] = {}
    for key in candidates:
        for entry in valid.get(key[0], ()):
            if entry.matches(product, key, states[key].status):
                found[key] = entry
                break
    return found
