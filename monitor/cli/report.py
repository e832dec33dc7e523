"""What `poll`, `status` and `wait` print: the products, the worst first, with their instances that are not CURRENT."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from monitor.cli.output import Output, Row, counted, print_rows, reader_may_end
from monitor.config.duration import format_duration
from monitor.events.console import printable
from monitor.events.setup import timestamp
from monitor.model.accepted import Acceptance, accepted_instances
from monitor.model.instances import InstanceKey, Status
from monitor.model.views import ProductView, Severity, totals, worst_first

PRODUCT_COLUMNS = ("provisioned_product_id", "provisioned_product_name", "provisioned_product_status")
REASON_COLUMNS = ("detailed_status", "status_reason", "accepted")
POLL_COLUMNS = (*PRODUCT_COLUMNS, "account", "region", "status", *REASON_COLUMNS)
STATUS_COLUMNS = (*POLL_COLUMNS, "status_since", "provisioned_product_status_since", "observed_at")
# Accounts that a line names. A rollout fails in many accounts for one reason.
NAMED_ACCOUNTS = 5

_MEANINGS = {
    Status.INOPERABLE: "a delete failed, and every later update skips the instance",
    Status.OUTDATED: "the last rollout did not reach the instance, or failed there",
    Status.UNKNOWN: "AWS reports a status that this version does not know",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The products of a command, and which of their instances are accepted."""

    views: Sequence[ProductView]
    accepted: Mapping[str, Mapping[InstanceKey, Acceptance]]
    """By product ID."""
    now: datetime | None
    """What ages are counted up to. None: there are no ages, because AWS was asked just now."""

    @property
    def all_current(self) -> bool:
        """Whether every instance is CURRENT or accepted."""
        return all(self.accepted[view.product.id].keys() >= set(view.non_current) for view in self.views)

    def print(self, output: Output, *, every_instance: bool = False) -> None:
        """Print the instances that are not CURRENT, or every one; in a table also what holds for each product."""
        if output is not Output.TABLE:
            columns = POLL_COLUMNS if self.now is None else STATUS_COLUMNS
            every = (
                self._row(view, key)
                for view in self.views
                for key in sorted(_keys(view, every_instance=every_instance))
            )
            print_rows(({column: row[column] for column in columns} for row in every), columns, output)
            return
        with reader_may_end():
            for view in sorted(self.views, key=worst_first):
                if every_instance or view.severity is not Severity.FINE:
                    click.echo(self._headline(view))
                    if rows := self._by_account(view, _keys(view, every_instance=every_instance)):
                        print_rows(rows, tuple(rows[0]), output)
                    for line in self._reasons(view):
                        click.echo(line)
                    click.echo()
            self._print_summary()

    def _row(self, view: ProductView, key: InstanceKey) -> Row:
        account, region = key
        state = view.states[key]
        detail = view.details.instances.get(key) if view.details else None
        accepted = self.accepted[view.product.id].get(key)
        return {
            "provisioned_product_id": view.product.id,
            "provisioned_product_name": view.product.name,
            "provisioned_product_status": view.status,
            "account": account,
            "region": region,
            "status": state.status,
            "detailed_status": detail.detailed_status if detail else None,
            "status_reason": detail.reason if detail and detail.reason else None,
            "accepted": accepted.reason if accepted else None,
            "status_since": timestamp(state.since),
            "provisioned_product_status_since": timestamp(view.status_since) if view.status_since else None,
            "observed_at": timestamp(view.polled_at) if view.polled_at else None,
        }

    def _by_account(self, view: ProductView, keys: Sequence[InstanceKey]) -> Sequence[Row]:
        """Return a row for the Regions of an account with the same status and age: rollouts fail in whole accounts."""
        regions: dict[tuple[Status, str, str], list[str]] = {}
        for account, region in keys:
            state = view.states[account, region]
            age = short_age(state.since, self.now) if self.now else ""
            regions.setdefault((state.status, age, account), []).append(region)
        return [
            {"status": status, **({"for": age} if age else {}), "account": account, "regions": ", ".join(found)}
            for (status, age, account), found in regions.items()
        ]

    def _reasons(self, view: ProductView) -> Sequence[str]:
        """Return why the instances are not CURRENT, and which are accepted, each with its accounts.

        Reasons that differ only in their account or Region, in the name of a bucket for example, are one line.
        """
        found: dict[str, tuple[str, dict[str, None]]] = {}
        details = view.details.instances if view.details else {}
        for key in view.non_current:
            account, region = key
            reasons = []
            if detail := details.get(key):
                reasons.append(": ".join(filter(None, (detail.detailed_status, detail.reason))))
            if entry := self.accepted[view.product.id].get(key):
                reasons.append(f"accepted until {entry.until}: {entry.reason}")
            for reason in map(printable, reasons):
                common = reason.replace(account, "ACCOUNT").replace(region, "REGION")
                found.setdefault(common, (reason, {}))[1][account] = None
        return [
            f"{first if len(accounts) == 1 else common} ({_named(list(accounts))})"
            for common, (first, accounts) in found.items()
        ]

    def _headline(self, view: ProductView) -> str:
        """Return what holds for a product as a whole."""
        name, product_id = printable(view.product.name), printable(view.product.id)
        facts = []
        if view.status:
            since = f" for {short_age(view.status_since, self.now)}" if self.now and view.status_since else ""
            facts.append(f"{view.status}{since}")
        if view.details and view.details.operation and view.details.operation.running:
            progress = view.details.operation.progress
            failed = f", {progress.failed} failed" if progress.failed else ""
            facts.append(f"rollout at {progress.total - progress.remaining} of {progress.total}{failed}")
        if view.snapshot:
            facts.append(counts_text(view.counts))
        if self.now and view.polled_at:
            facts.append(f"polled {short_age(view.polled_at, self.now)} ago")
        product = click.style(name, bold=True) + (f" ({product_id})" if name != product_id else "")
        return f"{product}: {', '.join(facts)}"

    def _print_summary(self) -> None:
        counts = totals(self.views).instances
        polled = sorted(view.polled_at for view in self.views if view.polled_at)
        facts = [f"{counted(len(self.views), 'product')}: {counts_text(counts)}"]
        if accepted := sum(map(len, self.accepted.values())):
            facts.append(f"{accepted} of them accepted")
        if self.now and polled:
            newest, oldest = short_age(polled[-1], self.now), short_age(polled[0], self.now)
            facts.append(f"polled {newest if newest == oldest else f'{newest} to {oldest}'} ago")
        click.echo(", ".join(facts))
        for status, meaning in _MEANINGS.items():
            if counts.get(status):
                click.echo(f"{status}: {meaning}")


