"""`stackset-monitor poll`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from monitor.cli.aws import ADVICE, Products, SourcesByName, describe_products, discover, list_products, open_sources
from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.options import (
    all_option,
    config_option,
    load_configuration,
    output_option,
    product_option,
    select_products,
    unknown_products,
)
from monitor.cli.output import Output, print_error
from monitor.cli.report import print_report
from monitor.config.settings import MonitoredProduct, Settings
from monitor.model.diff import first_snapshot
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing
from monitor.model.products import ProductDetail
from monitor.model.views import ProductView
from monitor.poller.product_state import with_aws_name

Details = Mapping[str, ProductDetail]


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
      0  every instance is CURRENT
      1  an instance is not CURRENT
      2  wrong usage or configuration
      3  a product could not be listed; the others are printed
    """  # noqa: D301 - click's mark for lines that it must not wrap
    settings = load_configuration(config)
    sources = open_sources(settings)
    monitored, found = discover(settings, sources)
    failed_searches = {source: result for source, result in found.items() if isinstance(result, PollFailedError)}
    for source, failure in failed_searches.items():
        print_error(f"cannot discover the products of source {source}: {_reason(failure)}")
    details: Details = {}
    if products:
        monitored, details = _selected(settings, sources, monitored, products, complete=not failed_searches)
    results = dict(zip(monitored, list_products(settings, sources, monitored), strict=True))
    listings = {one: result for one, result in results.items() if isinstance(result, Listing)}
    missing = [one for one in listings if one.product.id not in details]
    details = {**details, **_describe(settings, sources, missing)}
    views = [_view(one, listing, details.get(one.product.id)) for one, listing in listings.items()]
    print_report(views, output, every_instance=every_instance)
    for one, result in results.items():
        if isinstance(result, PollFailedError):
            print_error(f"cannot list {one.product.id}: {_reason(result)}")
    if len(listings) < len(monitored) or failed_searches:
        return ExitCode.FAILED
    return ExitCode.NOT_CURRENT if any(view.non_current for view in views) else ExitCode.OK


def _view(monitored: MonitoredProduct, listing: Listing, detail: ProductDetail | None) -> ProductView:
    product = with_aws_name(monitored, detail).product
    view = ProductView(product, monitored.source, monitored.interval, detail)
    return view.with_snapshot(first_snapshot(listing, product, datetime.now(UTC)))


def _selected(
    settings: Settings, sources: SourcesByName, products: Products, wanted: tuple[str, ...], *, complete: bool
) -> tuple[Products, Details]:
    """Return the wanted products, and what had to be described to find them by name.

    `complete`: every search succeeded, so that an unknown name is misspelled.
    """
    details: Details = {}
    known = [one.product for one in products]
    if unknown_products(wanted, known):
        unnamed = [one for one in products if one.own_name and one.product.name == one.product.id]
        details = _describe(settings, sources, unnamed)
        known = [with_aws_name(one, details.get(one.product.id)).product for one in products]
        if (len(details) < len(unnamed) or not complete) and (unknown := unknown_products(wanted, known)):
            raise CommandError(f"--product: cannot look up {unknown[0]!r}, because some names could not be read")
    chosen = select_products(wanted, known)
    return [one for one in products if one.product.id in chosen], details


def _describe(settings: Settings, sources: SourcesByName, products: Products) -> Details:
    """Return the details of products by ID. What cannot be read is reported: the product has its ID as name then."""
    details = {}
    for one, detail in zip(products, describe_products(settings, sources, products), strict=True):
        if isinstance(detail, PollFailedError):
            print_error(f"cannot describe {one.product.id}: {_reason(detail)}")
        else:
            details[one.product.id] = detail
    return details


def _reason(failure: PollFailedError) -> str:
    reason = f"{failure.message.removesuffix('.')} ({failure.reason}, {failure.error_code})"
    return f"{reason}. To fix it, {ADVICE[failure.error_code]}" if failure.error_code in ADVICE else reason
