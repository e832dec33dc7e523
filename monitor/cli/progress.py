"""A progress bar on stderr, where that is a terminal."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

OnPage = Callable[[str, int, int], None]
OnDone = Callable[[], None]


@contextmanager
def progress(products: int) -> Iterator[tuple[OnPage, OnDone]]:
    """Show how many products are done, and the pages and instances so far.

    Gives two functions: one for a product, its pages and its instances, the other for a product that is
    done. They may be called by any thread.
    """
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
