"""`stackset-monitor wait`."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click

from monitor.cli.aws import open_sources
from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.options import checked, config_option, load_configuration
from monitor.cli.output import Output, print_error
from monitor.cli.poll import view_of
from monitor.cli.products import explain, find_products, reason
from monitor.cli.report import counts_text, report
from monitor.cli.rollout import RolloutTimeoutError, RolloutWaiter
from monitor.config.duration import parse_duration
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing, Status
from monitor.model.products import ProductDetail, ProductStatus


@click.command()
@config_option
@click.option("--product", "wanted", required=True, metavar="P", help="The product, an ID or a name.")
@click.option(
    "--timeout",
    callback=checked(lambda text: (text, parse_duration(text))),
    default="1h",
    show_default=True,
    metavar="DURATION",
    help="How long to wait, like 90m or 2h.",
)
def wait(config: Path, wanted: str, timeout: tuple[str, float]) -> ExitCode:
    """Wait until the rollout of a product has ended, and print what is not CURRENT.

    Start it after update-provisioned-product, for example in a deployment pipeline. If no rollout is in
    progress, it returns after a few seconds. Progress is printed to stderr. Failures of AWS that pass are retried.

    \b
    Exit codes:
      0  every instance is CURRENT, or accepted in the configuration
      1  an instance is not CURRENT, or the rollout failed (the product is
         TAINTED or in ERROR)
      2  wrong usage or configuration
      3  failure: no such product at AWS, no permission, no credentials
      4  the rollout did not end in time
    """  # noqa: D301 - click's mark for lines that it must not wrap
    settings = load_configuration(config)
    sources = open_sources(settings)
    products, _, _ = find_products(settings, sources, [wanted])
    if len(products) > 1:
        raise CommandError(f"--product: {wanted!r} is the name of {len(products)} products; use an ID", ExitCode.USAGE)
    (monitored,) = products
    shown = ""

    def show(detail: ProductDetail, listing: Listing | None) -> None:
        nonlocal shown
        text = f"{detail.name}: {detail.status}, {counts_text(_counts(listing))}" if listing else ""
        if text != shown:
            print_error(text)
            shown = text

    waiter = RolloutWaiter(
        sources[monitored.source],
        monitored.product.id,
        timeout[1],
        on_progress=show,
        on_failure=lambda error: print_error(f"{monitored.product.id}: {reason(error)}; trying again"),
    )
    try:
        detail, listing = waiter.wait()
    except PollFailedError as error:
        raise CommandError(f"{monitored.product.id}: {reason(error)}") from error
    except RolloutTimeoutError as error:
        raise CommandError(f"the rollout did not end within {timeout[0]}", ExitCode.TIMED_OUT) from error
    found = report(explain(settings, sources, [view_of(monitored, listing, detail)]), settings.accepted)
    found.print(Output.TABLE)
    # A rollout that fails in accepted instances only, of suspended accounts for example, leaves the product TAINTED.
    expected = detail.status is ProductStatus.TAINTED and bool(found.accepted[detail.id])
    succeeded = detail.status is ProductStatus.AVAILABLE or expected
    return ExitCode.OK if succeeded and found.all_current else ExitCode.NOT_CURRENT


def _counts(listing: Listing) -> Mapping[Status, int]:
    counts = Counter(listing.statuses.values())
    return {status: counts[status] for status in Status}
