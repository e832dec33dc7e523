"""Products listed side by side, once, by threads that the end of the process does not wait for."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from monitor.catalog.client import Source, operations
from monitor.configuration.settings import Settings, WatchedProduct
from monitor.fleet.failure import PollFailedError
from monitor.fleet.instances import Listing
from monitor.poller.deadline import Deadlines
from monitor.telemetry.registry import Telemetry

TICK_SECONDS = 0.5
"""How often the deadlines are looked after."""

Outcome = Listing | PollFailedError


def list_side_by_side(
    settings: Settings,
    watched: Sequence[WatchedProduct],
    on_page: Callable[[str, int, int], None],
    on_done: Callable[[], None],
) -> Sequence[Outcome]:
    """List products; return the outcomes in their order.

    `on_page` is told the product, and its pages and instances so far, by the thread that lists it.
    """
    telemetry = Telemetry(version="", revision="")
    deadlines = Deadlines()
    sources = {
        source.name: Source(source, telemetry.source(source.name, operations(source)), settings.poll.concurrency)
        for source in settings.sources
    }
    waiting = deque(enumerate(watched))
    ended: SimpleQueue[tuple[int, Listing | Exception]] = SimpleQueue()

    def outcome(product: WatchedProduct) -> Listing | Exception:
        name = product.product.id
        try:
            with deadlines.running(product.timeout) as deadline:
                return sources[product.source].list_stack_instances(
                    name, deadline, lambda pages, instances: on_page(name, pages, instances)
                )
        except Exception as error:  # noqa: BLE001 - raised where somebody sees it, below
            return error

    def work() -> None:
        while waiting:
            try:
                place, product = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            ended.put((place, outcome(product)))

    for _ in range(min(settings.poll.concurrency, len(watched))):
        threading.Thread(target=work, name="list", daemon=True).start()
    outcomes: dict[int, Outcome] = {}
    try:
        while len(outcomes) < len(watched):
            deadlines.enforce()
            try:
                place, found = ended.get(timeout=TICK_SECONDS)
            except Empty:
                continue
            if isinstance(found, Exception) and not isinstance(found, PollFailedError):
                raise found
            outcomes[place] = found
            on_done()
    finally:
        waiting.clear()
        deadlines.cancel()
    return [outcomes[place] for place in range(len(watched))]
