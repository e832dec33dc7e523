"""A due job runs on a worker; what does not run is counted, and a defect ends nothing."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

from monitor.config.settings import MonitoredProduct
from monitor.daemon.discovery import Discovery
from monitor.daemon.job_runner import JobRunner
from monitor.daemon.product_set import ProductSet
from monitor.model.deadline import Deadlines
from monitor.model.errors import PollCancelledError, SkipReason
from monitor.model.shard import Shard
from monitor.schedule.workers import DiscoveryJob, Job, PollJob
from tests.daemon.fakes import FakeCatalog, FakeLog, FakeMetrics, FakePoller, FakeSchedule, FakeStore, settings, source

A = PollJob("pp-a")
WAIT = 5.0


@dataclass
class Poller(FakePoller):
    """Does in a poll what a test says."""

    on_poll: Callable[[], None] = lambda: None

    def poll(self, monitored: MonitoredProduct) -> None:
        """Poll."""
        self.on_poll()


class World:
    """A runner of one product and one searched source."""

    def __init__(self) -> None:
        """Connect the fakes."""
        self.poller, self.metrics, self.log = Poller(), FakeMetrics(), FakeLog()
        self.products = ProductSet(
            settings(source(), products=["pp-a"]),
            Shard(),
            store=FakeStore(),
            poller=self.poller,
            metrics=self.metrics,
            schedule=FakeSchedule(),
            log=self.log,
            on_state_error=lambda _: None,
        )
        self.products.restore(threading.Event())
        self.catalog = FakeCatalog([["pp-b"]])
        discovery = Discovery({"hub": self.catalog}, self.products, Deadlines(), self.metrics, self.log)
        self.runner = JobRunner(2, self.products, self.poller, discovery, self.metrics, self.log)

    def run(self, job: Job) -> None:
        """Do on this thread what a worker does with a job."""
        try:
            self.runner._run(job)
        except Exception as error:  # noqa: BLE001 - as a worker does
            self.runner._on_error(job, error)


@pytest.fixture
def world() -> Iterator[World]:
    """Return a runner; end its workers afterwards."""
    world = World()
    yield world
    assert world.runner.workers.stop(WAIT)


def test_polls_and_searches_run(world: World) -> None:
    """Both job types run, and count as the first run of their product or source."""
    world.run(A)
    world.run(DiscoveryJob("hub"))
    assert world.catalog.searches == 1
    assert not world.products.ready()  # pp-b was found and waits for its first poll
    world.products.ended(PollJob("pp-b"))
    assert world.products.ready()


def test_an_overrun_and_missed_runs_are_counted(world: World) -> None:
    """A product that is still polled is skipped; a search or a removed product is not counted."""
    go = threading.Event()

    def wait() -> None:
        assert go.wait(WAIT)

    world.poller.on_poll = wait
    world.runner.submit(A)
    world.runner.submit(A)
    world.runner.submit(PollJob("pp-removed"))
    world.runner.misfired(A, 3)
    world.runner.misfired(DiscoveryJob("hub"), 3)
    world.runner.misfired(PollJob("pp-removed"), 3)
    go.set()
    assert world.metrics.calls == [(SkipReason.OVERRUN, "pp-a", 1), (SkipReason.MISFIRE, "pp-a", 3)]


@pytest.mark.parametrize(
    ("job", "fields"), [(A, {"provisioned_product_id": "pp-a"}), (DiscoveryJob("hub"), {"source": "hub"})]
)
def test_a_defect_is_logged_and_counts_as_the_first_run(
    world: World, job: PollJob | DiscoveryJob, fields: dict[str, str]
) -> None:
    """The event has the product or the source; the worker goes on."""

    def fail() -> None:
        raise RuntimeError("unexpected")

    world.poller.on_poll = world.catalog.on_search = fail
    world.run(job)
    assert world.log.take() == [
        {"level": "crash", "event": "monitor.defect", "error": "RuntimeError('unexpected')", **fields}
    ]
    assert job not in world.products._first_runs


def test_a_cancelled_poll_is_no_first_run(world: World) -> None:
    """A poll that a stop interrupts says nothing about the product."""

    def cancel() -> None:
        raise PollCancelledError

    world.poller.on_poll = cancel
    world.run(A)
    assert A in world.products._first_runs
    assert world.log.take() == []


def test_a_product_that_returns_during_its_poll_is_polled_again(world: World) -> None:
    """Its first poll is due while the old poll is still running, which is cancelled."""
    with_a = settings(source(), products=["pp-a"])
    polls = []

    def leave_and_return() -> None:
        polls.append("poll")
        if len(polls) == 1:
            world.products.configure(settings(source()))
            world.products.configure(settings(source(), products=["pp-a"]))
            raise PollCancelledError

    assert world.products.configure(with_a).removed == 0
    world.poller.on_poll = leave_and_return
    world.run(A)
    assert len(polls) == 2
    assert A not in world.products._first_runs


def test_settings_that_change_during_a_poll_are_published(world: World) -> None:
    """The poll has published the old interval, so that the new one is published after it."""
    before = settings(source(), products=["pp-a"])
    slower = replace(before, products=(replace(before.products[0], interval=600.0),))

    def reload() -> None:
        world.products.configure(slower)
        world.metrics.calls.clear()

    world.poller.on_poll = reload
    world.run(A)
    assert world.metrics.calls == [("update", "pp-a")]
