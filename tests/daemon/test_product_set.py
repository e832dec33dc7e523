"""The monitored products follow the configuration and discovery, and the daemon stays ready."""

import threading
from dataclasses import dataclass, field, replace

import pytest

from monitor.config.settings import Settings
from monitor.daemon.product_set import ProductSet
from monitor.model.instances import Product
from monitor.model.shard import Shard
from monitor.schedule.workers import DiscoveryJob, PollJob
from tests.daemon.fakes import FakeLog, FakeMetrics, FakePoller, FakeSchedule, FakeStore, settings, source

A, B = PollJob("pp-a"), PollJob("pp-b")
SEVERAL = [Product(f"pp-{number}", "name") for number in range(8)]


@dataclass
class World:
    """A product set with fakes around it."""

    settings: Settings
    poller: FakePoller = field(default_factory=FakePoller)
    log: FakeLog = field(default_factory=FakeLog)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    schedule: FakeSchedule = field(default_factory=FakeSchedule)
    errors: list[str] = field(default_factory=list)
    shard: Shard = field(default_factory=Shard)
    store: FakeStore = field(default_factory=FakeStore)

    def __post_init__(self) -> None:
        """Connect the fakes."""
        self.products = ProductSet(
            self.settings,
            self.shard,
            store=self.store,
            poller=self.poller,
            metrics=self.metrics,
            schedule=self.schedule,
            log=self.log,
            on_state_error=lambda error: self.errors.append(str(error)),
        )

    def start(self) -> None:
        """Restore and start."""
        self.products.restore(threading.Event())
        self.schedule.take_added()


@pytest.mark.parametrize(
    "changed", [{"names": ("b-*",)}, {"region": "us-east-1"}, {"role_arn": "r"}, {"interval": 60.0}]
)
def test_a_changed_discovery_is_searched_at_once(changed: dict[str, object]) -> None:
    """A reload that changes what is searched, or how, makes the search due now; one that changes nothing does not."""
    world = World(settings(source()))
    world.start()
    world.products.configure(settings(source()))
    assert world.schedule.take_added() == []
    world.products.configure(settings(source(**changed)))  # type: ignore[arg-type]
    assert world.schedule.take_added() == [DiscoveryJob("hub")]


def test_a_removed_discovery_is_not_searched_any_more() -> None:
    """Its job is removed, and nothing waits for its first search."""
    world = World(settings(source()))
    world.start()
    assert not world.products.ready()
    world.products.configure(settings(source(discover=None)))
    assert world.schedule.jobs == {}
    assert world.products.search_of("hub") is None
    assert world.products.ready()


def test_ready_once_every_first_run_ended() -> None:
    """A product with a stored snapshot is ready; one without it and a search are after their first run."""
    world = World(settings(source(), products=["pp-a", "pp-b"]), FakePoller({"pp-a": 60.0}))
    assert not world.products.ready()
    world.start()
    assert not world.products.ready()
    world.products.ended(B)
    assert not world.products.ready()
    world.products.ended(DiscoveryJob("hub"))
    assert world.products.ready()


def test_ready_stays_ready() -> None:
    """A product that is added by a reload does not make the daemon unready."""
    world = World(settings(source(discover=None), products=["pp-a"]), FakePoller({"pp-a": 60.0}))
    world.start()
    assert world.products.ready()
    world.products.configure(settings(source(), products=["pp-a", "pp-b"]))
    assert world.schedule.take_added() == [DiscoveryJob("hub"), B]
    assert world.products.ready()


def test_a_stale_snapshot_is_reported_and_does_not_make_ready() -> None:
    """Its product needs a first poll like one without a snapshot."""
    world = World(settings(products=["pp-a"]), FakePoller({"pp-a": 3601.0}))
    world.start()
    assert world.log.take() == [
        {
            "level": "warning",
            "event": "provisioned_product.stale",
            "provisioned_product_id": "pp-a",
            "provisioned_product_name": "pp-a",
            "snapshot_age_seconds": 3601.0,
        }
    ]
    assert not world.products.ready()


def test_a_stop_during_the_restore_ends_it() -> None:
    """No further product is loaded after a stop."""
    world = World(settings(products=["pp-a", "pp-b"]), FakePoller(broken=True))
    stop = threading.Event()
    stop.set()
    world.products.restore(stop)
    assert world.errors == []


def test_a_state_that_cannot_be_read_is_reported_and_polling_starts() -> None:
    """Each product is scheduled all the same."""
    world = World(settings(products=["pp-a"]), FakePoller(broken=True))
    world.start()
    assert world.errors == ["the state cannot be read"]
    assert A in world.schedule.jobs


def test_a_reload_adds_removes_and_changes_products() -> None:
    """A removed product loses its job, its snapshot and its series; a changed interval is scheduled again."""
    world = World(settings(products=["pp-a", "pp-b"]), FakePoller({"pp-a": 60.0, "pp-b": 60.0}))
    world.start()
    after = settings(products=["pp-b", "pp-c"])
    slower = replace(after.products[0], interval=600.0)
    changes = world.products.configure(replace(after, products=(slower, after.products[1])))
    assert (changes.added, changes.removed, changes.changed) == (1, 1, 1)
    assert world.schedule.jobs == {B: 600.0, PollJob("pp-c"): 300.0}
    assert world.metrics.calls == [("remove", "pp-a"), ("update", "pp-b")]
    assert world.poller.snapshot_age("pp-a") is None
    assert [(e["event"], e["provisioned_product_id"]) for e in world.log.take()] == [
        ("provisioned_product.removed", "pp-a"),
        ("provisioned_product.added", "pp-c"),
    ]


def test_discovered_products_are_restored_although_the_state_cannot_be_written() -> None:
    """The snapshots of other shards cannot be deleted then; that is reported, and the rest goes on."""
    world = World(settings(source()), shard=Shard(0, 2), store=FakeStore({"hub": SEVERAL}, broken=True))
    world.start()
    assert set(world.products.products) == {product.id for product in SEVERAL if Shard(0, 2).owns(product.id)} != set()
    assert world.errors == ["disk full"]
