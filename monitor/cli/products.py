"""The products that a command is about, looked up at AWS."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.cli.aws import ADVICE, Products, SourcesByName, describe_products, discover
from monitor.cli.errors import CommandError
from monitor.cli.options import select_products, unknown_products
from monitor.cli.output import print_error
from monitor.cli.tasks import Task, run_tasks
from monitor.config.settings import Settings
from monitor.model.details import StackSetDetails
from monitor.model.errors import PollFailedError
from monitor.model.products import ProductDetail
from monitor.model.views import ProductView
from monitor.poller.details import MAX_SECONDS as DETAILS_SECONDS
from monitor.poller.product_state import with_aws_name
from monitor.poller.protocols import DetailsCatalog

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


def explain(settings: Settings, sources: SourcesByName, views: Sequence[ProductView]) -> Sequence[ProductView]:
    """Return products with the reasons of CloudFormation, if their sources have `details`.

    What cannot be read is reported. A product whose instances are all CURRENT needs no reasons.
    """

    def task(view: ProductView, catalog: DetailsCatalog) -> Task[StackSetDetails]:
        statuses = {key: state.status for key, state in view.states.items()}
        account = view.detail.account if view.detail else ""
        return DETAILS_SECONDS, lambda deadline: catalog.read(view.product.id, account, statuses, deadline)

    catalogs = {view.product.id: sources[view.source].details for view in views if view.non_current}
    explained = {view.product.id: (view, catalog) for view in views if (catalog := catalogs.get(view.product.id))}
    results = run_tasks(settings.poll.concurrency, [task(*one) for one in explained.values()])
    found: dict[str, StackSetDetails] = {}
    for product_id, result in zip(explained, results, strict=True):
        if isinstance(result, PollFailedError):
            print_error(f"cannot read why instances of {product_id} are not CURRENT: {reason(result)}")
        else:
            found[product_id] = result
    return [replace(view, details=found.get(view.product.id)) for view in views]


def reason(failure: PollFailedError) -> str:
    """Return why a call failed, and what to do about it if that is known."""
    text = f"{failure.message.removesuffix('.')} ({failure.reason}, {failure.error_code})"
    return f"{text}. To fix it, {ADVICE[failure.error_code]}" if failure.error_code in ADVICE else text
