"""Fixtures: a poller and the harness around it."""

import pytest

from monitor.model.deadline import Deadlines
from monitor.poller.poller import Poller
from monitor.poller.protocols import Catalog, EventSink, Publisher, Store
from tests.making import monitored
from tests.poller.harness import Harness, Recorder


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
