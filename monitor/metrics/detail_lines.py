"""The sample lines that say more about a snapshot: why instances are not CURRENT, which are accepted, the rollout."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from monitor.config.settings import InstanceSeries
from monitor.metrics import families
from monitor.metrics.families import Family, escape, number
from monitor.model.accepted import Acceptance, accepted_instances
from monitor.model.details import StackSetDetails
from monitor.model.instances import InstanceKey, Product, Snapshot, Status


def detail_lines(
    labels: str,
    product: Product,
    snapshot: Snapshot | None,
    details: StackSetDetails | None,
    entries: Sequence[Acceptance],
    shown: InstanceSeries,
) -> Mapping[Family, bytes]:
    """Return the lines of each of DETAIL_FAMILIES for a product with these labels.

    Without a snapshot there are none. `entries` are what the configuration accepts.
    """
    lines: dict[Family, bytes] = dict.fromkeys(families.DETAIL_FAMILIES, b"")
    if snapshot is None:
        return lines
    accepted: Mapping[InstanceKey, Acceptance] = {}
    if entries:
        bad = (key for key, state in snapshot.states.items() if state.status is not Status.CURRENT)
        accepted = accepted_instances(entries, product, snapshot.states, bad, snapshot.observed_at.date())
    counts = Counter(snapshot.states[key].status for key in accepted)
    lines[families.INSTANCES_ACCEPTED] = _samples(
        families.INSTANCES_ACCEPTED, labels, {status: counts[status] for status in snapshot.counts}
    )
    if shown is not InstanceSeries.NONE:
        lines[families.INSTANCE_ACCEPTED] = _instances(families.INSTANCE_ACCEPTED, labels, accepted, {})
    if details is None:
        return lines
    lines[families.DETAILS_UP] = _sample(families.DETAILS_UP, labels, details.error is None)
    if shown is not InstanceSeries.NONE:
        statuses = {key: one.detailed_status for key, one in details.instances.items()}
        lines[families.DETAILED_STATUS] = _instances(families.DETAILED_STATUS, labels, statuses, statuses)
    if details.drift is not None:
        lines[families.DRIFT] = _samples(families.DRIFT, labels, details.drift)
    if (operation := details.operation) is not None:
        progress = operation.progress
        states = {"succeeded": progress.succeeded, "failed": progress.failed, "remaining": progress.remaining}
        lines[families.ROLLOUT_INSTANCES] = _samples(families.ROLLOUT_INSTANCES, labels, states)
        lines[families.ROLLOUT_START] = _sample(families.ROLLOUT_START, labels, operation.started_at.timestamp())
        if operation.ended_at is not None:
            lines[families.ROLLOUT_END] = _sample(families.ROLLOUT_END, labels, operation.ended_at.timestamp())
    return lines


def _sample(family: Family, labels: str, value: float) -> bytes:
    return f"{family.name}{{{labels}}} {number(value)}\n".encode()


def _samples(family: Family, labels: str, values: Mapping[Status, int] | Mapping[str, int]) -> bytes:
    start = f'{family.name}{{{labels},{family.labels[-1]}="'
    return "".join([f'{start}{escape(value)}"}} {count}\n' for value, count in values.items()]).encode()


def _instances(family: Family, labels: str, keys: Iterable[InstanceKey], last: Mapping[InstanceKey, str]) -> bytes:
    """Return a line of value 1 for each instance, with the value of the last label if the family has one more."""
    return "".join(
        [
            f'{family.name}{{{labels},account="{escape(key[0])}",region="{escape(key[1])}"'
            + (f',{family.labels[-1]}="{escape(last[key])}"' if last else "")
            + "} 1\n"
            for key in sorted(keys)
        ]
    ).encode()
