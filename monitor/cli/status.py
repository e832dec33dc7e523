"""`stackset-monitor status`."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from monitor.cli.errors import CommandError, ExitCode
from monitor.cli.options import (
    account_option,
    all_option,
    config_option,
    load_configuration,
    output_option,
    product_option,
    select_products,
    shard_option,
)
from monitor.cli.output import Output, print_error
from monitor.cli.report import report, short_age
from monitor.cli.stored import open_state
from monitor.config.settings import MonitoredProduct, Settings
from monitor.daemon.product_set import monitored_products, searched_sources
from monitor.model.instances import Snapshot, Status, count_statuses
from monitor.model.shard import Shard
from monitor.model.views import ProductView
from monitor.poller.product_state import utc_now, with_aws_name
from monitor.poller.protocols import StateError, StoredProduct

# How many products without data are named; a first start may have hundreds.
NAMED_PRODUCTS = 10


@click.command()
@config_option
@product_option
@account_option
@all_option
@shard_option
@output_option
def status(
    config: Path,
    products: tuple[str, ...],
    accounts: tuple[str, ...],
    every_instance: bool,
    shard: Shard | None,
    output: Output,
) -> ExitCode:
    """Print what is not CURRENT now, since when and why, from the state. AWS is not called.

    The daemon may be running. The ages say how old the data is. The reasons are those of
    CloudFormation, if the source has `details`.

    \b
    Exit codes:
      0  every instance is CURRENT, or accepted in the configuration
      1  an instance is not CURRENT
      2  wrong usage or configuration
      3  there is no state, or no recent data of a product; the others are printed
    """  # noqa: D301 - click's mark for lines that it must not wrap
    settings, now = load_configuration(config), utc_now()
    try:
        views = _read(settings, shard or Shard(), accounts, every_instance=every_instance, now=now)
    except StateError as error:
        raise CommandError(str(error)) from error
    if products:
        chosen = select_products(products, [view.product for view in views])
        views = [view for view in views if view.product.id in chosen]
    known = [view for view in views if view.snapshot]
    if accounts:
        known = [view for view in known if any(view.counts.values())]
        if not known:
            raise CommandError(f"--account: no stack instance is in {' or '.join(accounts)}", ExitCode.USAGE)
    found = report(known, settings.accepted, now)
    found.print(output, every_instance=every_instance)
    if _report_missing_data(views, now):
        return ExitCode.FAILED
    return ExitCode.OK if found.all_current else ExitCode.NOT_CURRENT


def _read(
    settings: Settings, shard: Shard, accounts: Sequence[str], *, every_instance: bool, now: datetime
) -> Sequence[ProductView]:
    with open_state(settings) as state:
        found = {source: state.discovered_products(source) for source in searched_sources(settings)}
        return [
            _view(
                monitored,
                state.load(monitored.product.id),
                accounts,
                every_instance=every_instance,
                oldest=now.timestamp() - settings.poll.stale_after,
            )
            for monitored in monitored_products(settings, found, shard).values()
        ]


def _view(
    monitored: MonitoredProduct, stored: StoredProduct, accounts: Sequence[str], *, every_instance: bool, oldest: float
) -> ProductView:
    """Return a product with the instances that are printed, and the counts of all of them."""
    snapshot = None if stored.missing else stored.snapshot
    view = ProductView(
        product=with_aws_name(monitored, stored.detail).product,
        source=monitored.source,
        interval=monitored.interval,
        detail=stored.detail,
        status_since=stored.status_since,
        missing=stored.missing,
        stale=snapshot is not None and snapshot.observed_at.timestamp() < oldest,
        polled_at=snapshot.observed_at if snapshot else None,
        details=stored.details,
    )
    if snapshot is None:
        return view
    states = {key: state for key, state in snapshot.states.items() if not accounts or key[0] in accounts}
    counts = count_statuses(states.values())
    if not every_instance:
        states = {key: state for key, state in states.items() if state.status is not Status.CURRENT}
    return view.with_snapshot(Snapshot(snapshot.product_id, snapshot.observed_at, states, counts))


def _report_missing_data(views: Sequence[ProductView], now: datetime) -> bool:
    """Report the products whose present state is not known; return whether there are any."""
    missing = [view.product.name for view in views if view.missing]
    pending = [view.product.name for view in views if not view.snapshot and not view.missing]
    stale = [
        f"{view.product.name} ({short_age(view.polled_at, now)} ago)" for view in views if view.polled_at and view.stale
    ]
    for what, names in (
        ("AWS does not know", missing),
        ("no poll was complete yet of", pending),
        ("old data, is the daemon running? Last complete poll of", stale),
    ):
        if names:
            more = [f"{len(names) - NAMED_PRODUCTS} more"] if len(names) > NAMED_PRODUCTS else []
            print_error(f"{what}: {', '.join(names[:NAMED_PRODUCTS] + more)}")
    return bool(missing or pending or stale)
