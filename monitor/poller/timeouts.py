"""How long a poll may take, and what a product needs whose polls do not end in time."""

import math

from monitor.config.duration import format_duration
from monitor.config.schema import MAX_CALLS_PER_SECOND
from monitor.config.settings import MonitoredProduct
from monitor.model.errors import PollFailedError, Reason
from monitor.poller.product_state import PollRun

# Bound of a default timeout: 50 minutes at an interval of 5m, less than the default `poll.stale_after`.
MAX_INTERVALS = 10
# A poll may take this many times as long as the last one: one that lost instances lists them twice.
HEADROOM = 2.0
# Share of the timeout without any response after which a poll made no progress: time would not have helped it.
STALLED = 0.25
# Stack instances a page at most (API: ListStackInstancesForProvisionedProduct, `PageSize`).
_MINUTE = 60
_TOLERANCE = 1e-9
"""Of the rounding: 0.3 / 0.1 is more than 3 as a floating-point number."""


def poll_timeout(monitored: MonitoredProduct, needed: float) -> float:
    """Return the seconds that a poll may take; a timeout that is not configured grows to what is `needed`."""
    if not monitored.adaptive_timeout:
        return monitored.timeout
    return max(monitored.timeout, min(needed, MAX_INTERVALS * monitored.interval))


def calls_of(instances: int, page_size: int) -> int:
    """Return the calls that a poll of so many instances makes at least: one to describe the product, and the pages."""
    return 1 + max(1, math.ceil(instances / page_size))


def with_advice(error: PollFailedError, poll: PollRun, budget_wait: float, now: float) -> PollFailedError:
    """Return the error of a poll; of one that ran out of time while pages came in, with the setting that helps.

    A default timeout is longer for the next poll then. `budget_wait` are the seconds that the poll waited for the calls
    per second of its source.
    """
    timed_out = error.reason is Reason.TIMEOUT and now - poll.started_at >= poll.timeout
    if not timed_out or now - poll.responded_at > STALLED * poll.timeout:
        return error
    poll.state.needed_seconds = HEADROOM * poll.timeout
    known = calls_of(len(poll.state.snapshot.states), poll.catalog.page_size) if poll.state.snapshot else 0
    message = explain_timeout(
        poll.monitored,
        timeout=poll.timeout,
        next_timeout=poll_timeout(poll.monitored, poll.state.needed_seconds),
        calls=poll.calls,
        needed=known if known > poll.calls else None,
        budget_wait=budget_wait,
        calls_per_second=poll.catalog.calls_per_second,
    )
    return PollFailedError(error.reason, error.error_code, message)


def explain_timeout(
    monitored: MonitoredProduct,
    *,
    timeout: float,
    next_timeout: float,
    calls: int,
    needed: int | None,
    budget_wait: float,
    calls_per_second: float,
) -> str:
    """Say what a product needs whose poll made `calls` calls before its `timeout`, in seconds, and was not complete.

    Args:
        monitored: the product.
        timeout: the seconds that the poll took.
        next_timeout: the seconds that the next poll may take.
        calls: the calls that AWS answered.
        needed: the calls of a complete poll; None if they are not known.
        budget_wait: the seconds of the poll that were spent waiting for the calls per second of the source.
        calls_per_second: the configured budget of the source.
    """
    # Time is lost to the budget or to AWS, whose pages are read one after the other. Only the first is configurable.
    rate = f"{'made' if budget_wait > timeout / 2 else 'AWS answered'} {calls / timeout:.3g} a second"
    if needed is None:
        budget = f"calls_per_second (source {monitored.source}) or " if budget_wait > timeout / 2 else ""
        longer = "interval" if monitored.adaptive_timeout else "poll.timeout and interval"
        needs = f"more than {calls}"
        advice = f"increase {budget}{longer}: `check --aws` says to what"
    else:
        seconds = needed * timeout / calls
        needs = f"about {needed}"
        advice = f"set {sufficient(monitored, calls_per_second, seconds, seconds * (1 - budget_wait / timeout))}"
    more = f"; the next poll may take {format_duration(next_timeout)}" if next_timeout > timeout else ""
    return (
        f"the poll was not complete after {format_duration(timeout)}: it needs {needs} calls and {rate}; {advice}{more}"
    )


def sufficient(monitored: MonitoredProduct, calls_per_second: float, seconds: float, aws_seconds: float) -> str:
    """Return the settings with which the polls of a product end in time: `calls_per_second >= 21 or interval >= 11m`.

    Args:
        monitored: the product.
        calls_per_second: the configured budget of the source.
        seconds: what a whole poll takes with it.
        aws_seconds: the part of `seconds` that a higher budget cannot shorten.
    """
    rate = calls_per_second * seconds / monitored.timeout
    higher = ""
    if aws_seconds <= monitored.timeout and rate <= MAX_CALLS_PER_SECOND:
        higher = f"calls_per_second >= {round_up_rate(rate)} (source {monitored.source}) or "
    if monitored.adaptive_timeout:
        return f"{higher}interval >= {round_up_duration(seconds * monitored.interval / monitored.timeout)}"
    interval = "" if seconds <= monitored.interval else " and interval"
    return f"{higher}poll.timeout{interval} >= {round_up_duration(seconds)}"


def round_up_rate(calls_per_second: float) -> str:
    """Round up to two digits."""
    step = 10 ** (math.floor(math.log10(calls_per_second)) - 1)
    return f"{math.ceil(calls_per_second / step - _TOLERANCE) * step:g}"


def round_up_duration(seconds: float) -> str:
    """Round up to whole minutes, to whole seconds below two minutes."""
    unit = _MINUTE if seconds >= 2 * _MINUTE else 1
    return format_duration(math.ceil(seconds / unit - _TOLERANCE) * unit)
