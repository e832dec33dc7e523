"""A search is confirmed if it lost much, changes nothing if it fails, and is never silent about finding nothing."""

import threading
from dataclasses import dataclass, field

import pytest

from monitor.daemon.discovery import Discovery
from monitor.daemon.product_set import ProductSet
from monitor.model.deadline import Deadlines
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Product
from monitor.model.shard import Shard
from monitor.schedule.workers import DiscoveryJob
from tests.daemon.fakes import FakeCatalog, FakeLog, FakeMetrics, FakePoller, FakeSchedule, FakeStore, settings, source

DENIED = PollFailedError(Reason.ACCESS_DENIED, "AccessDenied", "not allowed")
FOUR = ["pp-a", "pp-b", "pp-c", "pp-d"]


@dataclass
class World:
    """A product set of one source, and what a search of it finds."""

    catalog: FakeCatalog
    log: FakeLog = field(default_factory=FakeLog)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    schedule: FakeSchedule = field(default_factory=FakeSchedule)
    store: FakeStore = field(default_factory=FakeStore)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Connect the fakes."""
        self.product_set = ProductSet(
            settings(source()),
            Shard(),
            store=self.store,
            poller=FakePoller(),
            metrics=self.metrics,
            schedule=self.schedule,
            log=self.log,
            on_state_error=lambda error: self.errors.append(str(error)),
        )
        self.product_set.restore(threading.Event())
        self.discovery = Discovery({"hub": self.catalog}, self.product_set, Deadlines(), self.metrics, self.log)

    def search(self, *results: list[str] | Exception) -> list[str]:
        """Search once while AWS gives these results; return the monitored products."""
        if results:
            self.catalog.results = list(results)
        self.catalog.searches = 0
        self.discovery.search("hub")
        return sorted(self.product_set.products)

    def completed(self) -> dict[str, object]:
        """Return the one discovery event since the last call."""
        (event,) = [entry for entry in self.log.take() if str(entry["event"]).startswith("discovery.")]
        return event


@pytest.fixture
def world() -> World:
    """Return a source whose four products are known."""
    world = World(FakeCatalog([FOUR]))
    world.search()
    world.log.take()
    world.metrics.calls.clear()
    return world


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([], FOUR, FOUR),
        ([], [], []),
        (["pp-1", "pp-2", "pp-3", "pp-4"], FOUR, ["pp-1", "pp-2", "pp-3", "pp-4", *FOUR]),
        (["pp-a"], ["pp-b"], ["pp-a", "pp-b"]),
    ],
)
def test_a_large_loss_is_confirmed(world: World, first: list[str], second: list[str], expected: list[str]) -> None:
    """A product disappears only if two searches in a row miss it, also if others take its place."""
    assert world.search(first, second) == expected
    assert world.catalog.searches == 2


def test_a_small_loss_needs_no_confirmation(world: World) -> None:
    """Half of the products may be missing with `confirm_shrink: 0.5`."""
    assert world.search(["pp-a", "pp-b"]) == ["pp-a", "pp-b"]
    assert world.catalog.searches == 1
    assert world.completed() == {
        "level": "info",
        "event": "discovery.completed",
        "source": "hub",
        "products": 2,
        "added": 0,
        "removed": 2,
    }


def test_a_loss_with_invalid_items_is_confirmed(world: World) -> None:
    """A known product may be the item that could not be read."""
    world.catalog.invalid_items = 1
    assert world.search(["pp-a", "pp-b", "pp-c"], FOUR) == FOUR
    assert world.catalog.searches == 2
    assert ("discovered", "hub", 4, 1) in world.metrics.calls


@pytest.mark.parametrize("results", [[DENIED], [[], DENIED]])
def test_a_failed_search_changes_nothing(world: World, results: list[list[str] | Exception]) -> None:
    """Neither does a search whose confirmation fails."""
    assert world.search(*results) == FOUR
    event = world.completed()
    assert (event["level"], event["event"], event["reason"]) == ("warning", "discovery.failed", "access_denied")
    assert world.metrics.calls == [(Reason.ACCESS_DENIED, "hub")]


def test_a_search_without_changes_is_debug(world: World) -> None:
    """The first search after a failure is as visible as the failure."""
    world.search(FOUR)
    assert world.completed()["level"] == "debug"
    world.search(DENIED)
    world.log.take()
    world.search(FOUR)
    assert world.completed()["level"] == "warning"
    world.search(FOUR)
    assert world.completed()["level"] == "debug"


def test_a_search_that_finds_nothing_is_a_warning_each_time() -> None:
    """It says what to check, and the number of products is 0."""
    world = World(FakeCatalog([[]]))
    for _ in range(2):
        assert world.search() == []
        event = world.completed()
        assert (event["level"], event["products"]) == ("warning", 0)
        assert "discover.names" in str(event["message"])
    assert world.metrics.calls == [("discovered", "hub", 0, 0)] * 2


def test_settings_that_change_during_a_search_are_searched_again(world: World) -> None:
    """The result of the old settings is dropped, and the new ones are searched at once."""

    def reload() -> None:
        world.catalog.on_search = lambda: None
        world.product_set.configure(settings(source(names=("other-*",))))

    world.catalog.on_search = reload
    assert world.search(["pp-old"], ["pp-new", *FOUR]) == [*FOUR, "pp-new"]


def test_a_failure_with_old_settings_is_not_reported(world: World) -> None:
    """A search that fails while its settings change is made again with the new ones."""

    def reload() -> None:
        world.catalog.on_search = lambda: None
        world.product_set.configure(settings(source(region="us-east-1")))

    world.catalog.on_search = reload
    assert world.search(DENIED, FOUR) == FOUR
    assert world.completed()["event"] == "discovery.completed"


def test_a_discovery_that_is_removed_during_a_search_leaves_nothing(world: World) -> None:
    """Its result is dropped, its products and its schedule are removed, and no metric is counted."""

    def reload() -> None:
        world.product_set.configure(settings(source(discover=None)))

    world.catalog.on_search = reload
    assert world.search(FOUR) == []
    assert DiscoveryJob("hub") not in world.schedule.jobs
    assert ("discovered", "hub", 4, 0) not in world.metrics.calls


def test_products_that_cannot_be_stored_are_monitored(world: World) -> None:
    """The error is reported once; what was found takes effect."""
    world.store.broken = True
    assert world.search(["pp-e", *FOUR]) == [*FOUR, "pp-e"]
    assert world.errors == ["disk full"]


def test_found_products_are_stored(world: World) -> None:
    """They are known at the next start, before the first search; a product that disappeared is not."""
    world.search(["pp-a", "pp-b", "pp-e"])
    assert world.store.found == {"hub": tuple(Product(one, one) for one in ("pp-a", "pp-b", "pp-e"))}
