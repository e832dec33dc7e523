"""`stackset-monitor poll`."""

from dataclasses import replace
from pathlib import Path

import click

from monitor.cli.aws import ADVICE, Products, SourcesByName, describe_products, discover, list_products, open_sources
from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.options import (
    config_option,
    load_configuration,
    output_option,
    product_option,
    select_products,
    unknown_products,
)
from monitor.cli.output import Output, print_error, print_rows
from monitor.config.settings import MonitoredProduct, Settings
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing, Product, Status

COLUMNS = ("provisioned_product_id", "provisioned_product_name", "account", "region", "status")


@click.command()
@config_option
@product_option
@output_option
def poll(config: Path, products: tuple[str, ...], output: Output) -> ExitCode:
    """Poll every product once and print every stack instance. Nothing is stored.

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
    if products:
        monitored = _selected(settings, sources, monitored, products, complete=not failed_searches)
    results = dict(zip(monitored, list_products(settings, sources, monitored), strict=True))
    listings = {one.product.id: result for one, result in results.items() if isinstance(result, Listing)}
    rows = [
        {
            "provisioned_product_id": one.product.id,
            "provisioned_product_name": one.product.name,
            "account": account,
            "region": region,
            "status": str(status),
        }
        for one in _with_names(settings, sources, [one for one in monitored if one.product.id in listings])
        for (account, region), status in sorted(listings[one.product.id].statuses.items())
    ]
    print_rows(rows, COLUMNS, output)
    for one, result in results.items():
        if isinstance(result, PollFailedError):
            print_error(f"cannot list {one.product.id}: {_reason(result)}")
    if len(listings) < len(monitored) or failed_searches:
        return ExitCode.FAILED
    return ExitCode.NOT_CURRENT if any(row["status"] != Status.CURRENT for row in rows) else ExitCode.OK


def _selected(
    settings: Settings, sources: SourcesByName, products: Products, wanted: tuple[str, ...], *, complete: bool
) -> Products:
    """Return the wanted products. `complete`: every search succeeded, so that an unknown name is misspelled."""
    if unknown_products(wanted, [one.product for one in products]):
        products = _with_names(settings, sources, products)
        complete = complete and not any(map(_is_unnamed, products))
    known = [one.product for one in products]
    if not complete and (unknown := unknown_products(wanted, known)):
        raise CommandError(f"--product: cannot look up {unknown[0]!r}, because some names could not be read")
    chosen = select_products(wanted, known)
    return [one for one in products if one.product.id in chosen]


def _with_names(settings: Settings, sources: SourcesByName, products: Products) -> Products:
    """Return products with their names at AWS if the configuration has none. What cannot be read is reported."""
    unnamed = [one for one in products if _is_unnamed(one)]
    names = {}
    for one, detail in zip(unnamed, describe_products(settings, sources, unnamed), strict=True):
        if isinstance(detail, PollFailedError):
            print_error(f"cannot read the name of {one.product.id}: {_reason(detail)}")
        else:
            names[one.product.id] = detail.name
    return [
        replace(one, product=Product(one.product.id, names.get(one.product.id, one.product.name))) for one in products
    ]


def _is_unnamed(monitored: MonitoredProduct) -> bool:
    return monitored.own_name and monitored.product.name == monitored.product.id


def _reason(failure: PollFailedError) -> str:
    reason = f"{failure.message.removesuffix('.')} ({failure.reason}, {failure.error_code})"
    return f"{reason}. To fix it, {ADVICE[failure.error_code]}" if failure.error_code in ADVICE else reason
