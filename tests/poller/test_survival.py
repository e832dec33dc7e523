"""What a poll leaves behind, whatever AWS does: with the real client, poller, state, metrics and log."""

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from monitor.aws import caller
from monitor.aws.source import LIST_STACK_INSTANCES, Source
from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.events.event_logger import EventLogger
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.transitions import transition_line
from monitor.metrics.cache import MetricsCache
from monitor.model.deadline import Deadlines
from monitor.model.errors import PollCancelledError, Reason
from monitor.model.instances import Product
from monitor.poller.poller import Poller
from monitor.simulation.aws import stack_sets
from monitor.simulation.stack_sets import StackSets
from monitor.state.sqlite import SqliteStore
from tests.conftest import Aws
from tests.events.capture import captured
from tests.faulty_aws import faults
from tests.faulty_aws.exchange import Fault, Plan
from tests.faulty_aws.script import RecordedRequest
from tests.faulty_aws.server import FaultyAws
from tests.faulty_aws.upstream import respond
from tests.making import EU, US
from tests.support import Observer, source_settings, until

SHORT = 0.2
VICTIM = MonitoredProduct(Product("pp-aaaaaaaaaaaaa", "victim"), "default", 300.0, 30.0)
NEIGHBOUR = MonitoredProduct(Product("pp-bbbbbbbbbbbbb", "neighbour"), "default", 300.0, 30.0)
ELSEWHERE = MonitoredProduct(Product("pp-ccccccccccccc", "elsewhere"), "other", 300.0, 30.0)
ALL = (VICTIM, NEIGHBOUR, ELSEWHERE)
ACCOUNTS = [f"{number:012}" for number in range(25)]
"""Two pages."""
LABEL_VALUE = re.compile(r'="([^"]*)"')
NOTHING = faults.body("nothing", b'{"StackInstances": []}')

HANGING = {fault.name for fault in (*faults.SILENT_WAITS, *faults.slow(), faults.FRESH_TOKENS)}
REASONS: dict[str, Reason] = {
    **{fault.name: Reason.INCOMPLETE for fault in (*faults.BAD_BODIES, *faults.ENDLESS, *faults.WRONG_TOKENS)},
    **{fault.name: Reason.CONNECTION for fault in faults.BROKEN_CONNECTIONS},
    **dict.fromkeys(("cut body", "cut after the last byte", "cut headers"), Reason.INCOMPLETE),
    "endless headers": Reason.CONNECTION,
    **dict.fromkeys(HANGING, Reason.TIMEOUT),
    **{fault.name: Reason.OTHER for fault in faults.ERRORS},
    "ThrottlingException": Reason.THROTTLED,
    "too many requests": Reason.THROTTLED,
    "AccessDeniedException": Reason.ACCESS_DENIED,
    "ExpiredTokenException": Reason.CREDENTIALS,
    "UnrecognizedClientException": Reason.CREDENTIALS,
}
REASONS.pop("ResourceNotFoundException")


def places() -> tuple[tuple[MonitoredProduct, StackSets], ...]:
    """Return where each product is."""
    return (VICTIM, stack_sets()), (NEIGHBOUR, stack_sets()), (ELSEWHERE, stack_sets(region=US))


