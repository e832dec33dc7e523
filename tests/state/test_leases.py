"""Leases divide the shards among replicas, and no product has two owners."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from monitor.poller.protocols import NotOwnerError, StateError
from monitor.state.leases import HELD_SHARE, Leases
from monitor.state.table import Item, Key, Table, Value
from tests.state.engines import DynamoDbEngine

SECONDS = 15.0
PRODUCTS = [f"pp-{number}" for number in range(100)]


@dataclass
class Cluster:
    """A table, and a clock that a test sets."""

    table: Table
    now: float = 1000.0


@dataclass
class Replica:
    """A replica that records what happens to it. Its connection to the table can be cut."""

    cluster: Cluster
    name: str
    shards: int = 4
    log: list[str] = field(default_factory=list)
    cut: bool = False
    answers_lost: bool = False

    def __post_init__(self) -> None:
        """Create its leases."""
        self.leases = Leases(self, self.name, self.shards, SECONDS, self, lambda: self.cluster.now)

    def acquired(self, shard: int) -> None:
        """Record."""
        self.log.append(f"acquired {shard}")

    def lost(self, shard: int, reason: str) -> None:
        """Record."""
        self.log.append(f"{reason} {shard}")

    def failed(self, error: StateError) -> None:
        """Record."""
        self.log.append(str(error))

    def step(self) -> None:
        """Make a round as its thread does."""
        self.leases._round()

    def owned(self) -> set[int]:
        """Return the shards of the products that it owns."""
        return {self.leases.shard_of(product) for product in PRODUCTS if self.leases.owns(product)}

    def get(self, key: Key) -> Item | None:
        """Pass it on."""
        return self.cluster.table.get(key)

    def query(self, partition: str, first: str = "", last: str = "\uffff") -> Iterator[Item]:
        """Pass it on."""
        if self.cut:
            raise StateError("cut")
        return self.cluster.table.query(partition, first, last)

    def write(
        self, items: Sequence[Item], deleted: Sequence[Key] = (), expected: Mapping[str, Value | None] | None = None
    ) -> bool:
        """Pass it on."""
        if self.cut:
            raise StateError("cut")
        result = self.cluster.table.write(items, deleted, expected)
        if self.answers_lost:
            raise StateError("the answer was lost")
        return result

    def raise_number(self, key: Key, name: str, value: int) -> Item | None:
        """Pass it on."""
        return self.cluster.table.raise_number(key, name, value)


@pytest.fixture
def cluster(dynamodb: DynamoDbEngine) -> Cluster:
    """Return a cluster without replicas."""
    return Cluster(dynamodb.table)


def rounds(cluster: Cluster, *replicas: Replica, seconds: float) -> None:
    """Let time pass; each replica makes a round every five seconds."""
    for _ in range(round(seconds / 5)):
        cluster.now += 5
        for replica in replicas:
            replica.leases.enforce()
            replica.step()


def test_a_single_replica_owns_everything_at_once(cluster: Cluster) -> None:
    """Nobody has to wait for the first owner."""
    one = Replica(cluster, "one")
    one.step()
    assert one.owned() == {0, 1, 2, 3}
    rounds(cluster, one, seconds=60)
    assert one.log == ["acquired 0", "acquired 1", "acquired 2", "acquired 3"]


@pytest.mark.parametrize("shards", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_replicas_divide_the_shards_evenly(cluster: Cluster, shards: int, count: int) -> None:
    """Their numbers differ by one at most, and nothing moves once that is so."""
    replicas = [Replica(cluster, f"replica-{number}", shards) for number in range(count)]
    for replica in replicas:
        replica.step()
    rounds(cluster, *replicas, seconds=60)
    owned = [len(replica.leases._held) for replica in replicas]
    assert sum(owned) == shards
    assert max(owned) - min(owned) <= 1
    before = [list(replica.log) for replica in replicas]
    rounds(cluster, *replicas, seconds=60)
    assert [replica.log for replica in replicas] == before


def test_a_lease_is_taken_over_after_its_owner_ended(cluster: Cluster) -> None:
    """Not before the whole time of the lease has passed without a renewal, and with a higher epoch."""
    one, two = Replica(cluster, "one", 1), Replica(cluster, "two", 1)
    one.step()
    epoch = one.leases.epoch("pp-a")
    rounds(cluster, two, seconds=10)
    assert two.log == []
    rounds(cluster, two, seconds=10)
    assert two.log == ["acquired 0"]
    assert two.leases.epoch("pp-a") > epoch
    assert two.leases.owners() == {0: "one"}
    rounds(cluster, two, seconds=5)
    assert two.leases.owners() == {0: "two"}


def test_an_owner_that_cannot_renew_stops_before_another_one_begins(cluster: Cluster) -> None:
    """It drops the lease by its own clock, also if it was stopped meanwhile and makes no round."""
    one = Replica(cluster, "one", 1)
    one.step()
    one.cut = True
    cluster.now += HELD_SHARE * SECONDS - 0.1
    assert one.owned() == {0}
    cluster.now += 0.2
    assert one.owned() == set()
    with pytest.raises(NotOwnerError, match=r"^this replica does not hold the lease of shard 0$"):
        one.leases.epoch("pp-a")
    one.leases.enforce()
    one.leases.enforce()
    assert one.log == ["acquired 0", "lost 0"]
    one.cut = False
    one.step()
    assert one.owned() == {0}


def test_an_owner_that_was_stopped_finds_its_lease_taken(cluster: Cluster) -> None:
    """After SIGCONT it owns nothing, and takes nothing away from the next owner."""
    one, two = Replica(cluster, "one", 1), Replica(cluster, "two", 1)
    one.step()
    rounds(cluster, two, seconds=20)
    assert (one.owned(), two.owned()) == (set(), {0})
    rounds(cluster, one, two, seconds=30)
    assert (one.owned(), two.owned()) == (set(), {0})
    assert one.log == ["acquired 0", "lost 0"]


def test_a_renewal_whose_answer_was_lost_succeeded(cluster: Cluster) -> None:
    """The owner recognizes the lease by its owner and epoch, and keeps it."""
    one = Replica(cluster, "one", 1)
    one.step()
    one.answers_lost = True
    rounds(cluster, one, seconds=5)
    one.answers_lost = False
    rounds(cluster, one, seconds=60)
    assert one.owned() == {0}
    assert one.log == ["acquired 0", "the answer was lost"]


def test_a_replica_that_stops_hands_over_at_once(cluster: Cluster) -> None:
    """The next round of another replica takes its leases."""
    one, two = Replica(cluster, "one"), Replica(cluster, "two")
    one.step()
    rounds(cluster, one, two, seconds=30)
    one.leases.stop()
    assert one.owned() == set()
    rounds(cluster, two, seconds=5)
    assert two.owned() == {0, 1, 2, 3}
    assert sorted(str(item["sk"]) for item in cluster.table.query("lease", "replica#", "replica$")) == ["replica#two"]


def test_another_number_of_shards_waits(cluster: Cluster) -> None:
    """With another `cluster.shards` a product would have two owners, so a new replica waits for the old ones to end."""
    old, new = Replica(cluster, "old", 1), Replica(cluster, "new", 2)
    old.step()
    rounds(cluster, old, new, seconds=60)
    assert (old.owned(), new.owned()) == ({0}, set())
    old.leases.stop()
    rounds(cluster, new, seconds=10)
    assert new.owned() == {0, 1}


def test_replicas_with_different_numbers_of_shards_that_begin_at_once(cluster: Cluster) -> None:
    """Each has read the table before the other wrote: their epochs differ, and one of them gives everything back."""
    one, two = Replica(cluster, "one", shards=1), Replica(cluster, "two", shards=2)
    take = one.leases._take

    def after_the_other(found: Mapping[str, Item], before: float, most: int) -> None:
        two.step()
        take(found, before, most)

    one.leases._take = after_the_other  # type: ignore[method-assign]
    one.step()
    one.leases._take = take  # type: ignore[method-assign]
    both = [product for product in PRODUCTS if one.leases.owns(product) and two.leases.owns(product)]
    assert both
    assert all(one.leases.epoch(product) != two.leases.epoch(product) for product in both)
    rounds(cluster, one, two, seconds=5)
    assert one.owned() == set()
    rounds(cluster, one, two, seconds=60)
    assert (one.owned(), two.owned()) == (set(), {0})
    one.leases.stop()
    rounds(cluster, two, seconds=10)
    assert two.owned() == {0, 1}


@pytest.mark.parametrize("seed", range(3))
def test_no_shard_has_two_owners_whatever_happens(cluster: Cluster, seed: int) -> None:
    """Replicas stop, go on and are cut off at random; each shard has one owner or none, and one again at the end."""
    dice = random.Random(seed)
    replicas = [Replica(cluster, f"replica-{number}") for number in range(3)]
    epochs: dict[int, int] = {}
    for _ in range(300):
        cluster.now += dice.random() * 4
        replica = dice.choice(replicas)
        replica.cut, replica.answers_lost = dice.random() < 0.2, dice.random() < 0.1
        replica.step()
        owned = [shard for one in replicas for shard in one.owned()]
        assert len(owned) == len(set(owned))
        for one in replicas:
            for shard, held in one.leases._held.items():
                if shard in one.owned():
                    assert held.epoch >= epochs.get(shard, 0)
                    epochs[shard] = held.epoch
    for replica in replicas:
        replica.cut = replica.answers_lost = False
    rounds(cluster, *replicas, seconds=60)
    assert sorted(shard for replica in replicas for shard in replica.owned()) == [0, 1, 2, 3]


def test_the_threads_renew_and_stop(dynamodb: DynamoDbEngine) -> None:
    """A lease of a second is kept by the threads until it is handed over."""
    replica = Replica(Cluster(dynamodb.table), "one", 1)
    leases = Leases(replica, "one", 1, 0.6, replica)
    leases.start()
    replica_log_before = list(replica.log)
    leases._threads[1].join(1.5)
    assert leases.alive()
    assert leases.owns("pp-a")
    leases.stop()
    assert not leases.alive()
    assert (replica_log_before, replica.log) == (["acquired 0"], ["acquired 0", "released 0"])
