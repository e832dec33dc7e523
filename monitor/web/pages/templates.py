"""The Jinja2 environment: how values look on a page."""

from collections.abc import Mapping
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from monitor.config.duration import format_duration
from monitor.model.instances import Status
from monitor.model.views import WORST_FIRST

# Percent of a bar that a status has at least: one failed instance of 4,000 has to be seen.
SMALLEST_SHARE = 1.5
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def environment() -> Environment:
    """Return the environment of all pages. A name that a template does not know is an error."""
    found = Environment(
        loader=PackageLoader("monitor.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters |= {
        "ago": ago,
        "bar": bar,
        "count": count,
        "duration": duration,
        "interval": format_duration,
        "minute": minute,
        "time": time_element,
        "utc": utc,
    }
    found.globals["worst_first"] = WORST_FIRST
    return found


def duration(seconds: float) -> str:
    """Return a duration in its largest unit, rounded down: `45 s`, `12 min`, `3 h`, `5 d`."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "s"))
    return f"{int(seconds // size):,} {unit}"


def ago(moment: datetime, now: datetime) -> str:
    """Return a moment as seen from now: `3 h ago`, `in 12 s`, `now`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def utc(moment: datetime) -> str:
    """Return a moment to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def minute(moment: datetime) -> str:
    """Return a moment to the minute."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@pass_context
def time_element(context: Context, moment: datetime, *, due: bool = False) -> Markup:
    """Return a moment relative to the time of the page, with the absolute one in `title`.

    A moment that something is `due` is not in the past: what was due is being done.
    """
    now: datetime = context["now"]
    text = "now" if due and moment <= now else ago(moment, now)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        moment.astimezone(UTC).isoformat(timespec="seconds"), utc(moment), text
    )


def count(number: int, noun: str = "") -> str:
    """Return a number with its noun: `1 product`, `1,200 products`."""
    return f"{number:,}" + (f" {noun}{'' if number == 1 else 's'}" if noun else "")


def bar(counts: Mapping[Status, int]) -> list[tuple[Status, float, float]]:
    """Return each status of a bar with its beginning and its length in percent, the worst first."""
    present = [(status, counts[status]) for status in WORST_FIRST if counts.get(status)]
    total = sum(number for _, number in present)
    shares = [max(SMALLEST_SHARE, 100 * number / total) for _, number in present]
    parts = []
    begin = 0.0
    for (status, _), share in zip(present, shares, strict=True):
        length = 100 * share / sum(shares)
        parts.append((status, round(begin, 3), round(length, 3)))
        begin += length
    return parts