class World:
    """A monitor without its scheduler, before a simulated AWS."""

    def __init__(self, server: FaultyAws, path: Path) -> None:
        """Put the rooms together as the daemon does."""
        self.server = server
        self.log, self.lines = captured()
        self.state = SqliteStore(path)
        self.outbox = Outbox(self.state, self.lines, partial(transition_line, self.log), lambda _: None)
        self.outbox.start()
        self.metrics = MetricsCache(SeriesOptions(), lambda _: b"")
        self.deadlines = Deadlines()
        observer = Observer()
        sources = {
            "default": Source(source_settings(), observer, 4),
            "other": Source(source_settings("other", region=US), observer, 4),
        }
        self.poller = Poller(
            sources,
            self.state,
            self.metrics,
            EventLogger(self.log, self.outbox),
            self.deadlines,
            confirm_shrink=0.5,
            stale_after=3600.0,
            on_state_error=lambda _: None,
        )
        for product in ALL:
            self.poller.restore(product)

    @property
    def listings(self) -> Sequence[RecordedRequest]:
        """The requests for pages so far."""
        return [seen for seen in self.server.requests if seen.operation == LIST_STACK_INSTANCES]

    def poll(self, *products: MonitoredProduct, timeout: float = 30.0) -> None:
        """Poll products one after the other."""
        for product in products:
            self.poller.poll(MonitoredProduct(product.product, product.source, product.interval, timeout))

    def samples(self, name: str, product: MonitoredProduct = VICTIM) -> dict[str, float]:
        """Return the samples of a metric that are of a product, by the values of their other labels."""
        text = b"".join(self.metrics.exposition(openmetrics=False).text()).decode()
        found = {}
        for line in text.splitlines():
            if line.startswith(f'{name}{{provisioned_product_id="{product.product.id}"'):
                labels, _, value = line.rpartition(" ")
                found[" ".join(LABEL_VALUE.findall(labels)[2:])] = float(value)
        return found

    def value(self, name: str, product: MonitoredProduct = VICTIM) -> float:
        """Return the one sample of a metric that is of a product."""
        (value,) = self.samples(name, product).values()
        return value

    def instances(self, product: MonitoredProduct = VICTIM) -> dict[str, float]:
        """Return the instance series that are 1."""
        shown = self.samples("servicecatalog_stack_instance_status", product)
        return {labels: value for labels, value in shown.items() if value}

    def failures(self, product: MonitoredProduct = VICTIM) -> dict[str, float]:
        """Return the reasons that were counted."""
        counted = self.samples("servicecatalog_poll_failures_total", product)
        return {reason: value for reason, value in counted.items() if value}

    def events(self, name: EventName) -> list[dict[str, Any]]:
        """Return the events of a name that were told since somebody last asked, and forget all others too."""
        return [entry for entry in self.entries() if entry["event"] == name]

    def entries(self) -> list[dict[str, Any]]:
        """Return everything that was told since somebody last asked."""
        until(lambda: not self.state.unpublished(1))  # another thread tells what was committed
        return self.lines.entries()

    def change(self, status: str) -> None:
        """Give the first instance of each product a status."""
        for product, there in places():
            there.set(product.product.id, ACCOUNTS[0], EU, status)

    def stop(self) -> None:
        """End."""
        self.outbox.stop(5.0)
        self.state.close()


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """Put logging back afterwards: a log takes over that of the process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def world(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logging_as_it_was: None) -> Iterator[World]:
    """Return a world in which each product was polled once, and then one instance of each changed."""
    monkeypatch.setattr(caller, "FIRST_BACKOFF", 0.001)
    for product, there in places():
        there.add_product(product.product.id, product.product.name)
        for account in ACCOUNTS:
            there.set(product.product.id, account, EU, "CURRENT")
    server = FaultyAws(respond)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    world = World(server, tmp_path / "monitor.db")
    world.poll(*ALL)
    assert len(world.events(EventName.BASELINE)) == 3
    world.change("OUTDATED")
    server.clear()
    yield world
    world.stop()
    server.stop()


BEFORE = {f"{account} {EU} CURRENT": 1.0 for account in ACCOUNTS}
AFTER = {f"{account} {EU} {'CURRENT' if number else 'OUTDATED'}": 1.0 for number, account in enumerate(ACCOUNTS)}


def test_there_is_an_expectation_of_every_fault() -> None:
    """A new way to misbehave needs a test."""
    odd = {fault.name for fault in faults.ODD_PAGES}
    assert {*REASONS, *odd, "ResourceNotFoundException"} == set(faults.FAULTS)


@pytest.mark.parametrize("reason", sorted({*REASONS.values()}))
def test_failed_polls_keep_the_snapshot_and_harm_nobody_else(reason: Reason, world: World) -> None:
    """One reason, one line, nothing else; the poll after that is complete and finds what had changed meanwhile."""
    before, after = BEFORE, AFTER
    for times, name in enumerate(sorted(name for name in REASONS if REASONS[name] is reason), start=1):
        world.server.plan(Plan(faults.FAULTS[name], product_id=VICTIM.product.id, times=None))
        world.poll(VICTIM, timeout=SHORT if name in HANGING else 30.0)
        world.poll(NEIGHBOUR, ELSEWHERE)
        assert (name, world.instances()) == (name, before)
        assert (name, world.failures()) == (name, {reason: times})
        assert (name, [world.value("servicecatalog_up", product) for product in ALL]) == (name, [0.0, 1.0, 1.0])
        assert [world.instances(product) for product in (NEIGHBOUR, ELSEWHERE)] == [after, after]
        assert len(world.listings) <= 3 + 2 + 2 or name == faults.FRESH_TOKENS.name
        entries = world.entries()
        failed = [entry for entry in entries if entry["event"] == "poll.failed"]
        assert [(entry["reason"], entry["provisioned_product_id"], entry["level"]) for entry in failed] == [
            (reason, VICTIM.product.id, "warning")
        ]
        changed = [entry for entry in entries if entry["event"] == "stack_instance.transition"]
        assert {entry["provisioned_product_id"] for entry in changed} == {NEIGHBOUR.product.id, ELSEWHERE.product.id}
        world.server.clear()
        world.poll(VICTIM)
        assert (name, world.instances()) == (name, after)
        assert (name, world.value("servicecatalog_up")) == (name, 1.0)
        assert [entry["account"] for entry in world.events(EventName.TRANSITION)] == [ACCOUNTS[0]]
        before, after = after, before
        world.change("OUTDATED" if after is AFTER else "CURRENT")
        world.server.clear()


@pytest.mark.parametrize("name", ["HTML", "reset", "ThrottlingException", "empty object"])
def test_a_failure_on_a_later_page_shows_nothing_of_the_first(name: str, world: World) -> None:
    """The first page has the change on it, and is not believed without the second."""
    world.server.plan(Plan(faults.FAULTS[name], product_id=VICTIM.product.id, page=2, times=None))
    world.poll(VICTIM)
    assert world.instances() == BEFORE
    assert world.failures() == {REASONS[name]: 1.0}
    assert world.events(EventName.TRANSITION) == []


@pytest.mark.parametrize(
    ("fault", "counted"),
    [
        (faults.EMPTY_PAGE, {}),
        (faults.TWICE, {"duplicate": 1.0}),
        (faults.UNKNOWN_STATUS, {"unknown_status": 1.0}),
        (faults.INVALID_ITEMS, {"invalid_item": 8.0}),
    ],
    ids=str,
)
def test_an_odd_page_is_shown_and_counted(fault: Fault, counted: dict[str, float], world: World) -> None:
    """The listing is complete. Page 1 is full, and one more item would be refused."""
    world.server.plan(Plan(fault, product_id=VICTIM.product.id, page=2))
    world.poll(VICTIM)
    stranger = {f"999999999999 {EU} UNKNOWN": 1.0} if fault is faults.UNKNOWN_STATUS else {}
    assert world.instances() == {**AFTER, **stranger}
    assert world.value("servicecatalog_up") == 1.0
    anomalies = world.samples("servicecatalog_listing_anomalies_total")
    assert {kind: value for kind, value in anomalies.items() if value} == counted


def test_a_listing_that_lost_everything_once_is_not_believed(world: World) -> None:
    """It is listed once more, and what the second listing says counts."""
    world.server.plan(Plan(NOTHING, product_id=VICTIM.product.id))
    world.poll(VICTIM)
    assert world.instances() == AFTER
    assert world.samples("servicecatalog_listing_anomalies_total")["shrink"] == 1.0
    assert [entry["status"] for entry in world.events(EventName.TRANSITION)] == ["OUTDATED"]


def test_a_listing_that_lost_everything_twice_is_believed(world: World) -> None:
    """An organisation may well be closed down."""
    world.server.plan(Plan(NOTHING, product_id=VICTIM.product.id, times=2))
    world.poll(VICTIM)
    assert world.instances() == {}
    assert world.value("servicecatalog_up") == 1.0
    assert world.samples("servicecatalog_listing_anomalies_total")["shrink"] == 1.0
    assert [entry["status"] for entry in world.events(EventName.TRANSITION)] == [None] * 25


def test_a_listing_that_cannot_be_confirmed_is_a_failed_poll(world: World) -> None:
    """The second listing fails: nothing is believed."""
    world.server.plan(
        Plan(NOTHING, product_id=VICTIM.product.id), Plan(faults.ACCESS_DENIED, product_id=VICTIM.product.id)
    )
    world.poll(VICTIM)
    assert world.instances() == BEFORE
    assert world.failures() == {"access_denied": 1.0}


def test_a_product_that_is_gone_loses_its_series_and_is_told_once(world: World, aws: Aws) -> None:
    """Each poll fails with the reason; when the product is back, so are its series."""
    aws.stack_sets.remove_product(VICTIM.product.id)
    world.poll(VICTIM, VICTIM, VICTIM)
    assert world.instances() == {}
    assert world.failures() == {"not_found": 3.0}
    entries = world.entries()
    assert [entry["event"] for entry in entries] == ["provisioned_product.missing", *["poll.failed"] * 3]
    assert entries[0]["message"] == f"Provisioned product {VICTIM.product.id} not found."
    assert world.state.load(VICTIM.product.id).missing is True
    aws.stack_sets.add_product(VICTIM.product.id, "victim")
    for account in ACCOUNTS:
        aws.stack_sets.set(VICTIM.product.id, account, EU, "CURRENT")
    world.poll(VICTIM)
    assert world.instances() == BEFORE
    assert world.state.load(VICTIM.product.id).missing is False


def test_a_product_of_another_type_is_said_clearly_and_the_others_run(world: World, aws: Aws) -> None:
    """Before anything is listed."""
    aws.stack_sets.remove_product(VICTIM.product.id)
    aws.stack_sets.add_product(VICTIM.product.id, "victim", stack_set=False)
    world.poll(*ALL)
    (failed,) = world.events(EventName.POLL_FAILED)
    assert (failed["error_code"], failed["message"]) == (
        "NotAStackSet",
        f"{VICTIM.product.id} is of type CFN_STACK, and only those of type CFN_STACKSET have stack instances",
    )
    assert [world.value("servicecatalog_up", product) for product in ALL] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("fault", "requests"),
    [(faults.INTERNAL_ERROR, 3), (faults.THROTTLED, 3), (faults.ACCESS_DENIED, 1)],
    ids=str,
)
def test_an_hour_of_it_costs_bounded_requests_and_ends_with_the_next_poll(
    fault: Fault, requests: int, world: World
) -> None:
    """Twelve polls an hour, a line each, and then all is well again at once."""
    world.server.plan(Plan(fault, product_id=VICTIM.product.id, times=None))
    world.poll(*[VICTIM] * 12)
    assert len(world.listings) == 12 * requests
    assert len(world.events(EventName.POLL_FAILED)) == 12
    world.server.clear()
    world.poll(VICTIM)
    assert world.instances() == AFTER
    assert len(world.listings) == 2


def test_an_aws_that_is_not_there_at_the_start_is_found_when_it_is(world: World) -> None:
    """The daemon is up and shows what it knows."""
    world.server.refuse()
    world.poll(*ALL)
    assert [world.value("servicecatalog_up", product) for product in ALL] == [0.0, 0.0, 0.0]
    assert [world.failures(product) for product in ALL] == [{"connection": 1.0}] * 3
    assert world.instances() == BEFORE
    world.server.accept()
    world.poll(*ALL)
    assert [world.instances(product) for product in ALL] == [AFTER] * 3


def test_a_poll_that_hangs_holds_up_no_other(world: World) -> None:
    """A neighbour on another thread is polled meanwhile."""
    world.server.plan(Plan(faults.SILENCE, product_id=VICTIM.product.id, times=None))
    hanging = threading.Thread(target=lambda: world.poll(VICTIM))
    hanging.start()
    until(lambda: len(world.listings) == 1)
    world.poll(NEIGHBOUR, ELSEWHERE)
    assert hanging.is_alive()
    assert [world.instances(product) for product in ALL] == [BEFORE, AFTER, AFTER]
    world.server.refuse()
    hanging.join(10)
    assert [world.value("servicecatalog_up", product) for product in ALL] == [0.0, 1.0, 1.0]


def test_a_stop_in_mid_page_leaves_no_trace_of_the_poll(world: World) -> None:
    """It was neither complete nor failed."""
    world.lines.entries()
    world.server.plan(Plan(faults.dripping(0.05), product_id=VICTIM.product.id, times=None))
    raised: list[BaseException] = []

    def poll() -> None:
        try:
            world.poll(VICTIM)
        except PollCancelledError as error:
            raised.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    until(lambda: len(world.listings) == 1)
    world.deadlines.cancel()
    thread.join(5)
    assert len(raised) == 1
    assert world.instances() == BEFORE
    assert world.value("servicecatalog_polls_total") == 1.0
    assert world.value("servicecatalog_up") == 1.0
    assert world.lines.entries() == []
