"""Whether the calls of the polls fit into `calls_per_second`, and the settings with which they do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.cli.output import counted
from monitor.config.duration import format_duration
from monitor.config.load import TIMEOUT_SHARE
from monitor.config.schema import MAX_CALLS_PER_SECOND
from monitor.config.settings import MonitoredProduct, SourceSettings

_MINUTE = 60.0
# Tolerance of the comparisons: six times 0.1 calls a second are more than 0.6 as floating-point numbers.
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one poll of a product costs."""

    product: MonitoredProduct
    pages: int
    instances: int | None
    """None: the listing was not complete, and `pages` is a lower bound."""
    seconds: float = 0.0
    """How long the listing took. More than the rate explains if AWS is slow: pages are listed one after the other."""

    @property
    def calls(self) -> int:
        """The calls of one poll: a page each, and DescribeProvisionedProduct."""
        return self.pages + 1

    @property
    def size(self) -> str:
        """The number of pages for a message."""
        return f"{'at least ' if self.instances is None else ''}{counted(self.pages, 'page')}"


def rate_problems(source: SourceSettings, costs: Sequence[CallCost]) -> Sequence[str]:
    """Return a problem for each product whose poll cannot end before its deadline, or one if all do not fit.

    A poll may use the whole rate of its source while no other one is running. On the average, all products share it.
    """
    limit = source.calls_per_second
    problems = [
        _deadline_problem(source, cost) for cost in costs if cost.calls / limit > cost.product.timeout * _ROUNDING
    ]
    if problems:
        return problems
    needed = sum(cost.calls / cost.product.interval for cost in costs)
    if needed > limit * _ROUNDING:
        calls = sum(cost.calls for cost in costs)
        return [
            (
                f"source {source.name}: its {counted(len(costs), 'product')} need {_rate(needed)}:"
                f" set {_enough(needed)}interval >= {_duration(calls / limit)}"
            )
        ]
    return [
        f"product {cost.product.product.id}: the listing of {cost.size} took"
        f" {format_duration(round(cost.seconds, 1))}, the timeout is {format_duration(cost.product.timeout)}:"
        f" set {_longer(cost.product, cost.seconds)}"
        for cost in costs
        if cost.instances is None or cost.seconds > cost.product.timeout
    ]


def _deadline_problem(source: SourceSettings, cost: CallCost) -> str:
    product, limit = cost.product, source.calls_per_second
    needed = cost.calls / product.timeout
    return (
        f"product {product.product.id}: its {cost.size} need {_rate(needed)}, to be read within the"
        f" timeout of {format_duration(product.timeout)}: set {_enough(needed)}{_longer(product, cost.calls / limit)}"
    )


def _longer(product: MonitoredProduct, seconds: float) -> str:
    """Return the advice to allow a poll of some seconds."""
    if product.adaptive_timeout:
        return f"interval >= {_duration(seconds / TIMEOUT_SHARE)}"
    if seconds <= product.interval:
        return f"poll.timeout >= {_duration(seconds)}"
    return f"poll.timeout and interval >= {_duration(seconds)}"


def _rate(calls_per_second: float) -> str:
    return f"{math.ceil(calls_per_second * _MINUTE - 1e-6)} calls a minute, {calls_per_second:.1f} a second"


def _enough(calls_per_second: float) -> str:
    """Return the advice to allow a rate, rounded up to two digits, or nothing if the configuration cannot allow it."""
    if calls_per_second > MAX_CALLS_PER_SECOND:
        return ""
    step = 10 ** (math.floor(math.log10(calls_per_second)) - 1)
    return f"calls_per_second >= {math.ceil(calls_per_second / step - 1e-9) * step:g} or "


def _duration(seconds: float) -> str:
    """Return a duration, rounded up to whole minutes, or to whole seconds below two minutes."""
    unit = _MINUTE if seconds >= 2 * _MINUTE else 1.0
    return format_duration(math.ceil(seconds / unit - 1e-9) * unit)
