"""The preflight of `check --aws`: everything that a poll calls is called once, before a daemon does it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from monitor.cli.aws import ADVICE, CALL_SECONDS, Products, SourcesByName, describe_products, discover, list_products
from monitor.cli.call_rate import CallCost, rate_problems
from monitor.cli.output import Row, counted
from monitor.cli.tasks import Task, run_tasks
from monitor.config.duration import format_duration
from monitor.config.settings import DiscoverSettings, MonitoredProduct, Settings, SourceSettings
from monitor.model.accepted import Unused, unused_entries
from monitor.model.details import StackSetDetails
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import InstanceKey, Listing, Product, Status
from monitor.model.products import STACK_SET, ProductDetail

# Time limit of one listing. At the default of 10 calls a second it allows 18,000 pages, 360,000 instances.
LISTING_SECONDS = 1800.0
# Time limit of the details of one product: 600 calls at the rate that they have.
DETAILS_SECONDS = 120.0
DETAILS = "details"
_UNREACHABLE = (Reason.CONNECTION, Reason.TIMEOUT)


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source: a line with its identity and its calls, and a table of its products."""

    summary: str
    products: Sequence[Row]


@dataclass(slots=True)
class Report:
    """The result of the preflight."""

    sources: list[SourceReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What AWS reported, or what the calls showed."""
    failures: list[str] = field(default_factory=list)
    """Why a source could not be checked: no credentials, no Region, no answer."""
    unmatched: list[int] = field(default_factory=list)
    """The entries of `accepted`, by their number, that match no stack instance."""

    def add(self, prefix: str, error: PollFailedError, source: SourceSettings, action: str | None = None) -> None:
        """Add an error as a failure if AWS did not answer, else as a problem."""
        # botocore's own errors have the names of its classes as codes: NoRegionError, ProfileNotFound.
        local = error.reason in _UNREACHABLE or error.error_code.endswith("Error") or error.error_code in ADVICE
        (self.failures if local else self.problems).append(f"{prefix}: {_with_advice(error, source, action)}")


def preflight(settings: Settings, sources: SourcesByName) -> Report:
    """Check every source and product at AWS. A source whose identity is unknown is not checked further."""
    report = Report()
    tasks = [(CALL_SECONDS, sources[source.name].caller_identity) for source in settings.sources]
    identities: dict[str, str] = {}
    for source, identity in zip(settings.sources, run_tasks(settings.poll.concurrency, tasks), strict=True):
        if isinstance(identity, PollFailedError):
            report.add(f"source {source.name}", identity, source)
        else:
            identities[source.name] = identity
    sources = {name: sources[name] for name in identities}
    monitored, found = discover(settings, sources)
    products = [one for one in monitored if one.source in sources]
    details = dict(
        zip((one.product.id for one in products), describe_products(settings, sources, products), strict=True)
    )
    costs, listings = _list(report, settings, sources, products, details)
    _check_details(report, settings, sources, products, details, listings)
    fleet = [(one.product, listings[one.product.id].items()) for one in products if one.product.id in listings]
    unused = unused_entries(settings.accepted, fleet, datetime.now(UTC).date())
    report.unmatched += [settings.accepted.index(entry) for entry, why in unused.items() if why is Unused.UNMATCHED]
    for source in settings.sources:
        if source.name not in sources:
            continue
        own = [one for one in products if one.source == source.name]
        if source.discover:
            _check_discovery(report, source, source.discover, found[source.name])
        known = [costs[one.product.id] for one in own if one.product.id in costs]
        report.problems += rate_problems(source, known)
        rate = sum(cost.calls / cost.product.interval for cost in known)
        report.sources.append(
            SourceReport(
                f"source {source.name}: {identities[source.name]}\n"
                f"{counted(len(own), 'product')}, {rate:.2f} of"
                f" {source.calls_per_second:g} calls a second",
                [_row(one, details[one.product.id], costs.get(one.product.id), source) for one in own],
            )
        )
    return report


def _list(
    report: Report,
    settings: Settings,
    sources: SourcesByName,
    products: Products,
    details: Mapping[str, ProductDetail | PollFailedError],
) -> tuple[Mapping[str, CallCost], Mapping[str, Mapping[InstanceKey, Status]]]:
    """List the stack instances of every StackSet; return the cost of a poll and the statuses by product ID."""
    by_name = {source.name: source for source in settings.sources}
    listable = []
    for one in products:
        prefix, detail = f"product {one.product.id}", details[one.product.id]
        if isinstance(detail, ProductDetail) and detail.type != STACK_SET:
            report.problems.append(f"{prefix}: has type {detail.type}; only {STACK_SET} has stack instances")
            continue
        if isinstance(detail, PollFailedError):
            report.add(f"{prefix}: cannot describe it", detail, by_name[one.source], "DescribeProvisionedProduct")
            if detail.reason in (Reason.NOT_FOUND, *_UNREACHABLE):
                continue
        listable.append(one)
    # When each page came, and how long the listing had waited for calls_per_second by then.
    times: dict[str, list[tuple[float, float]]] = {one.product.id: [] for one in listable}

    def on_page(product_id: str, _pages: int, _instances: int, budget_wait: float) -> None:
        times[product_id].append((time.monotonic(), budget_wait))

    costs: dict[str, CallCost] = {}
    listings: dict[str, Mapping[InstanceKey, Status]] = {}
    results = list_products(settings, sources, listable, LISTING_SECONDS, on_page)
    for one, result in zip(listable, results, strict=True):
        pages = times[one.product.id]
        if isinstance(result, Listing):
            seconds, waited = (last - first for first, last in zip(pages[0], pages[-1], strict=True))
            costs[one.product.id] = CallCost(one, result.pages, len(result.statuses), seconds, waited)
            listings[one.product.id] = result.statuses
        elif result.reason is Reason.TIMEOUT and pages:
            costs[one.product.id] = CallCost(one, len(pages), None, max(LISTING_SECONDS, one.timeout), pages[-1][1])
        else:
            prefix = f"product {one.product.id}: cannot list its stack instances"
            report.add(prefix, result, by_name[one.source], "ListStackInstancesForProvisionedProduct")
    return costs, listings


def _check_details(
    report: Report,
    settings: Settings,
    sources: SourcesByName,
    products: Products,
    details: Mapping[str, ProductDetail | PollFailedError],
    listings: Mapping[str, Mapping[InstanceKey, Status]],
) -> None:
    """Read the details of every listed product whose source has `details`."""
    readers = {name: source.details for name, source in sources.items() if source.details}
    wanted = [one for one in products if one.source in readers and one.product.id in listings]

    def task(one: MonitoredProduct) -> Task[StackSetDetails]:
        product_id, detail = one.product.id, details[one.product.id]
        account = detail.account if isinstance(detail, ProductDetail) else ""
        return DETAILS_SECONDS, lambda deadline: readers[one.source].read(
            product_id, account, listings[product_id], deadline
        )

    by_name = {source.name: source for source in settings.sources}
    for one, result in zip(wanted, run_tasks(settings.poll.concurrency, list(map(task, wanted))), strict=True):
        if isinstance(result, PollFailedError):
            report.add(f"product {one.product.id}: cannot read its details", result, by_name[one.source], DETAILS)


def _check_discovery(
    report: Report, source: SourceSettings, discover: DiscoverSettings, found: Sequence[Product] | PollFailedError
) -> None:
    prefix = f"source {source.name}"
    if isinstance(found, PollFailedError):
        report.add(f"{prefix}: cannot discover its products", found, source, "SearchProvisionedProducts")
    elif not found:
        criteria = ", ".join([*discover.names, *(f"{key}={value}" for key, value in discover.tags.items())])
        report.problems.append(f"{prefix}: discover finds no product of type {STACK_SET} with {criteria}")


def _row(
    monitored: MonitoredProduct, detail: ProductDetail | PollFailedError, cost: CallCost | None, source: SourceSettings
) -> Row:
    known = detail if isinstance(detail, ProductDetail) else None
    return {
        "product": monitored.product.id,
        "name": known.name if known else monitored.product.name,
        "status": known.status if known else None,
        "instances": cost.instances if cost else None,
        "pages": cost.pages if cost else None,
        "duration": format_duration(round(cost.calls / source.calls_per_second, 1)) if cost else None,
        "interval": format_duration(monitored.interval),
    }


def _with_advice(error: PollFailedError, source: SourceSettings, action: str | None) -> str:
    """Return the message of an error with what to do about it."""
    role, advice = source.role_arn, ""
    if error.error_code in ADVICE:
        advice = f"To fix it, {ADVICE[error.error_code]}"
    elif error.reason is Reason.ACCESS_DENIED and role and "cannot be assumed" in error.message:
        advice = (
            f"The trust policy of {role} must allow the identity of the monitor, with the external ID if it"
            " requires one, and that identity needs sts:AssumeRole on the role"
        )
    elif error.reason is Reason.ACCESS_DENIED and action == DETAILS:
        advice = f"{role or 'The identity above'} needs the statement ReadDetails that `iam-policy` prints"
    elif error.reason is Reason.ACCESS_DENIED and action:
        advice = f"{role or 'The identity above'} needs the permission servicecatalog:{action}"
    elif error.reason is Reason.NOT_FOUND:
        advice = f"Is it in another account or Region than source {source.name}?"
    elif error.reason is Reason.CREDENTIALS:
        advice = "To fix it, check the credentials that botocore finds: environment, profile, IRSA, Pod Identity"
    elif error.reason in _UNREACHABLE:
        advice = "To fix it, check the network, HTTPS_PROXY, AWS_CA_BUNDLE and AWS_ENDPOINT_URL"
    message = f"{error.message.removesuffix('.')} ({error.error_code})"
    return f"{message}. {advice}" if advice else message
