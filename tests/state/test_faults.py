"""Replicas that are killed, stopped in mid-commit and cut off lose, invent and repeat no transition.

Real pollers, stores and leases share one table; time is simulated. STACKSET_MONITOR_FAULTS sets the number of faults.
"""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from monitor.model.deadline import Deadline, Deadlines
from monitor.model.diff import Transition
from monitor.model.errors import PollCancelledError
from monitor.model.instances import InstanceKey, Listing, Product, Status
from monitor.model.products import ProductDetail
from monitor.poller.poller import Poller
from monitor.poller.protocols import StateError
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.leases import Leases
from monitor.state.table import Item, Key, Table, Value
from tests.making import EPOCH, EU, ONE, TWO, US, detail, monitored
from tests.poller.harness import Harness, Recorder
from tests.state.engines import DAY, DynamoDbEngine

FAULTS = int(os.environ.get("STACKSET_MONITOR_FAULTS", "40"))
LEASE = 15.0
KEYS: tuple[InstanceKey, ...] = ((ONE, EU), (ONE, US), (TWO, EU))
PRODUCTS = {f"pp-{number}": monitored(Product(f"pp-{number}", f"pp-{number}")) for number in range(6)}
KINDS = ("kill", "stop", "stop in mid-commit", "cut", "lost answers", "graceful stop")


@dataclass
class World:
    """AWS, the table, the time, and what happened."""

    table: Table
    dice: random.Random
    now: float = 1000.0
    truth: dict[str, dict[InstanceKey, Status]] = field(default_factory=dict)
    replicas: list["Replica"] = field(default_factory=list)
    started: int = 0
    logged: list[Transition] = field(default_factory=list)
    commits: list[tuple[str, int]] = field(default_factory=list)
    """The product and the epoch of each write that the table accepted."""
    takeovers: list[float] = field(default_factory=list)

    def start(self) -> None:
        """Start a replica."""
        self.started += 1
        self.replicas.append(Replica(self, f"replica-{self.started}"))

    def tick(self) -> None:
        """Let five seconds pass: something changes at AWS, and each replica that runs does what it does."""
        self.now += 5
        product_id = self.dice.choice(list(PRODUCTS))
        self.truth[product_id][self.dice.choice(KEYS)] = self.dice.choice(list(Status)[:3])
        for replica in list(self.replicas):
            if self.now >= replica.stopped_until and not replica.paused:
                replica.round()
        for product_id in PRODUCTS:
            owners = [replica for replica in self.replicas if replica.leases.owns(product_id)]
            assert len(owners) <= 1, f"two owners of {product_id}"


class Replica:
    """A replica with its connection to the table."""

    def __init__(self, world: World, name: str) -> None:
        """Start it."""
        self.world, self.name = world, name
        self.stopped_until = 0.0
        self.cut = self.answers_lost = self.pause_next_write = self.paused = False
        self.leases = Leases(self, name, 3, LEASE, self, lambda: world.now)
        self.store = DynamoDbStore(self, self.leases, DAY)
        self.owned: set[str] = set()
        harness = Harness()
        self.poller = Poller(
            {"default": self},
            self.store,
            Recorder("metrics", harness),
            Recorder("events", harness),
            Deadlines(lambda: world.now),
            confirm_shrink=0.5,
            stale_after=3600.0,
            on_state_error=lambda _: None,
            owns=self.leases.owns,
            now=lambda: EPOCH + timedelta(seconds=world.now),
            clock=lambda: world.now,
        )

    def round(self) -> None:
        """Renew the leases, follow them, poll what is owned, and log what is unpublished."""
        self.leases.enforce()
        self.leases._round()
        for product_id, one in PRODUCTS.items():
            if self.leases.owns(product_id) and product_id not in self.owned:
                self.owned.add(product_id)
                with suppress(StateError, PollCancelledError):
                    self.poller.restore(one)
            if product_id in self.owned:
                with suppress(PollCancelledError):
                    self.poller.poll(one)
        with suppress(StateError):
            self.store.adopt_unpublished()
        with suppress(StateError):
            while batch := self.store.unpublished(2):
                self.world.logged += [found for _, found in batch if isinstance(found, Transition)]
                self.store.mark_published(batch[-1][0])

    @property
    def calls_per_second(self) -> float:
        """A source without a limit."""
        return 1e6

    @property
    def page_size(self) -> int:
        """The size of a page."""
        return 20

    @property
    def details(self) -> None:
        """Without details."""
        return

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Return what AWS has."""
        return Listing(dict(self.world.truth[product_id]), 1, {})

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return what AWS has."""
        return detail(product=PRODUCTS[product_id].product)

    def acquired(self, shard: int) -> None:
        """Follow at the next product."""

    def lost(self, shard: int, reason: str) -> None:
        """Forget the products of a shard."""
        mine = {product_id for product_id in PRODUCTS if self.leases.shard_of(product_id) == shard}
        self.store.release(mine.__contains__)
        for product_id in mine & self.owned:
            self.poller.forget(product_id)
        self.owned -= mine

    def failed(self, error: StateError) -> None:
        """The table did not answer."""

    def get(self, key: Key) -> Item | None:
        """Read, if the connection is there."""
        self._require_connection()
        return self.world.table.get(key)

    def query(self, partition: str, first: str = "", last: str = "\uffff") -> Iterator[Item]:
        """Read, if the connection is there."""
        self._require_connection()
        return self.world.table.query(partition, first, last)

    def write(
        self, items: Sequence[Item], deleted: Sequence[Key] = (), expected: Mapping[str, Value | None] | None = None
    ) -> bool:
        """Write, with the fault that is set."""
        self._require_connection()
        if self.pause_next_write and items and items[0]["pk"] == "product":
            self.pause_next_write, self.paused = False, True
            self.stopped_until = self.world.now + 2 * LEASE + 5
            while self.world.now < self.stopped_until:  # the others go on meanwhile
                self.world.tick()
            self.paused = False
        accepted = self.world.table.write(items, deleted, expected)
        if accepted and items and items[0]["pk"] == "product":
            self.world.commits.append((str(items[0]["sk"]), int(items[0]["epoch"])))
        if self.answers_lost:
            raise StateError("the answer was lost")
        return accepted

    def raise_number(self, key: Key, name: str, value: int) -> Item | None:
        """Read and write, if the connection is there."""
        self._require_connection()
        return self.world.table.raise_number(key, name, value)

    def _require_connection(self) -> None:
        if self.cut:
            raise StateError("cut off")