def report(views: Sequence[ProductView], entries: Sequence[Acceptance], now: datetime | None = None) -> Report:
    """Return the report of products. `entries`: those of `accepted` in the configuration."""
    today = datetime.now(UTC).date()
    accepted = {
        view.product.id: accepted_instances(entries, view.product, view.states, view.non_current, today)
        for view in views
    }
    return Report(views, accepted, now)


def short_age(begin: datetime, end: datetime) -> str:
    """Return the time between two moments as 45s, 14m, 3h5m or 12d3h."""
    seconds = max(0, int((end - begin).total_seconds()))
    unit = 1 if seconds < 60 else 60 if seconds < 86400 else 3600  # noqa: PLR2004 - a minute, a day
    return format_duration(seconds // unit * unit)


def counts_text(counts: Mapping[Status, int]) -> str:
    """Return how many stack instances have each status."""
    return ", ".join(f"{count} {status}" for status, count in counts.items() if count) or "no stack instances"


def _keys(view: ProductView, *, every_instance: bool) -> Sequence[InstanceKey]:
    return view.keys if every_instance else view.non_current


def _named(accounts: Sequence[str]) -> str:
    more = len(accounts) - NAMED_ACCOUNTS
    return ", ".join(accounts[:NAMED_ACCOUNTS]) + (f" and {counted(more, 'more account')}" if more > 0 else "")
