"""`stackset-monitor poll`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.options import config_option, load_configuration, output_option, product_option
from monitor.cli.output import Output, print_rows
from monitor.cli.selection import select_products, unknown_products
from monitor.cli.streams import print_error

if TYPE_CHECKING:
    from monitor.cli.aws import Products, SourcesByName
    from monitor.config.settings import Settings
    from monitor.model.errors import PollFailedError

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
    from monitor.cli.aws import discover, list_products, open_sources
    from monitor.cli.progress import progress
    from monitor.model.errors import PollFailedError
    from monitor.model.instances import Status

    settings = load_configuration(config)
    sources = open_sources(settings)
    monitored, failed_searches = discover(settings, sources)
    for source, failure in failed_searches.items():
        print_error(f"cannot discover the products of source {source}: {_reason(failure)}")
    names: dict[str, str | None] = {}
    if unknown_products(products, [one.product for one in monitored]):
        names |= _names(settings, sources, monitored)
    complete = not failed_searches and None not in names.values()
    monitored = _selected(monitored, names, products, complete=complete)
    with progress(len(monitored)) as (on_page, on_done):
        results = list_products(settings, sources, monitored, on_page, on_done)
    listed = [
        (one, result) for one, result in zip(monitored, results, strict=True) if not isinstance(result, PollFailedError)
    ]
    names |= _names(settings, sources, [one for one, _ in listed if one.product.id not in names])
    rows = [
        {
            "provisioned_product_id": one.product.id,
            "provisioned_product_name": names.get(one.product.id) or one.product.name,
            "account": account,
            "region": region,
            "status": str(status),
        }
        for one, listing in listed
        for (account, region), status in sorted(listing.statuses.items())
    ]
    print_rows(rows, COLUMNS, output)
    for one, result in zip(monitored, results, strict=True):
        if isinstance(result, PollFailedError):
            print_error(f"cannot list {one.product.id}: {_reason(result)}")
    if len(listed) < len(monitored) or failed_searches:
        return ExitCode.FAILED
    return ExitCode.NOT_CURRENT if any(row["status"] != Status.CURRENT for row in rows) else ExitCode.OK


def _names(settings: "Settings", sources: "SourcesByName", products: "Products") -> Mapping[str, str | None]:
    """Return the names at AWS, by ID, of the listed products that the configuration does not name; None: unknown."""
    from monitor.cli.aws import describe_products
    from monitor.model.errors import PollFailedError

    listed = {one.product.id for one in settings.products}
    unnamed = [one for one in products if one.own_name and one.product.id in listed]
    names: dict[str, str | None] = {}
    for one, detail in zip(unnamed, describe_products(settings, sources, unnamed), strict=True):
        if isinstance(detail, PollFailedError):
            print_error(f"cannot read the name of {one.product.id}: {_reason(detail)}")
            names[one.product.id] = None
        else:
            names[one.product.id] = detail.name
    return names


def _selected(
    monitored: "Products", names: Mapping[str, str | None], wanted: Sequence[str], *, complete: bool
) -> "Products":
    """Return the wanted products. `complete`: all names are known, so that another one is misspelled."""
    from monitor.model.instances import Product

    by_id = {one.product.id: one for one in monitored}
    if not wanted:
        return monitored
    known = [Product(product_id, names.get(product_id) or one.product.name) for product_id, one in by_id.items()]
    if not complete and (unknown := unknown_products(wanted, known)):
        raise CommandError(f"--product: cannot look up {unknown[0]!r}, because some names could not be read")
    return [by_id[product_id] for product_id in select_products(wanted, known)]


def _reason(failure: "PollFailedError") -> str:
    return f"{failure.message.removesuffix('.')} ({failure.reason}, {failure.error_code})"
