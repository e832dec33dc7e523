"""`stackset-monitor poll`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.cli.aws import list_products, open_sources
from monitor.cli.errors import ExitCode
from monitor.cli.options import all_option, config_option, load_configuration, output_option, product_option
from monitor.cli.output import Output, print_error
from monitor.cli.products import describe, explain, find_products, reason
from monitor.cli.report import report
from monitor.config.settings import MonitoredProduct
from monitor.model.diff import first_snapshot
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing
from monitor.model.products import ProductDetail
from monitor.model.views import ProductView
from monitor.poller.product_state import with_aws_name


@click.command()
@config_option
@product_option
@all_option
@output_option
def poll(config: Path, products: tuple[str, ...], every_instance: bool, output: Output) -> ExitCode:
    """Poll every product once and print what is not CURRENT, with a summary. Nothing is stored.

    On a terminal, a progress bar on stderr shows the pages and instances listed so far.

    \b
    Exit codes:
      0  every instance is CURRENT, or accepted in the configuration
      1  an instance is not CURRENT
      2  wrong usage or configuration
      3  a product could not be listed; the others are printed
    """  # noqa: D301 - click's mark for lines that it must not wrap
    settings = load_configuration(config)
    sources = open_sources(settings)
    monitored, details, complete = find_products(settings, sources, products)
    results = dict(zip(monitored, list_products(settings, sources, monitored), strict=True))
    listings = {one: result for one, result in results.items() if isinstance(result, Listing)}
    missing = [one for one in listings if one.product.id not in details]
    details = {**details, **describe(settings, sources, missing)}
    views = [view_of(one, listing, details.get(one.product.id)) for one, listing in listings.items()]
    found = report(explain(settings, sources, views), settings.accepted)
    found.print(output, every_instance=every_instance)
    for one, result in results.items():
        if isinstance(result, PollFailedError):
            print_error(f"cannot list {one.product.id}: {reason(result)}")
    if len(listings) < len(monitored) or not complete:
        return ExitCode.FAILED
    return ExitCode.OK if found.all_current else ExitCode.NOT_CURRENT


def view_of(monitored: MonitoredProduct, listing: Listing, detail: ProductDetail | None) -> ProductView:
    """Return a product that was listed just now."""
    product = with_aws_name(monitored, detail).product
    view = ProductView(product, monitored.source, monitored.interval, detail)
    return view.with_snapshot(first_snapshot(listing, product, datetime.now(UTC)))
