"""A snapshot that is older than `stale_after` is never published, also right after a start."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.config.settings import SeriesOptions
from monitor.metrics.cache import MetricsCache
from monitor.model.deadline import Deadline, Deadlines
from monitor.model.diff import diff
from monitor.model.instances import Listing, Status
from monitor.model.products import ProductDetail
from monitor.poller.poller import Poller
from monitor.poller.protocols import CompletedPoll, FailedPoll
from monitor.state.sqlite import SqliteStore
from tests.making import BASELINE, EPOCH, EU, ONE, detail, listing, monitored

STALE_AFTER = 3600.0
STATUS = b"servicecatalog_stack_instance_status{"
FLEET = {(ONE, EU): Status.CURRENT}


class Aws:
    """Lists one instance."""

    calls_per_second = 10.0
    page_size = 20
    details = None

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Return a listing."""
        return listing(FLEET)

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return what the product is."""
        return detail()


class Events:
    """Logs nothing."""

    def completed(self, poll: CompletedPoll) -> None:
        """Log nothing."""

    def failed(self, poll: FailedPoll) -> None:
        """Log nothing."""


class World:
    """A poller whose clocks a test sets, with a stored snapshot of `EPOCH`."""

    def __init__(self, folder: Path) -> None:
        """Store the snapshot."""
        self.seconds = 0.0
        self.store = SqliteStore(folder / "monitor.db")
        self.store.commit(diff(None, listing(FLEET), BASELINE, "poll-0", EPOCH), None)
        self.metrics = MetricsCache(SeriesOptions(), lambda _: b"")
        self.poller = Poller(
            {"default": Aws()},
            self.store,
            self.metrics,
            Events(),
            Deadlines(),
            confirm_shrink=0.5,
            stale_after=STALE_AFTER,
            on_state_error=lambda _: None,
            now=lambda: EPOCH + timedelta(seconds=self.seconds),
            clock=lambda: 100.0 + self.seconds,
        )

    def published(self) -> bool:
        """Return whether the instance has series."""
        return STATUS in b"".join(self.metrics.exposition(openmetrics=False).text())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a poller that has not restored anything."""
    world = World(tmp_path)
    yield world
    world.store.close()


@pytest.mark.parametrize(("age", "published"), [(STALE_AFTER, True), (STALE_AFTER + 1, False)])
def test_a_stale_snapshot_is_not_restored(world: World, age: float, published: bool) -> None:
    """It is only what the next listing is compared with; the time of the last success is published."""
    world.seconds = age
    assert world.poller.restore(monitored()) is published
    assert world.published() is published
    assert world.poller.snapshot_age(BASELINE.id) == age
    text = b"".join(world.metrics.exposition(openmetrics=False).text()).decode()
    line = next(
        one for one in text.splitlines() if one.startswith("servicecatalog_poll_last_success_timestamp_seconds{")
    )
    assert float(line.rpartition(" ")[2]) == pytest.approx(EPOCH.timestamp())
    world.poller.poll(monitored())
    assert world.published()


def test_a_snapshot_is_withdrawn_once_when_it_becomes_stale(world: World) -> None:
    """The age is returned by the call that withdrew it; the next complete poll publishes a new one."""
    world.poller.restore(monitored())
    world.seconds = STALE_AFTER
    assert world.poller.withdraw_stale(BASELINE.id) is None
    world.seconds += 1
    assert world.poller.withdraw_stale(BASELINE.id) == STALE_AFTER + 1
    assert not world.published()
    assert world.poller.withdraw_stale(BASELINE.id) is None
    world.poller.poll(monitored())
    assert world.published()
    assert world.poller.withdraw_stale(BASELINE.id) is None


def test_a_snapshot_is_not_withdrawn_while_a_poll_publishes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check in the middle of a commit, which finds the old age, does not hide the snapshot that follows."""
    world.poller.restore(monitored())
    world.seconds = STALE_AFTER + 1
    checks: list[float | None] = []
    commit = world.store.commit

    def commit_with_check(*arguments: object) -> None:
        checks.append(world.poller.withdraw_stale(BASELINE.id))
        commit(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(world.store, "commit", commit_with_check)
    world.poller.poll(monitored())
    assert checks == [None]
    assert world.published()


def test_an_unknown_product_has_nothing_to_withdraw(world: World) -> None:
    """A product that was removed meanwhile is ignored."""
    assert world.poller.withdraw_stale("pp-other") is None
