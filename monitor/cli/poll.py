"""`stackset-monitor poll`."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.failure import FAILED, WRONG, CommandError
from monitor.cli.options import Output, config_option, output_option, product_option, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.configuration.settings import Settings, WatchedProduct
    from monitor.fleet.failure import PollFailedError
    from monitor.fleet.instances import Listing

NOT_CURRENT = 1
"""Exit code: there is an instance that is not CURRENT."""
COLUMNS = ("provisioned_product_id", "provisioned_product_name", "account", "region", "status")


@click.command()
@config_option
@product_option
@output_option
def poll(config: Path, products: tuple[str, ...], output: Output) -> int:
    """Poll everything once and print every stack instance. Nothing is stored.

    Exit code 0: every instance is CURRENT. 1: some are not. 3: a product could not be listed.
    """
    from monitor.cli.table import print_rows
    from monitor.fleet.failure import PollFailedError
    from monitor.fleet.instances import Status

    settings = settings_of(config)
    watched = _chosen(settings, products)
    with _progress(len(watched)) as (on_page, on_done):
        outcomes = _list_all(settings, watched, on_page, on_done)
    rows = [
        {
            "provisioned_product_id": one.product.id,
            "provisioned_product_name": one.product.name,
            "account": account,
            "region": region,
            "status": str(status),
        }
        for one, outcome in outcomes
        if not isinstance(outcome, PollFailedError)
        for (account, region), status in sorted(outcome.statuses.items())
    ]
    print_rows(rows, COLUMNS, output)
    failed = False
    for one, outcome in outcomes:
        if isinstance(outcome, PollFailedError):
            failed = True
            click.echo(
                f"stackset-monitor: {one.product.id} could not be listed:"
                f" {outcome.message} ({outcome.reason}, {outcome.error_code})",
                err=True,
            )
    if failed:
        return FAILED
    return NOT_CURRENT if any(row["status"] != Status.CURRENT for row in rows) else 0


def _chosen(settings: "Settings", products: Sequence[str]) -> "Sequence[WatchedProduct]":
    known = {watched.product.id: watched for watched in settings.products}
    for product_id in products:
        if product_id not in known:
            message = f"--product: {product_id!r} is not in the configuration"
            raise CommandError(message, WRONG)
    return [known[product_id] for product_id in dict.fromkeys(products or known)]


def _list_all(
    settings: "Settings",
    watched: "Sequence[WatchedProduct]",
    on_page: "Callable[[str, int, int], None]",
    on_done: "Callable[[], None]",
) -> "Sequence[tuple[WatchedProduct, Listing | PollFailedError]]":
    """List products side by side; the outcomes come in the order of the configuration."""
    from monitor.catalog.client import OPERATIONS, Source
    from monitor.fleet.failure import PollFailedError
    from monitor.poller.deadline import Deadlines
    from monitor.telemetry.registry import Telemetry

    telemetry = Telemetry(version="", revision="")
    deadlines = Deadlines()
    concurrency = settings.poll.concurrency
    sources = {
        source.name: Source(source, telemetry.source(source.name, OPERATIONS), concurrency)
        for source in settings.sources
    }

    def one(product: "WatchedProduct") -> "tuple[WatchedProduct, Listing | PollFailedError]":
        name = product.product.id
        try:
            with deadlines.running(product.timeout) as deadline:
                listing = sources[product.source].list_stack_instances(
                    name, deadline, lambda pages, instances: on_page(name, pages, instances)
                )
        except PollFailedError as error:
            return product, error
        finally:
            on_done()
        return product, listing

    ended = threading.Event()

    def enforce() -> None:
        while not ended.wait(0.5):
            deadlines.enforce()

    supervisor = threading.Thread(target=enforce, daemon=True)
    supervisor.start()
    try:
        with ThreadPoolExecutor(concurrency) as pool:
            try:
                return list(pool.map(one, watched))
            except KeyboardInterrupt:
                deadlines.cancel()
                raise
    finally:
        ended.set()


@contextmanager
def _progress(products: int) -> "Iterator[tuple[Callable[[str, int, int], None], Callable[[], None]]]":
    """Show products, pages and instances on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("polling"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("products, {task.fields[pages]} pages, {task.fields[instances]} instances"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("poll", total=products, pages=0, instances=0)
        seen: dict[str, tuple[int, int]] = {}
        lock = threading.Lock()

        def on_page(product: str, pages: int, instances: int) -> None:
            with lock:
                seen[product] = (pages, instances)
                pages, instances = map(sum, zip(*seen.values(), strict=True))
                bar.update(task, pages=pages, instances=instances)

        yield on_page, lambda: bar.advance(task)
