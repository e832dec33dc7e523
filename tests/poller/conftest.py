"""Fixtures: a poller and the harness around it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.aws import caller
from monitor.events.names import EventName
from monitor.model.deadline import Deadlines
from monitor.poller.poller import Poller
from monitor.poller.protocols import Catalog, EventSink, Publisher, Store
from tests.conftest import Aws
from tests.faulty_aws.server import FaultyAws
from tests.faulty_aws.upstream import respond
from tests.making import EU, monitored
from tests.poller.harness import Harness, Recorder
from tests.poller.pipeline import (
    ACCOUNTS,
    ALL,
    Pipeline,
    products_at_aws,
)


@pytest.fixture
def harness() -> Harness:
    """Return a harness with an empty store."""
    return Harness()


@pytest.fixture
def poller(harness: Harness) -> Poller:
    """Return a poller in the harness that monitors one product, with an empty log."""
    catalog: Catalog = harness
    store: Store = harness
    publisher: Publisher = Recorder("metrics", harness)
    event_sink: EventSink = Recorder("event", harness)
    made = Poller(
        {"default": catalog},
        store,
        publisher,
        event_sink,
        Deadlines(lambda: harness.monotonic),
        confirm_shrink=0.5,
        stale_after=3600.0,
        on_state_error=lambda error: harness.log.append(("state error", str(error))),
        now=lambda: harness.wall,
        clock=lambda: harness.monotonic,
    )
    made.restore(monitored())
    harness.log.clear()
    return made


@pytest.fixture
def pipeline(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored_logging: None) -> Iterator[Pipeline]:
    """Return a pipeline in which each product was polled once, and then one instance of each changed."""
    monkeypatch.setattr(caller, "FIRST_BACKOFF", 0.001)
    for product, there in products_at_aws():
        there.add_product(product.product.id, product.product.name)
        for account in ACCOUNTS:
            there.set(product.product.id, account, EU, "CURRENT")
    server = FaultyAws(respond)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    pipeline = Pipeline(server, tmp_path / "monitor.db")
    pipeline.poll(*ALL)
    assert len(pipeline.events(EventName.BASELINE)) == 3
    pipeline.change("OUTDATED")
    server.clear()
    yield pipeline
    pipeline.stop()
    server.stop()
