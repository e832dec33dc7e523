"""The real client, poller, state, metrics and log, put together as the daemon does, without its scheduler."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from monitor.aws.source import LIST_STACK_INSTANCES, Source
from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.events.event_logger import EventLogger
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.transitions import transition_line
from monitor.metrics.cache import MetricsCache
from monitor.model.deadline import Deadlines
from monitor.model.instances import Product
from monitor.poller.poller import Poller
from monitor.simulation.aws import stack_sets
from monitor.simulation.stack_sets import StackSets
from monitor.state.sqlite import SqliteStore
from tests.events.capture import captured
from tests.faulty_aws.script import RecordedRequest
from tests.faulty_aws.server import FaultyAws
from tests.making import EU, US
from tests.support import Observer, source_settings, until

SHORT = 0.2
"""Timeout in seconds of a poll that hangs."""
FAULTY = MonitoredProduct(Product("pp-aaaaaaaaaaaaa", "faulty"), "default", 300.0, 30.0)
SAME_SOURCE = MonitoredProduct(Product("pp-bbbbbbbbbbbbb", "same-source"), "default", 300.0, 30.0)
OTHER_SOURCE = MonitoredProduct(Product("pp-ccccccccccccc", "other-source"), "other", 300.0, 30.0)
ALL = (FAULTY, SAME_SOURCE, OTHER_SOURCE)
ACCOUNTS = [f"{number:012}" for number in range(25)]
"""Two pages."""
LABEL_VALUE = re.compile(r'="([^"]*)"')


def products_at_aws() -> tuple[tuple[MonitoredProduct, StackSets], ...]:
    """Return each product with the simulated account and Region that has it."""
    return (FAULTY, stack_sets()), (SAME_SOURCE, stack_sets()), (OTHER_SOURCE, stack_sets(region=US))


class Pipeline:
    """A monitor without its scheduler, connected to a simulated AWS."""

    def __init__(self, server: FaultyAws, path: Path) -> None:
        """Assemble it as the daemon does."""
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

    def samples(self, name: str, product: MonitoredProduct = FAULTY) -> dict[str, float]:
        """Return the samples of a metric that are of a product, by the values of their other labels."""
        text = b"".join(self.metrics.exposition(openmetrics=False).text()).decode()
        found = {}
        for line in text.splitlines():
            if line.startswith(f'{name}{{provisioned_product_id="{product.product.id}"'):
                labels, _, value = line.rpartition(" ")
                found[" ".join(LABEL_VALUE.findall(labels)[2:])] = float(value)
        return found

    def value(self, name: str, product: MonitoredProduct = FAULTY) -> float:
        """Return the one sample of a metric that is of a product."""
        (value,) = self.samples(name, product).values()
        return value

    def instances(self, product: MonitoredProduct = FAULTY) -> dict[str, float]:
        """Return the instance series that are 1."""
        shown = self.samples("servicecatalog_stack_instance_status", product)
        return {labels: value for labels, value in shown.items() if value}

    def failures(self, product: MonitoredProduct = FAULTY) -> dict[str, float]:
        """Return how many failures were counted, by reason."""
        counted = self.samples("servicecatalog_poll_failures_total", product)
        return {reason: value for reason, value in counted.items() if value}

    def events(self, name: EventName) -> list[dict[str, Any]]:
        """Return the events of a name that were logged since the last call of this or of `entries`."""
        return [entry for entry in self.entries() if entry["event"] == name]

    def entries(self) -> list[dict[str, Any]]:
        """Return the events that were logged since the last call."""
        until(lambda: not self.state.unpublished(1))  # another thread logs what was committed
        return self.lines.entries()

    def change(self, status: str) -> None:
        """Give the first instance of each product a status."""
        for product, there in products_at_aws():
            there.set(product.product.id, ACCOUNTS[0], EU, status)

    def stop(self) -> None:
        """Stop the outbox and close the state."""
        self.outbox.stop(5.0)
        self.state.close()


BEFORE = {f"{account} {EU} CURRENT": 1.0 for account in ACCOUNTS}
AFTER = {f"{account} {EU} {'CURRENT' if number else 'OUTDATED'}": 1.0 for number, account in enumerate(ACCOUNTS)}
