"""Calls to AWS side by side, once, by threads that the end of the process does not wait for."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

from monitor.aws.source import Source, operations
from monitor.config.settings import MonitoredProduct, Settings
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadline, Deadlines
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing, Product
from monitor.model.shard import Shard
from monitor.poller.product_list import monitored_products

TICK_SECONDS = 0.5
"""How often the deadlines are looked after."""
SEARCH_SECONDS = 60.0
"""For one search of a source's products."""

T = TypeVar("T")
Task = tuple[float, Callable[[Deadline], T]]
"""How many seconds something may take, and what it is."""
Outcome = Listing | PollFailedError
Sources = Mapping[str, Source]


def open_sources(settings: Settings) -> Sources:
    """Return the sources of a configuration; nothing is called yet."""
    monitor_metrics = MonitorMetrics(version="", revision="")
    return {
        source.name: Source(source, monitor_metrics.source(source.name, operations(source)), settings.poll.concurrency)
        for source in settings.sources
    }


def concurrent(
    concurrency: int, tasks: Sequence[Task[T]], on_done: Callable[[], None] = lambda: None
) -> Sequence[T | PollFailedError]:
    """Do everything, so much of it at once; return the outcomes in the order of the tasks."""
    deadlines = Deadlines()
    waiting = deque(enumerate(tasks))
    ended: SimpleQueue[tuple[int, T | None, Exception | None]] = SimpleQueue()

    def work() -> None:
        while waiting:
            try:
                place, (seconds, task) = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            try:
                with deadlines.running(seconds) as deadline:
                    ended.put((place, task(deadline), None))
            except Exception as error:  # noqa: BLE001 - raised where somebody sees it, below
                ended.put((place, None, error))

    for _ in range(min(concurrency, len(tasks))):
        threading.Thread(target=work, name="side-by-side", daemon=True).start()
    outcomes: dict[int, T | PollFailedError] = {}
    try:
        while len(outcomes) < len(tasks):
            deadlines.enforce()
            try:
                place, found, error = ended.get(timeout=TICK_SECONDS)
            except Empty:
                continue
            if isinstance(error, PollFailedError):
                outcomes[place] = error
            elif error is not None:
                raise error
            else:
                outcomes[place] = found  # type: ignore[assignment] # without an error, it is a T
            on_done()
    finally:
        waiting.clear()
        deadlines.cancel()
    return [outcomes[place] for place in range(len(tasks))]


def find(settings: Settings, sources: Sources) -> tuple[Sequence[MonitoredProduct], Mapping[str, PollFailedError]]:
    """Return the products that are listed or found, and why a search failed, by source."""
    discovering = [source.name for source in settings.sources if source.discover is not None]
    outcomes = concurrent(settings.poll.concurrency, [(SEARCH_SECONDS, sources[name].search) for name in discovering])
    found: dict[str, Sequence[Product]] = {}
    failed: dict[str, PollFailedError] = {}
    for name, outcome in zip(discovering, outcomes, strict=True):
        if isinstance(outcome, PollFailedError):
            failed[name] = outcome
        else:
            found[name] = [Product(one.id, one.name) for one in outcome]
    return list(monitored_products(settings, found, Shard()).values()), failed


def list_concurrently(
    settings: Settings,
    sources: Sources,
    monitored: Sequence[MonitoredProduct],
    on_page: Callable[[str, int, int], None],
    on_done: Callable[[], None],
) -> Sequence[Outcome]:
    """List products; return the outcomes in their order.

    `on_page` is told the product, and its pages and instances so far, by the thread that lists it.
    """

    def task(product: MonitoredProduct) -> Task[Listing]:
        name, source = product.product.id, sources[product.source]
        return product.timeout, lambda deadline: source.list_stack_instances(
            name, deadline, lambda pages, instances: on_page(name, pages, instances)
        )

    return concurrent(settings.poll.concurrency, [task(product) for product in monitored], on_done)
