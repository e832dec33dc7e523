"""The series of stack instances in blocks, so that work grows with what changed and not with the fleet.

Each instance belongs to a block by a hash of its account. When an instance changes, its block is written
and packed again; the other blocks, and their packed bytes, are kept.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

from monitor.config.settings import InstanceSeries, SeriesOptions
from monitor.metrics.families import INSTANCE_SINCE, INSTANCE_STATUS
from monitor.metrics.pieces import Piece, part, piece
from monitor.metrics.text import escape, number, product_labels
from monitor.model.instances import KNOWN_STATUSES, InstanceKey, InstanceState, Product, Status

BLOCK_INSTANCES = 512
"""Instances in a full block: one change costs that many to be written again (about 2 ms)."""


@dataclass(frozen=True, slots=True)
class _Block:
    members: tuple[InstanceKey, ...]
    status: Piece
    since: Piece


class Writer:
    """Writes the lines of one product's instances."""

    def __init__(self, product: Product, options: SeriesOptions) -> None:
        """Prepare everything that is the same for all instances of a product."""
        labels = product_labels(product)
        self._options = options
        self._status = {status: _template(labels, status, zeros=options.zero_series) for status in Status}
        self._since = {
            status: INSTANCE_SINCE.name + f'{{{_percent_safe(labels)},account="%s",region="%s",status="{status}"}} %s\n'
            for status in Status
        }

    def shown(self, status: Status) -> bool:
        """Say whether instances of this status have series."""
        match self._options.instance_series:
            case InstanceSeries.ALL:
                return True
            case InstanceSeries.NON_CURRENT:
                return status is not Status.CURRENT
        return False

    def series_of(self, status: Status) -> int:
        """Return how many series an instance of this status has."""
        if not self.shown(status):
            return 0
        return self._status[status][1] + (status is not Status.CURRENT)

    def block(self, members: Iterable[InstanceKey], states: Mapping[InstanceKey, InstanceState]) -> _Block:
        """Write and pack the lines of some instances, sorted by account and Region."""
        members = tuple(sorted(members))
        shown = {status for status in Status if self.shown(status)}
        status_lines: list[str] = []
        since_lines: list[str] = []
        for key in members:
            instance_state = states[key]
            status = instance_state.status
            if status not in shown:
                continue
            account, region = escape(key[0]), escape(key[1])
            template, times = self._status[status]
            status_lines.append(template % ((account, region) * times))
            if status is not Status.CURRENT:
                since_lines.append(self._since[status] % (account, region, number(instance_state.since.timestamp())))
        return _Block(members, piece("".join(status_lines).encode()), piece("".join(since_lines).encode()))


class Blocks:
    """The blocks of one product as they are after one snapshot. A change makes new ones of them."""

    def __init__(self, writer: Writer, states: Mapping[InstanceKey, InstanceState]) -> None:
        """Write every block anew."""
        count = _block_count(len(states))
        members: list[list[InstanceKey]] = [[] for _ in range(count)]
        for key in states:
            members[_place(key, count)].append(key)
        self._take(writer, [writer.block(keys, states) for keys in members])

    def changed(self, keys: Iterable[InstanceKey], states: Mapping[InstanceKey, InstanceState]) -> "Blocks":
        """Return blocks that show `states`, where only the instances of `keys` differ from before."""
        count, wanted = len(self._blocks), _block_count(len(states))
        if wanted > 2 * count or 2 * wanted < count:
            return Blocks(self._writer, states)
        touched: dict[int, set[InstanceKey]] = {}
        for key in keys:
            touched.setdefault(_place(key, count), set()).add(key)
        blocks = list(self._blocks)
        for place, some in touched.items():
            members = {key for key in some.union(blocks[place].members) if key in states}
            blocks[place] = self._writer.block(members, states)
        after = object.__new__(Blocks)
        after._take(self._writer, blocks)
        return after

    def _take(self, writer: Writer, blocks: list[_Block]) -> None:
        self._writer = writer
        self._blocks = blocks
        self.status = part(block.status for block in blocks)
        """servicecatalog_stack_instance_status."""
        self.since = part(block.since for block in blocks)
        """servicecatalog_stack_instance_status_since_timestamp_seconds."""


def within_room(
    writer: Writer, states: Mapping[InstanceKey, InstanceState], room: int
) -> tuple[Mapping[InstanceKey, InstanceState], int]:
    """Leave instances out until the series fit; return those that stay and how many series were dropped.

    What is not CURRENT stays longest, then by account and Region, so that the choice does not flicker.
    """
    order = sorted(states, key=lambda key: (states[key].status is Status.CURRENT, key))
    kept: dict[InstanceKey, InstanceState] = {}
    dropped = used = 0
    for key in order:
        series = writer.series_of(states[key].status)
        if used + series > room:
            dropped += series
        else:
            used += series
            kept[key] = states[key]
    return kept, dropped


def _block_count(instances: int) -> int:
    """Return a power of two, so that a block has at most BLOCK_INSTANCES on the average."""
    return 1 << max(0, (instances - 1) // BLOCK_INSTANCES).bit_length()


def _template(labels: str, held: Status, *, zeros: bool) -> tuple[str, int]:
    """Return the lines of an instance that has status `held`, and how many there are."""
    statuses = [status for status in Status if status is held or (zeros and status in KNOWN_STATUSES)]
    lines = (
        f'{INSTANCE_STATUS.name}{{{_percent_safe(labels)},account="%s",region="%s",status="{status}"}}'
        f" {int(status is held)}\n"
        for status in statuses
    )
    return "".join(lines), len(statuses)


def _percent_safe(labels: str) -> str:
    return labels.replace("%", "%%")


def _place(key: InstanceKey, count: int) -> int:
    """Return the block of an instance, where there are `count`, a power of two."""
    return crc32(key[0].encode("utf-8", "replace")) & (count - 1)
