"""The preflight: what a configuration meets at AWS, before a daemon runs with it.

Everything is asked once, as a poll would ask it. What is wrong is said in words that an IAM administrator, or
whoever has the file open, can act on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from monitor.cli.concurrent import Sources, Task, concurrent, find, list_concurrently
from monitor.config.duration import format_duration
from monitor.config.settings import MonitoredProduct, Settings, SourceSettings
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Listing
from monitor.model.products import STACK_SET, ProductDetail

CALL_SECONDS = 30.0
"""For a question that is one call."""

Identity = str | PollFailedError
Row = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found, as tables, and everything that is wrong."""

    sources: Sequence[Row]
    products: Sequence[Row]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What AWS says of one product."""

    monitored: MonitoredProduct
    detail: ProductDetail | PollFailedError
    listing: Listing | PollFailedError

    @property
    def calls(self) -> int | None:
        """Calls that a poll costs: the pages, and one that describes the product."""
        return None if isinstance(self.listing, PollFailedError) else self.listing.pages + 1


def preflight(
    settings: Settings,
    sources: Sources,
    progress: Callable[[Sequence[MonitoredProduct]], tuple[Callable[[str, int, int], None], Callable[[], None]]],
) -> Preflight:
    """Ask AWS everything. `progress` is told the products, and gives what is told pages and ends."""
    at_once = settings.poll.concurrency
    identities = concurrent(at_once, [(CALL_SECONDS, sources[one.name].caller_identity) for one in settings.sources])
    monitored, failed_searches = find(settings, sources)
    on_page, on_done = progress(monitored)
    details = concurrent(at_once, [_describe(sources, one) for one in monitored])
    listings = list_concurrently(settings, sources, monitored, on_page, on_done)
    asked = [_Asked(*one) for one in zip(monitored, details, listings, strict=True)]
    listed = {one.product.id for one in settings.products}
    problems: list[str] = []
    rows = []
    for source, identity in zip(settings.sources, identities, strict=True):
        mine = [one for one in asked if one.monitored.source == source.name]
        found = sum(one.monitored.product.id not in listed for one in mine)
        rows.append(_source_row(source, identity, mine, found, failed_searches.get(source.name)))
        problems += _source_problems(source, identity, mine, failed_searches.get(source.name))
    for one in asked:
        problems += _product_problems(one, settings)
    return Preflight(rows, [_product_row(one, settings) for one in asked], problems)


def _describe(sources: Sources, monitored: MonitoredProduct) -> Task[ProductDetail]:
    return CALL_SECONDS, lambda deadline: sources[monitored.source].describe(monitored.product.id, deadline)


def _source_row(
    source: SourceSettings, identity: Identity, mine: Sequence[_Asked], found: int, search: PollFailedError | None
) -> Row:
    return {
        "source": source.name,
        "identity": "unknown" if isinstance(identity, PollFailedError) else identity,
        "products": len(mine),
        "discovery": "off" if source.discover is None else "failed" if search else f"found {found}",
        "calls_per_second": f"{_needed(mine):.2f} of {source.calls_per_second:g}",
    }


def _needed(mine: Sequence[_Asked]) -> float:
    """Return the calls a second that the products of a source need on the average."""
    return sum((one.calls or 0) / one.monitored.interval for one in mine)


def _product_row(one: _Asked, settings: Settings) -> Row:
    listing = None if isinstance(one.listing, PollFailedError) else one.listing
    detail = None if isinstance(one.detail, PollFailedError) else one.detail
    return {
        "product": one.monitored.product.id,
        "name": detail.name if detail else one.monitored.product.name,
        "source": one.monitored.source,
        "type": detail.type if detail else None,
        "status": detail.status if detail else None,
        "instances": len(listing.statuses) if listing else None,
        "pages": listing.pages if listing else None,
        "calls": one.calls,
        "seconds": f"{_seconds(one, settings):.1f}" if listing else None,
        "interval": format_duration(one.monitored.interval),
    }


def _seconds(one: _Asked, settings: Settings) -> float:
    """Return the seconds that the calls of a poll take at the budget of its source, where it has that alone."""
    return (one.calls or 0) / _source(one, settings).calls_per_second


def _source(one: _Asked, settings: Settings) -> SourceSettings:
    return next(source for source in settings.sources if source.name == one.monitored.source)


def _source_problems(
    source: SourceSettings, identity: Identity, mine: Sequence[_Asked], search: PollFailedError | None
) -> list[str]:
    problems = []
    if isinstance(identity, PollFailedError):
        problems.append(f"source {source.name}: {_explained(identity, source, None)}")
    elif search is not None:
        why = _explained(search, source, "servicecatalog:SearchProvisionedProducts")
        problems.append(f"source {source.name}: its products cannot be looked for: {why}")
    needed = _needed(mine)
    if needed > source.calls_per_second:
        problems.append(
            f"source {source.name}: its products need {needed:.2f} calls a second, and calls_per_second is"
            f" {source.calls_per_second:g}: poll less often, or allow more calls"
        )
    return problems


def _product_problems(one: _Asked, settings: Settings) -> list[str]:
    source, name = _source(one, settings), f"product {one.monitored.product.id}"
    detail, listing = one.detail, one.listing
    if isinstance(detail, ProductDetail) and detail.type != STACK_SET:
        return [f"{name}: it is of type {detail.type}, and only those of type {STACK_SET} have stack instances"]
    problems = []
    if isinstance(detail, PollFailedError):
        why = _explained(detail, source, "servicecatalog:DescribeProvisionedProduct")
        problems.append(f"{name}: it cannot be described: {why}")
    if isinstance(listing, PollFailedError):
        why = _explained(listing, source, "servicecatalog:ListStackInstancesForProvisionedProduct")
        if not (isinstance(detail, PollFailedError) and detail.message == listing.message):
            problems.append(f"{name}: its stack instances cannot be listed: {why}")
        return problems
    seconds = _seconds(one, settings)
    if seconds > one.monitored.timeout:
        problems.append(
            f"{name}: its {one.calls} calls take {seconds:.0f} s at {source.calls_per_second:g} calls a second,"
            f" and the deadline of a poll is {format_duration(one.monitored.timeout)}:"
            " allow more calls, or a longer interval"
        )
    return problems


def _explained(error: PollFailedError, source: SourceSettings, action: str | None) -> str:
    """Say what somebody can do about a failure."""
    said = f"{error.message.removesuffix('.')} ({error.error_code})"
    role = source.role_arn
    if error.reason is Reason.ACCESS_DENIED and role and "cannot be assumed" in error.message:
        return (
            f"{said}. The trust policy of {role} must name who runs the monitor, with the external id if it asks for"
            " one; and who runs the monitor needs sts:AssumeRole on it"
        )
    if error.reason is Reason.ACCESS_DENIED and action:
        return f"{said}. {role or 'The identity above'} needs the permission {action}"
    if error.reason is Reason.NOT_FOUND:
        return f"{said}. Is it in another account or Region than those of source {source.name}?"
    if error.reason is Reason.CREDENTIALS:
        return f"{said}. Look at the credentials that boto3 finds: environment, profile, IRSA, Pod Identity"
    return said
