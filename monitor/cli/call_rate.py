"""Whether the calls of the polls fit into `calls_per_second`, and the settings with which they do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.cli.output import counted
from monitor.config.duration import format_duration
from monitor.config.schema import MAX_CALLS_PER_SECOND
from monitor.config.settings import MonitoredProduct, SourceSettings
from monitor.poller.timeouts import round_up_duration, round_up_rate, sufficient

_MINUTE = 60.0
_ROUNDING = 1 + 1e-9
"""Tolerance of the comparisons: six times 0.1 calls a second are more than 0.6 as floating-point numbers."""


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one poll of a product costs."""

    product: MonitoredProduct
    pages: int
    instances: int | None
    """None: the listing was not complete, and `pages` is a lower bound."""
    seconds: float = 0.0
    """How long the listing took, while other products were listed as well."""
    budget_wait: float = 0.0
    """The part of `seconds` that was spent waiting for `calls_per_second`."""

    @property
    def calls(self) -> int:
        """The calls of one poll: a page each, and DescribeProvisionedProduct."""
        return self.pages + 1

    @property
    def aws_seconds(self) -> float:
        """How long AWS took. A higher rate does not change it: the pages are listed one after the other."""
        return self.seconds - self.budget_wait

    @property
    def size(self) -> str:
        """The number of pages for a message."""
        return f"{'at least ' if self.instances is None else ''}{counted(self.pages, 'page')}"


def rate_problems(source: SourceSettings, costs: Sequence[CallCost]) -> Sequence[str]:
    """Return a problem for each product whose poll cannot end before its deadline, or one if all do not fit.

    A poll may use the whole rate of its source while no other one is running. On the average, all products share it.
    """
    limit = source.calls_per_second
    problems = [problem for cost in costs if (problem := _deadline_problem(source, cost))]
    if problems:
        return problems
    needed = sum(cost.calls / cost.product.interval for cost in costs)
    if needed <= limit * _ROUNDING:
        return []
    higher = f"calls_per_second >= {round_up_rate(needed)} or " if needed <= MAX_CALLS_PER_SECOND else ""
    longer = round_up_duration(sum(cost.calls for cost in costs) / limit)
    products = counted(len(costs), "product")
    return [f"source {source.name}: its {products} need {_rate(needed)}: set {higher}interval >= {longer}"]


def _deadline_problem(source: SourceSettings, cost: CallCost) -> str | None:
    """Return a problem if the calls, or the responses of AWS, take longer than a poll may."""
    product = cost.product
    timeout = format_duration(product.timeout)
    budget_seconds = cost.calls / source.calls_per_second
    seconds = max(budget_seconds, cost.aws_seconds)
    if budget_seconds > product.timeout * _ROUNDING:
        why = f"its {cost.size} need {_rate(cost.calls / product.timeout)}, to be read within the timeout of {timeout}"
        if cost.aws_seconds > product.timeout:
            why += f", and AWS took {_seconds(cost.aws_seconds)} for them"
    elif cost.aws_seconds > product.timeout:
        why = f"AWS took {_seconds(cost.aws_seconds)} for its {cost.size}, the timeout is {timeout}"
    elif cost.instances is None:
        seconds = cost.seconds
        why = f"{cost.size} were listed in {_seconds(seconds)}, the timeout is {timeout}"
    else:
        return None
    helps = sufficient(product, source.calls_per_second, seconds, cost.aws_seconds)
    return f"product {product.product.id}: {why}: set {helps}"


def _rate(calls_per_second: float) -> str:
    return f"{math.ceil(calls_per_second * _MINUTE - 1e-6)} calls a minute, {calls_per_second:.1f} a second"


def _seconds(seconds: float) -> str:
    return format_duration(round(seconds, 1))
