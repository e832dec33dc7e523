"""`stackset-monitor poll`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.failure import FAILED, WRONG, CommandError
from monitor.cli.options import Output, config_option, output_option, product_option, settings_of

if TYPE_CHECKING:
    from monitor.config.settings import MonitoredProduct
    from monitor.model.errors import PollFailedError

NOT_CURRENT = 1
"""Exit code: there is an instance that is not CURRENT."""
COLUMNS = ("provisioned_product_id", "provisioned_product_name", "account", "region", "status")


@click.command()
@config_option
@product_option
@output_option
def poll(config: Path, products: tuple[str, ...], output: Output) -> int:
    """Poll every product once and print every stack instance. Nothing is stored.

    On a terminal, a progress bar on stderr shows the pages and instances so far.

    \b
    Exit codes:
      0  every instance is CURRENT
      1  an instance is not CURRENT
      2  wrong usage or configuration
      3  a product could not be listed; the others are printed
    """  # noqa: D301 - click's mark for lines that stay as they are
    from monitor.cli.concurrent import find, list_concurrently, open_sources
    from monitor.cli.progress import progress
    from monitor.cli.streams import tell
    from monitor.cli.table import print_rows
    from monitor.model.errors import PollFailedError
    from monitor.model.instances import Status

    settings = settings_of(config)
    sources = open_sources(settings)
    everything, failed_searches = find(settings, sources)
    for source, failure in failed_searches.items():
        tell(f"the products of source {source} could not be looked for: {_why(failure)}")
    monitored = _chosen(everything, products)
    with progress(len(monitored)) as (on_page, on_done):
        outcomes = list_concurrently(settings, sources, monitored, on_page, on_done)
    rows = [
        {
            "provisioned_product_id": one.product.id,
            "provisioned_product_name": one.product.name,
            "account": account,
            "region": region,
            "status": str(status),
        }
        for one, outcome in zip(monitored, outcomes, strict=True)
        if not isinstance(outcome, PollFailedError)
        for (account, region), status in sorted(outcome.statuses.items())
    ]
    print_rows(rows, COLUMNS, output)
    failures = [
        (one.product.id, outcome)
        for one, outcome in zip(monitored, outcomes, strict=True)
        if isinstance(outcome, PollFailedError)
    ]
    for product_id, failure in failures:
        tell(f"{product_id} could not be listed: {_why(failure)}")
    if failures or failed_searches:
        return FAILED
    return NOT_CURRENT if any(row["status"] != Status.CURRENT for row in rows) else 0


def _why(failure: "PollFailedError") -> str:
    return f"{failure.message.removesuffix('.')} ({failure.reason}, {failure.error_code})"


def _chosen(everything: "Sequence[MonitoredProduct]", products: Sequence[str]) -> "Sequence[MonitoredProduct]":
    known = {monitored.product.id: monitored for monitored in everything}
    for product_id in products:
        if product_id not in known:
            message = f"--product: {product_id!r} is not in the configuration"
            raise CommandError(message, WRONG)
    return [known[product_id] for product_id in dict.fromkeys(products or known)]
