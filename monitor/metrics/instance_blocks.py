"""The series of the stack instances of one product, rendered in blocks, so that a change costs one block.

An instance belongs to the block that the hash of its account selects. When an instance changes, its block is
rendered and compressed again; the compressed bytes of all other blocks are reused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

from monitor.config.settings import InstanceSeries, SeriesOptions
from monitor.metrics.chunk import Chunk
from monitor.metrics.families import INSTANCE_SINCE, INSTANCE_STATUS, escape, number, product_labels
from monitor.model.instances import KNOWN_STATUSES, InstanceKey, InstanceState, Product, Status

# Average number of instances in a full block. Rendering and compressing that many takes about 2 ms.
BLOCK_INSTANCES = 512

States = Mapping[InstanceKey, InstanceState]


@dataclass(frozen=True, slots=True)
class InstanceBlock:
    """The rendered series of some instances."""

    keys: tuple[InstanceKey, ...]
    status: Chunk
    """Lines of servicecatalog_stack_instance_status."""
    since: Chunk
    """Lines of servicecatalog_stack_instance_status_since_timestamp_seconds."""


Blocks = tuple[InstanceBlock, ...]


class InstanceRenderer:
    """Renders the instances of one product."""

    def __init__(self, product: Product, options: SeriesOptions) -> None:
        """Prepare the text that all instances of the product share."""
        labels = product_labels(product).replace("%", "%%")
        shown = [status for status in Status if _has_series(status, options.instance_series)]
        self._status = {status: _status_template(labels, status, zeros=options.zero_series) for status in shown}
        self._since = {
            status: f'{INSTANCE_SINCE.name}{{{labels},account="%s",region="%s",status="{status}"}} %s\n'
            for status in shown
            if status is not Status.CURRENT
        }

    def series_of(self, status: Status) -> int:
        """Return the number of series that an instance with this status has."""
        return (self._status[status][1] if status in self._status else 0) + (status in self._since)

    def blocks(self, states: States) -> Blocks:
        """Render all instances."""
        count = _block_count(len(states))
        keys: list[list[InstanceKey]] = [[] for _ in range(count)]
        for key in states:
            keys[_block_index(key, count)].append(key)
        return tuple(self._block(block_keys, states) for block_keys in keys)

    def updated(self, blocks: Blocks, changed: Iterable[InstanceKey], states: States) -> Blocks:
        """Return blocks for `states`, which differ from those of `blocks` in the `changed` instances only."""
        count, wanted = len(blocks), _block_count(len(states))
        if wanted > 2 * count or 2 * wanted < count:
            return self.blocks(states)
        changed_keys: dict[int, set[InstanceKey]] = {}
        for key in changed:
            changed_keys.setdefault(_block_index(key, count), set()).add(key)
        updated = list(blocks)
        for index, keys in changed_keys.items():
            updated[index] = self._block((key for key in keys.union(blocks[index].keys) if key in states), states)
        return tuple(updated)

    def fitting(self, states: States, max_series: int) -> tuple[States, int]:
        """Return the instances whose series fit into `max_series`, and the number of series that do not fit.

        Instances that are not CURRENT come first, then the order of account and Region decides, so that the same
        instances are left out each time.
        """
        fitting: dict[InstanceKey, InstanceState] = {}
        dropped = used = 0
        for key in sorted(states, key=lambda key: (states[key].status is Status.CURRENT, key)):
            series = self.series_of(states[key].status)
            if used + series > max_series:
                dropped += series
            else:
                used += series
                fitting[key] = states[key]
        return fitting, dropped

    def _block(self, keys: Iterable[InstanceKey], states: States) -> InstanceBlock:
        """Render and compress some instances, sorted by account and Region."""
        keys = tuple(sorted(keys))
        status_lines: list[str] = []
        since_lines: list[str] = []
        for key in keys:
            state = states[key]
            if state.status not in self._status:
                continue
            account, region = escape(key[0]), escape(key[1])
            template, lines = self._status[state.status]
            status_lines.append(template % ((account, region) * lines))
            if state.status in self._since:
                since = number(state.since.timestamp())
                since_lines.append(self._since[state.status] % (account, region, since))
        return InstanceBlock(
            keys, Chunk.compress("".join(status_lines).encode()), Chunk.compress("".join(since_lines).encode())
        )


def _has_series(status: Status, chosen: InstanceSeries) -> bool:
    return chosen is InstanceSeries.ALL or (chosen is InstanceSeries.NON_CURRENT and status is not Status.CURRENT)


def _status_template(labels: str, held: Status, *, zeros: bool) -> tuple[str, int]:
    """Return the lines of an instance that has the status `held`, and their number."""
    statuses = [status for status in Status if status is held or (zeros and status in KNOWN_STATUSES)]
    lines = (
        f'{INSTANCE_STATUS.name}{{{labels},account="%s",region="%s",status="{status}"}} {int(status is held)}\n'
        for status in statuses
    )
    return "".join(lines), len(statuses)


def _block_count(instances: int) -> int:
    # A power of two: `_block_index` needs no division, and instances move only when the number of blocks doubles.
    return 1 << max(0, (instances - 1) // BLOCK_INSTANCES).bit_length()


def _block_index(key: InstanceKey, count: int) -> int:
    """Return the block of an instance among `count`, which is a power of two."""
    return crc32(key[0].encode("utf-8", "replace")) & (count - 1)
