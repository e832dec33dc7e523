"""A progress bar on stderr, if that is a terminal."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.cli.aws import OnPage


@contextmanager
def progress(products: int) -> Iterator[tuple[OnPage, Callable[[], None]]]:
    """Show how many products are done, and the pages and instances listed so far.

    Yields two functions, which any thread may call: one takes the pages and instances of a product so far, the
    other marks one more product as done.
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

        def on_page(product: str, pages: int, instances: int) -> None:
            with lock:
                seen[product] = (pages, instances)
                pages, instances = map(sum, zip(*seen.values(), strict=True))
                bar.update(task, pages=pages, instances=instances)

        yield on_page, lambda: bar.advance(task)
