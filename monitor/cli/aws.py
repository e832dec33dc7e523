"""What the commands read from AWS, once and in parallel."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.aws.source import Source, operations
from monitor.cli.tasks import Task, run_tasks
from monitor.config.settings import MonitoredProduct, Settings
from monitor.daemon.product_set import monitored_products
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing, Product
from monitor.model.products import ProductDetail
from monitor.model.shard import Shard

# Time limit of a single call, with its retries. Without a network, `check --aws` ends after it.
CALL_SECONDS = 15.0
# Time limit of the search for the products of a source.
SEARCH_SECONDS = 60.0

# What to set, by the error of botocore.
ADVICE = {
    "NoRegionError": "set `region` in the source, or AWS_DEFAULT_REGION",
    "NoCredentialsError": "set AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `profile` in the source, or"
    " run with an IAM role",
    "ProfileNotFound": "correct `profile` in the source or AWS_PROFILE, or add the profile to AWS_CONFIG_FILE",
    "PartialCredentialsError": "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
}

SourcesByName = Mapping[str, Source]
Products = Sequence[MonitoredProduct]
# Takes a product ID, the pages and instances listed so far, and the seconds spent waiting for `calls_per_second`.
# Called by the thread that lists the product.
OnPage = Callable[[str, int, int, float], None]


def open_sources(settings: Settings) -> SourcesByName:
    """Return the sources of a configuration by name. Nothing is called yet."""
    monitor_metrics = MonitorMetrics(version="", revision="")
    return {
        source.name: Source(source, monitor_metrics.source(source.name, operations(source)), settings.poll.concurrency)
        for source in settings.sources
    }


def discover(
    settings: Settings, sources: SourcesByName
) -> tuple[Products, Mapping[str, Sequence[Product] | PollFailedError]]:
    """Return the products that are listed, or discovered in `sources`, and the result of each search by source."""
    searched = [source.name for source in settings.sources if source.discover and source.name in sources]
    results = run_tasks(settings.poll.concurrency, [(SEARCH_SECONDS, sources[name].search) for name in searched])
    found: dict[str, Sequence[Product] | PollFailedError] = {}
    for name, result in zip(searched, results, strict=True):
        if isinstance(result, PollFailedError):
            found[name] = result
        else:
            found[name] = [Product(detail.id, detail.name) for detail in result.products]
    discovered = {name: result for name, result in found.items() if not isinstance(result, PollFailedError)}
    return list(monitored_products(settings, discovered, Shard()).values()), found


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
    seconds: float = 0.0,
    on_page: OnPage = lambda *_: None,
) -> Sequence[Listing | PollFailedError]:
    """List the stack instances of products, with a progress bar; return the results in their order.

    `seconds`: what a listing may take if that is longer than the product's own timeout.
    """
    with _progress(len(products)) as (show_page, show_done):

        def task(monitored: MonitoredProduct) -> Task[Listing]:
            product_id, source = monitored.product.id, sources[monitored.source]

            def list_one(deadline: Deadline) -> Listing:
                def count(pages: int, instances: int) -> None:
                    on_page(product_id, pages, instances, deadline.budget_wait)
                    show_page(product_id, pages, instances)

                return source.list_stack_instances(product_id, deadline, count)

            return max(seconds, monitored.timeout), list_one

        return run_tasks(settings.poll.concurrency, [task(monitored) for monitored in products], show_done)


@contextmanager
def _progress(products: int) -> Iterator[tuple[Callable[[str, int, int], None], Callable[[], None]]]:
    """Show on stderr, if that is a terminal, how many products are done, and their pages and instances so far.

    Yields what is called for each page, by any thread, and for each product that is done.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("listing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("products, {task.fields[pages]} pages, {task.fields[instances]} instances"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("poll", total=products, pages=0, instances=0)
        seen: dict[str, tuple[int, int]] = {}
        lock = threading.Lock()

        def show_page(product: str, pages: int, instances: int) -> None:
            with lock:
                seen[product] = (pages, instances)
                pages, instances = map(sum, zip(*seen.values(), strict=True))
                bar.update(task, pages=pages, instances=instances)

        yield show_page, lambda: bar.advance(task)