def make_fault(world: World, kind: str) -> None:
    """Make a fault at one replica, let time pass, and end it."""
    victim = world.dice.choice(world.replicas)
    match kind:
        case "kill":
            world.replicas.remove(victim)
            world.start()
        case "graceful stop":
            victim.leases.stop()
            world.replicas.remove(victim)
            world.start()
        case "stop":
            victim.stopped_until = world.now + world.dice.choice([10, 20, 60])
        case "stop in mid-commit":
            victim.pause_next_write = True
        case "cut":
            victim.cut = True
        case _:
            victim.answers_lost = True
    began, waited = world.now, 0.0
    for _ in range(world.dice.randint(2, 8)):
        world.tick()
        if kind == "kill" and not waited and all(any(r.leases.owns(p) for r in world.replicas) for p in PRODUCTS):
            waited = world.now - began
            world.takeovers.append(waited)
    victim.cut = victim.answers_lost = False


@pytest.mark.timeout(3000)
def test_nothing_is_lost_invented_or_committed_by_two_owners(dynamodb: DynamoDbEngine) -> None:
    """Each instance's transitions form one chain without gaps, all are logged, and epochs never go back."""
    world = World(dynamodb.table, random.Random(FAULTS))
    world.truth = {product_id: dict.fromkeys(KEYS, Status.CURRENT) for product_id in PRODUCTS}
    for _ in range(3):
        world.start()
    for _ in range(8):
        world.tick()
    counts: Counter[str] = Counter()
    for number in range(FAULTS):
        kind = KINDS[number % len(KINDS)]
        counts[kind] += 1
        make_fault(world, kind)
    for _ in range(20):
        world.tick()

    committed = list(dynamodb.reader(EPOCH + timedelta(seconds=world.now)).transitions(EPOCH))
    assert {t.event_id for t in world.logged} == {t.event_id for t in committed}
    assert len({t.event_id for t in committed}) == len(committed)
    for product_id in PRODUCTS:
        epochs = [epoch for name, epoch in world.commits if name == product_id]
        assert epochs == sorted(epochs)
        for key in KEYS:
            chain = [t for t in committed if t.product.id == product_id and t.key == key]
            if not chain:
                continue
            status = chain[0].previous_status  # that of the baseline
            for transition in chain:
                assert transition.previous_status is status
                status = transition.status
            assert status is world.truth[product_id][key]
    assert len(committed) > FAULTS / 2
    takeovers = sorted(world.takeovers)
    print(
        f"\n{sum(counts.values())} faults {dict(counts)}, {len(world.commits)} commits, {len(committed)} transitions,"
        f" {len(world.logged) - len(committed)} logged again, takeover p50 {takeovers[len(takeovers) // 2]:g} s,"
        f" max {takeovers[-1]:g} s of simulated time"
    )
