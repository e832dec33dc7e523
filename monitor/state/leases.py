"""Which replica owns which products: one lease for each shard, in the table of the state.

The algorithm is that of the Kinesis Client Library. The owner of a lease raises its counter every third of the time of
a lease. A replica takes a lease over when its counter did not move for the whole time, by the clock of that replica:
clocks of different machines are never compared. Each change of the owner raises the epoch, with which the next owner
fences off the one before (dynamodb.py).
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitor.model.shard import shard_of
from monitor.poller.protocols import NotOwnerError, StateError
from monitor.state.table import Item, Table, Value

PARTITION = "lease"
# The owner stops after this share of the time, measured from before its last renewal; the next one begins after the
# whole time, measured from after it saw that renewal. In between the series of the products are dropped.
HELD_SHARE = 0.85
RENEWALS = 3
# Replicas with different numbers of shards may take a product at once, since each asks for its own lease only. The
# number of shards, at most 64, is part of the epoch: theirs differ, and DynamoDB refuses the commits of one of them.
EPOCH_STEP = 128
_REPLICA, _SHARD = "replica#", "shard#"


def boot_time() -> float:
    """Return the seconds since the machine was started, with the time that it was suspended.

    `time.monotonic` leaves that time out on Linux: a suspended owner would take its lease for valid.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseObserver(Protocol):
    """Is called when this replica gets or loses a lease, by any thread. Must return soon."""

    def acquired(self, shard: int) -> None:
        """The replica owns the products of a shard."""

    def lost(self, shard: int, reason: str) -> None:
        """It does not own them any more: `lost`, or `released` to another replica."""

    def failed(self, error: StateError) -> None:
        """The table could not be read or written."""


@dataclass(slots=True)
class _Held:
    """A lease of this replica."""

    epoch: int
    counter: int
    renewed_at: float
    """The clock before the last renewal that succeeded."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read of a lease or of a replica, and when it was read first."""

    owner: str
    epoch: int
    counter: int
    at: float

    def same(self, other: "_Seen | None") -> bool:
        return other is not None and (self.owner, self.epoch, self.counter) == (other.owner, other.epoch, other.counter)


