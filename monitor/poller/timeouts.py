"""How long a poll may take, and what a product needs whose polls do not end in time."""

import math

from monitor.config.duration import format_duration
from monitor.config.settings import MonitoredProduct

# Bound of a default timeout: 50 minutes at an interval of 5m, less than the default `poll.stale_after`.
MAX_INTERVALS = 10
# A poll may take this many times as long as the last one: one that lost instances lists them twice.
HEADROOM = 2.0
# Share of the timeout without any response after which a poll made no progress: time would not have helped it.
STALLED = 0.25
# Stack instances a page at most (API: ListStackInstancesForProvisionedProduct, `PageSize`).
MAX_PAGE_SIZE = 20

_MINUTE = 60


def poll_timeout(monitored: MonitoredProduct, needed: float) -> float:
    """Return the seconds that a poll may take; a timeout that is not configured grows to what is `needed`."""
    if not monitored.adaptive_timeout:
        return monitored.timeout
    return max(monitored.timeout, min(needed, MAX_INTERVALS * monitored.interval))


def calls_of(instances: int) -> int:
    """Return the calls that a poll of so many instances makes at least: one to describe the product, and the pages."""
    return 1 + max(1, math.ceil(instances / MAX_PAGE_SIZE))


def explain_timeout(
    monitored: MonitoredProduct,
    timeout: float,
    next_timeout: float,
    calls: int,
    instances: int,
    calls_per_second: float,
) -> str:
    """Say what a product needs that made `calls` calls before its `timeout`, in seconds, without being complete.

    `instances` is the size of its last snapshot, 0 if there is none: then the advice is for twice as many calls.
    """
    rate = calls / timeout
    known = calls_of(instances)
    needed = known if known > calls else 2 * calls
    # A poll that got less than half of the budget waited for AWS or for other products: more budget would not help it.
    limited = rate >= calls_per_second / 2
    budget = f"calls_per_second >= {math.ceil(calls_per_second * needed / monitored.timeout / rate)}"
    seconds = needed / rate
    if monitored.adaptive_timeout:
        longer = f"interval >= {_whole(seconds * monitored.interval / monitored.timeout)}"
    elif seconds <= monitored.interval:
        longer = f"poll.timeout >= {_whole(seconds)}"
    else:
        longer = f"poll.timeout and interval >= {_whole(seconds)}"
    more = f"; the next poll may take {format_duration(next_timeout)}" if next_timeout > timeout else ""
    return (
        f"the poll was not complete after {format_duration(timeout)}: it needs"
        f" {f'about {needed}' if known > calls else f'more than {calls}'} calls and made {rate:.3g} a second;"
        f" set {f'{budget} (source {monitored.source}) or ' if limited else ''}{longer}{more}"
    )


def _whole(seconds: float) -> str:
    unit = _MINUTE if seconds > _MINUTE else 1
    return format_duration(math.ceil(seconds / unit) * unit)
