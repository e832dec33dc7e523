"""What the commands read from AWS, once and in parallel."""

from collections.abc import Callable, Mapping, Sequence

from monitor.aws.source import Source, operations
from monitor.cli.tasks import Task, run_tasks
from monitor.config.settings import MonitoredProduct, Settings
from monitor.metrics.registry import MonitorMetrics
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing, Product
from monitor.model.products import ProductDetail
from monitor.model.shard import Shard
from monitor.poller.product_list import monitored_products

CALL_SECONDS = 15.0
"""Time limit of a single call, with its retries. Without a network, `check --aws` ends after it."""
SEARCH_SECONDS = 60.0
"""Time limit of the search for the products of a source."""

SourcesByName = Mapping[str, Source]
Products = Sequence[MonitoredProduct]
OnPage = Callable[[str, int, int], None]
"""Takes a product ID, and the pages and instances listed so far. Called by the thread that lists the product."""


def open_sources(settings: Settings) -> SourcesByName:
    """Return the sources of a configuration by name. Nothing is called yet."""
    monitor_metrics = MonitorMetrics(version="", revision="")
    return {
        source.name: Source(source, monitor_metrics.source(source.name, operations(source)), settings.poll.concurrency)
        for source in settings.sources
    }


def discover(
    settings: Settings, sources: SourcesByName, names: Sequence[str] | None = None
) -> tuple[Products, Mapping[str, PollFailedError]]:
    """Return the products that are listed or discovered, and the errors of searches by source.

    `names`: search only these sources.
    """
    searched = [
        source.name for source in settings.sources if source.discover and (names is None or source.name in names)
    ]
    results = run_tasks(settings.poll.concurrency, [(SEARCH_SECONDS, sources[name].search) for name in searched])
    found: dict[str, Sequence[Product]] = {}
    failed: dict[str, PollFailedError] = {}
    for name, result in zip(searched, results, strict=True):
        if isinstance(result, PollFailedError):
            failed[name] = result
        else:
            found[name] = [Product(detail.id, detail.name) for detail in result.products]
    return list(monitored_products(settings, found, Shard()).values()), failed


def describe_products(
    settings: Settings, sources: SourcesByName, products: Products
) -> Sequence[ProductDetail | PollFailedError]:
    """Describe products; return the results in their order."""

    def task(monitored: MonitoredProduct) -> Task[ProductDetail]:
        source = sources[monitored.source]
        return CALL_SECONDS, lambda deadline: source.describe(monitored.product.id, deadline)

    return run_tasks(settings.poll.concurrency, [task(monitored) for monitored in products])


def list_products(
    settings: Settings,
    sources: SourcesByName,
    products: Products,
    on_page: OnPage,
    on_done: Callable[[], None],
    seconds: float | None = None,
) -> Sequence[Listing | PollFailedError]:
    """List the stack instances of products; return the results in their order.

    `seconds`: the time limit of each listing; default: the product's own timeout.
    """

    def task(monitored: MonitoredProduct) -> Task[Listing]:
        product_id, source = monitored.product.id, sources[monitored.source]
        return seconds or monitored.timeout, lambda deadline: source.list_stack_instances(
            product_id, deadline, lambda pages, instances: on_page(product_id, pages, instances)
        )

    return run_tasks(settings.poll.concurrency, [task(monitored) for monitored in products], on_done)