class Leases:
    """The leases of this replica. `epoch` and `owns` may be called by any thread."""

    def __init__(
        self,
        table: Table,
        replica: str,
        shards: int,
        seconds: float,
        observer: LeaseObserver,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        """Divide `shards` leases of `seconds` with the other replicas. `replica` is different for each process."""
        self._table = table
        self._replica = replica
        self._shards = shards
        self._seconds = seconds
        self._observer = observer
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[int, _Held] = {}
        self._seen: dict[str, _Seen] = {}
        self._beats = 0
        self._stopping = threading.Event()
        self._threads = (
            threading.Thread(target=self._run, name="leases", daemon=True),
            threading.Thread(target=self._guard, name="lease guard", daemon=True),
        )

    def owns(self, product_id: str) -> bool:
        """Return whether this replica owns a product now."""
        return self._epoch(product_id) is not None

    def epoch(self, product_id: str) -> int:
        """Return the epoch of the lease of a product. Raises `NotOwnerError` if this replica does not hold it."""
        epoch = self._epoch(product_id)
        if epoch is None:
            message = f"this replica does not hold the lease of shard {shard_of(product_id, self._shards)}"
            raise NotOwnerError(message)
        return epoch

    def shard_of(self, product_id: str) -> int:
        """Return the shard of a product."""
        return shard_of(product_id, self._shards)

    def owners(self) -> Mapping[int, str]:
        """Return the replica that owned each shard when the table was read last; empty: none."""
        with self._lock:
            return {shard: seen.owner if (seen := self._seen.get(self._key(shard))) else "" for shard in self._all()}

    def alive(self) -> bool:
        """Return whether the threads are running."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Take what is free, and start the threads."""
        self._round()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Hand the leases over at once: the replica must not poll any more. Waits for DynamoDB at most some seconds."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(self._seconds / RENEWALS)
        try:
            self._release(list(self._held))
            self._table.write((), [(PARTITION, f"{_REPLICA}{self._replica}")])
        except StateError as error:
            self._observer.failed(error)

    def enforce(self) -> None:
        """Drop the leases that were not renewed in time. Returns at once if there is none."""
        with self._lock:
            now = self._clock()
            expired = [shard for shard, held in self._held.items() if not self._valid(held, now)]
            for shard in expired:
                del self._held[shard]
        for shard in expired:
            self._observer.lost(shard, "lost")

    def step(self) -> None:
        """Renew, take and give: one round. Raises `StateError`."""
        self.enforce()
        before = self._clock()
        found = {str(item["sk"]): item for item in self._table.query(PARTITION)}
        self._observe(found, self._clock())
        self._beats += 1
        self._table.write([{"pk": PARTITION, "sk": f"{_REPLICA}{self._replica}", "counter": self._beats}])
        self._renew()
        live = {self._replica}
        for key, seen in self._seen.items():
            if key.startswith(_REPLICA) and key != f"{_REPLICA}{self._replica}":
                if self._expired(seen, before):
                    self._table.write((), [(PARTITION, key)])
                else:
                    live.add(key.removeprefix(_REPLICA))
        counts = Counter(dict.fromkeys(live, 0))
        counts.update(
            s.owner for key, s in self._seen.items() if key in map(self._key, self._all()) and s.owner in live
        )
        counts[self._replica] = len(self._held)
        self._release(sorted(self._held)[: self._surplus(counts)])
        if any(shards > self._shards for shards in self._other_numbers(before)):
            self._release(sorted(self._held))  # both took leases at once
        self._take(found, before, most=-(-self._shards // len(live)))

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds / RENEWALS):
            self._round()

    def _round(self) -> None:
        try:
            self.step()
        except StateError as error:
            self._observer.failed(error)

    def _guard(self) -> None:
        # A thread of its own: a renewal may wait for DynamoDB longer than the lease is valid.
        while not self._stopping.wait(self._seconds * (1 - HELD_SHARE) / 4):
            self.enforce()

    def _observe(self, found: Mapping[str, Item], now: float) -> None:
        seen = {}
        for key, item in found.items():
            fresh = _Seen(str(item.get("owner", "")), int(item.get("epoch", 0)), int(item.get("counter", 0)), now)
            known = self._seen.get(key)
            seen[key] = known if known is not None and fresh.same(known) else fresh
        with self._lock:
            self._seen = seen

    def _renew(self) -> None:
        for shard, held in list(self._held.items()):
            now = self._clock()
            item = self._item(shard, held.epoch, held.counter + 1)
            # Owner and epoch only: a renewal whose answer was lost has raised the counter.
            if self._table.write([item], expected={"owner": self._replica, "epoch": held.epoch}):
                held.counter, held.renewed_at = held.counter + 1, now
            else:
                with self._lock:
                    gone = self._held.pop(shard, None)
                if gone:
                    self._observer.lost(shard, "lost")

    def _surplus(self, counts: Mapping[str, int]) -> int:
        """Return how many leases this replica gives away, so that the numbers of leases differ by one at most."""
        own = counts[self._replica]
        least, most = self._shards // len(counts), -(-self._shards // len(counts))
        if own > most:
            return own - most
        richest = max(counts.values())
        giver = min(replica for replica, count in counts.items() if count == richest)
        starving = any(count < least for count in counts.values())
        return 1 if own > least and starving and giver == self._replica else 0

    def _release(self, shards: Sequence[int]) -> None:
        for shard in shards:
            with self._lock:
                held = self._held.pop(shard, None)
            if held is None:
                continue
            self._observer.lost(shard, "released")
            item = {**self._item(shard, held.epoch, held.counter + 1), "owner": ""}
            self._table.write([item], expected={"owner": self._replica, "epoch": held.epoch})

    def _take(self, found: Mapping[str, Item], before: float, most: int) -> None:
        if self._other_numbers(before):
            return  # replicas with another number of shards are running: a product would have two owners
        for shard in self._all():
            key = self._key(shard)
            seen = self._seen.get(key)
            if len(self._held) >= most or shard in self._held or self._stopping.is_set():
                continue
            if seen is not None and seen.owner not in ("", self._replica) and not self._expired(seen, before):
                continue
            last = max((int(item.get("epoch", 0)) for item in found.values()), default=0)
            epoch = (last // EPOCH_STEP + 1) * EPOCH_STEP + self._shards
            now = self._clock()
            expected: dict[str, Value | None] = {"epoch": None}
            if seen is not None:
                expected = {"owner": seen.owner, "epoch": seen.epoch, "counter": seen.counter}
            if self._table.write([self._item(shard, epoch, 0)], expected=expected):
                with self._lock:
                    self._held[shard] = _Held(epoch, 0, now)
                self._observer.acquired(shard)

    def _other_numbers(self, before: float) -> set[int]:
        """Return the other numbers of shards of which a lease is owned."""
        owned = [key for key, seen in self._seen.items() if seen.owner and not self._expired(seen, before)]
        numbers = {int(key.partition("/")[2]) for key in owned if key.startswith(_SHARD)}
        return numbers - {self._shards}

    def _epoch(self, product_id: str) -> int | None:
        with self._lock:
            held = self._held.get(shard_of(product_id, self._shards))
            return held.epoch if held and self._valid(held, self._clock()) else None

    def _valid(self, held: _Held, now: float) -> bool:
        return now - held.renewed_at < HELD_SHARE * self._seconds

    def _expired(self, seen: _Seen, before: float) -> bool:
        return before - seen.at >= self._seconds

    def _item(self, shard: int, epoch: int, counter: int) -> dict[str, Value]:
        return {"pk": PARTITION, "sk": self._key(shard), "owner": self._replica, "epoch": epoch, "counter": counter}

    def _key(self, shard: int) -> str:
        return f"{_SHARD}{shard}/{self._shards}"

    def _all(self) -> range:
        return range(self._shards)
