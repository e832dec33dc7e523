"""The products that a command is about, looked up at AWS."""

from collections.abc import Mapping, Sequence

from monitor.cli.aws import ADVICE, Products, SourcesByName, describe_products, discover
from monitor.cli.errors import CommandError
from monitor.cli.options import select_products, unknown_products
from monitor.cli.output import print_error
from monitor.config.settings import Settings
from monitor.model.errors import PollFailedError
from monitor.model.products import ProductDetail
from monitor.poller.product_state import with_aws_name

Details = Mapping[str, ProductDetail]
"""By product ID."""


def find_products(settings: Settings, sources: SourcesByName, wanted: Sequence[str]) -> tuple[Products, Details, bool]:
    """Return the wanted products or, if none are named, all; what was described on the way; whether that is complete.

    It is not complete if a search failed, which is reported.
    Raises `CommandError` if a product is not found by its ID or name, or may be one whose name could not be read.
    """
    products, found = discover(settings, sources)
    failed = {source: result for source, result in found.items() if isinstance(result, PollFailedError)}
    for source, failure in failed.items():
        print_error(f"cannot discover the products of source {source}: {reason(failure)}")
    if not wanted:
        return products, {}, not failed
    details: Details = {}
    known = [one.product for one in products]
    if unknown_products(wanted, known):
        unnamed = [one for one in products if one.own_name and one.product.name == one.product.id]
        details = describe(settings, sources, unnamed)
        known = [with_aws_name(one, details.get(one.product.id)).product for one in products]
        if (failed or len(details) < len(unnamed)) and (unknown := unknown_products(wanted, known)):
            raise CommandError(f"--product: cannot look up {unknown[0]!r}, because some names could not be read")
    chosen = select_products(wanted, known)
    return [one for one in products if one.product.id in chosen], details, not failed


def describe(settings: Settings, sources: SourcesByName, products: Products) -> Details:
    """Describe products. What cannot be read is reported: the product has its ID as name then."""
    details = {}
    for one, detail in zip(products, describe_products(settings, sources, products), strict=True):
        if isinstance(detail, PollFailedError):
            print_error(f"cannot describe {one.product.id}: {reason(detail)}")
        else:
            details[one.product.id] = detail
    return details


def reason(failure: PollFailedError) -> str:
    """Return why a call failed, and what to do about it if that is known."""
    text = f"{failure.message.removesuffix('.')} ({failure.reason}, {failure.error_code})"
    return f"{text}. To fix it, {ADVICE[failure.error_code]}" if failure.error_code in ADVICE else text
