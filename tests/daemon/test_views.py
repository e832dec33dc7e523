"""What the daemon shows: sources with their use of the budget, searches and failures; stored transitions."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from monitor.config.settings import SourceSettings
from monitor.daemon.discovery import Discovery
from monitor.daemon.product_set import ProductSet
from monitor.daemon.product_views import ProductViews
from monitor.daemon.sources import METER_SECONDS, CallMeter, Sources
from monitor.daemon.views import DaemonViews
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Product, Status
from monitor.model.paging import TransitionFilter
from monitor.model.products import Description
from monitor.model.shard import Shard
from monitor.model.views import DiscoveryView, PollFailure
from monitor.poller.protocols import CompletedPoll, FailedPoll
from monitor.state.sqlite import SqliteStore
from tests.daemon.fakes import FakeCatalog, FakeLog, FakeMetrics, FakePoller, FakeSchedule, FakeStore, settings, source
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, baseline, detail, listing, monitored
from tests.web.fake_views import source_view

PLAIN = SourceSettings("default", None, 5.0, 20, "en", profile="hub")
DENIED = PollFailedError(Reason.ACCESS_DENIED, "AccessDenied", "Not allowed.")


class World:
    """The views of a daemon that polls nothing itself."""

    def __init__(self, folder: Path, *sources: SourceSettings) -> None:
        """Connect the parts."""
        self.log, self.catalog = FakeLog(), FakeCatalog([["pp-a", "pp-b"]])
        self.settings = settings(*sources)
        self.sources = Sources(MonitorMetrics(version="", revision=""), 1, self.log)
        self.product_views = ProductViews(lambda _: None)
        product_set = ProductSet(
            self.settings,
            Shard(),
            store=FakeStore(),
            poller=FakePoller(),
            metrics=FakeMetrics(),
            schedule=FakeSchedule(),
            log=self.log,
            on_state_error=lambda _: None,
        )
        product_set.configure(self.settings)
        self.now = EPOCH
        self.discovery = Discovery(
            {"hub": self.catalog}, product_set, Deadlines(), FakeMetrics(), self.log, lambda: self.now
        )
        self.store = SqliteStore(folder / "monitor.db")
        self.views = DaemonViews(
            lambda: self.settings, self.product_views, self.sources, self.discovery, self.store, lambda: ()
        )

    def completed(self, product: Product, name: str, account: str) -> None:
        """Publish a poll of a product."""
        change = baseline({(ONE, EU): Status.CURRENT}, product)
        described = Description(replace(detail(product=product), account=account), None, EPOCH)
        poll = CompletedPoll(
            replace(monitored(product), source=name), change, listing({}), 1.0, committed=True, description=described
        )
        self.product_views.completed(poll)

    def failed(self, product: Product, name: str, at: datetime) -> None:
        """Publish a poll that failed."""
        one = replace(monitored(product), source=name)
        self.product_views.failed(FailedPoll(one, "poll", DENIED, 1.0, at, None, newly_missing=False))


def test_a_source_before_its_first_call(tmp_path: Path) -> None:
    """The configuration is shown, and the whole budget is free."""
    world = World(tmp_path, PLAIN)
    expected = source_view(
        region=None,
        profile="hub",
        calls_per_second=5.0,
        allowed_calls_per_second=5.0,
        used_calls_per_second=0.0,
        products=0,
    )
    assert world.views.sources() == [expected]
    world.sources.configure(world.settings.sources)
    assert world.views.sources() == [expected]


def test_the_budget_of_a_source_in_use(tmp_path: Path) -> None:
    """Calls are counted, and a rate that was lowered because AWS throttles is shown. A reload keeps the count."""
    world = World(tmp_path, PLAIN)
    world.sources.configure(world.settings.sources)
    observer = world.sources._observers["default"]
    for _ in range(20):
        observer.attempted("ListStackInstancesForProvisionedProduct", 0.1)
    observer.rate_limited(2.5, 5.0)
    world.sources.configure(world.settings.sources)
    (found,) = world.views.sources()
    assert found.allowed_calls_per_second == 2.5
    assert found.used_calls_per_second == 2.0  # 20 in the first ten seconds


def test_the_products_of_a_source(tmp_path: Path) -> None:
    """Their accounts, how many there are, how many fail, and the latest failure."""
    world = World(tmp_path, source(), PLAIN)
    world.completed(BASELINE, "default", ONE)
    world.completed(Product("pp-b", "b"), "hub", ONE)
    world.completed(Product("pp-c", "c"), "hub", TWO)
    world.failed(Product("pp-d", "d"), "hub", LATER)
    world.failed(Product("pp-e", "e"), "hub", EPOCH)
    hub, plain = world.views.sources()
    assert (hub.name, hub.products, hub.failing, hub.accounts) == ("hub", 4, 2, (ONE, TWO))
    assert hub.failure == PollFailure(Reason.ACCESS_DENIED, "AccessDenied", "Not allowed.", LATER)
    assert (plain.name, plain.products, plain.failing, plain.failure) == ("default", 1, 0, None)


def test_the_search_of_a_source(tmp_path: Path) -> None:
    """What is searched, what the last complete search found, and why the last one failed."""
    world = World(tmp_path, source(names=("baseline-*",), interval=60.0))
    assert world.views.sources()[0].discovery == DiscoveryView(60.0, ("baseline-*",), {})
    world.discovery.search("hub")
    assert world.views.sources()[0].discovery == DiscoveryView(60.0, ("baseline-*",), {}, EPOCH, 2)
    world.catalog.results, world.now = [DENIED], LATER
    world.discovery.search("hub")
    failure = PollFailure(Reason.ACCESS_DENIED, "AccessDenied", "Not allowed.", LATER)
    assert world.views.sources()[0].discovery == DiscoveryView(60.0, ("baseline-*",), {}, EPOCH, 2, failure)


def test_products_and_transitions(tmp_path: Path) -> None:
    """Products come from the polls, transitions from the state."""
    world = World(tmp_path, PLAIN)
    world.completed(BASELINE, "default", ONE)
    assert [view.product for view in world.views.products()] == [BASELINE]
    found = world.views.product(BASELINE.id)
    assert found
    assert found.product == BASELINE
    assert world.views.product("pp-x") is None
    assert world.views.transitions(TransitionFilter(EPOCH), 10, None).items == []


def test_the_rate_of_calls() -> None:
    """It is the mean of five minutes, of less after a start, and older calls do not count."""
    now = 1_000_000.0
    meter = CallMeter(lambda: now)
    assert meter.per_second() == 0.0
    for _ in range(60):
        meter.count()
    assert meter.per_second() == pytest.approx(6.0)
    now += 60
    assert meter.per_second() == pytest.approx(1.0)
    now += METER_SECONDS - 70
    assert meter.per_second() == pytest.approx(60 / (METER_SECONDS - 10))
    now += 20
    assert meter.per_second() == 0.0
