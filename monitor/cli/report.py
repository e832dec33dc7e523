"""What `poll` and `status` print: the products, the worst first, with their instances that are not CURRENT."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import click

from monitor.cli.output import Output, Row, counted, print_rows, reader_may_end
from monitor.config.duration import format_duration
from monitor.events.console import printable
from monitor.events.setup import timestamp
from monitor.model.instances import InstanceKey, Status
from monitor.model.views import ProductView, Severity, totals, worst_first

POLL_COLUMNS = (
    "provisioned_product_id",
    "provisioned_product_name",
    "provisioned_product_status",
    "account",
    "region",
    "status",
)
STATUS_COLUMNS = (*POLL_COLUMNS, "status_since", "provisioned_product_status_since", "observed_at")

_MEANINGS = {
    Status.INOPERABLE: "a delete failed, and every later update skips the instance",
    Status.OUTDATED: "the last rollout did not reach the instance, or failed there",
    Status.UNKNOWN: "AWS reports a status that this version does not know",
}


def print_report(
    views: Sequence[ProductView], output: Output, *, every_instance: bool = False, now: datetime | None = None
) -> None:
    """Print the instances that are not CURRENT, or every one; as a table with a line on each product and a summary.

    `now`: ages are counted up to it. None: there are no ages, because AWS was asked just now.
    """
    if output is not Output.TABLE:
        columns = POLL_COLUMNS if now is None else STATUS_COLUMNS
        every = (_row(view, key) for view in views for key in sorted(_keys(view, every_instance)))
        print_rows(({column: row[column] for column in columns} for row in every), columns, output)
        return
    with reader_may_end():
        for view in sorted(views, key=worst_first):
            if every_instance or view.severity is not Severity.FINE:
                click.echo(_headline(view, now))
                if rows := _by_account(view, _keys(view, every_instance), now):
                    print_rows(rows, tuple(rows[0]), output)
                click.echo()
        _print_summary(views, now)


def short_age(begin: datetime, end: datetime) -> str:
    """Return the time between two moments as 45s, 14m, 3h5m or 12d3h."""
    seconds = max(0, int((end - begin).total_seconds()))
    unit = 1 if seconds < 60 else 60 if seconds < 86400 else 3600  # noqa: PLR2004 - a minute, a day
    return format_duration(seconds // unit * unit)


def _keys(view: ProductView, every_instance: bool) -> Sequence[InstanceKey]:
    return view.keys if every_instance else view.non_current


def _row(view: ProductView, key: InstanceKey) -> Row:
    account, region = key
    state = view.states[key]
    return {
        "provisioned_product_id": view.product.id,
        "provisioned_product_name": view.product.name,
        "provisioned_product_status": view.status,
        "account": account,
        "region": region,
        "status": state.status,
        "status_since": timestamp(state.since),
        "provisioned_product_status_since": timestamp(view.status_since) if view.status_since else None,
        "observed_at": timestamp(view.polled_at) if view.polled_at else None,
    }


def _by_account(view: ProductView, keys: Sequence[InstanceKey], now: datetime | None) -> Sequence[Row]:
    """Return a row for all Regions of an account with the same status and age: a rollout fails in whole accounts."""
    regions: dict[tuple[Status, str, str], list[str]] = {}
    for account, region in keys:
        state = view.states[account, region]
        age = "" if now is None else short_age(state.since, now)
        regions.setdefault((state.status, age, account), []).append(region)
    return [
        {"status": status, **({"for": age} if age else {}), "account": account, "regions": ", ".join(found)}
        for (status, age, account), found in regions.items()
    ]


def _headline(view: ProductView, now: datetime | None) -> str:
    """Return what holds for a product as a whole."""
    name, product_id = printable(view.product.name), printable(view.product.id)
    facts = []
    if view.status:
        since = f" for {short_age(view.status_since, now)}" if now and view.status_since else ""
        facts.append(f"{view.status}{since}")
    if view.snapshot:
        facts.append(counts_text(view.counts))
    if now and view.polled_at:
        facts.append(f"polled {short_age(view.polled_at, now)} ago")
    product = click.style(name, bold=True) + (f" ({product_id})" if name != product_id else "")
    return f"{product}: {', '.join(facts)}"


def counts_text(counts: Mapping[Status, int]) -> str:
    """Return how many stack instances have each status."""
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no stack instances"


def _print_summary(views: Sequence[ProductView], now: datetime | None) -> None:
    counts = totals(views).instances
    polled = sorted(view.polled_at for view in views if view.polled_at)
    age = ""
    if now and polled:
        newest, oldest = short_age(polled[-1], now), short_age(polled[0], now)
        age = f", polled {newest if newest == oldest else f'{newest} to {oldest}'} ago"
    click.echo(f"{counted(len(views), 'product')}: {counts_text(counts)}{age}")
    for status, meaning in _MEANINGS.items():
        if counts.get(status):
            click.echo(f"{status}: {meaning}")
