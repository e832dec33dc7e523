"""The timeline of a product: how many stack instances were not CURRENT, as the bars of a step chart.

The numbers are exact: the counts of the snapshot are taken back transition by transition.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil

from monitor.model.diff import Transition
from monitor.model.instances import Status
from monitor.model.views import ProductView

# Parts of equal length that the time is divided into. Each shows its moment with the most instances not CURRENT.
COLUMNS = 120
# From the bottom to the top of a bar.
STACK = (Status.INOPERABLE, Status.UNKNOWN, Status.OUTDATED)
_MAX_LABELS = 5
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_LABEL_STEPS = (
    *(n * _MINUTE for n in (1, 2, 5, 15, 30)),
    *(n * _HOUR for n in (1, 2, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 30, 90)),
)

Counts = Mapping[Status, int]


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a bar that stands for one status. `y` and `height` are percent of the chart."""

    status: Status
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A span of time with the same counts. `x` and `width` are percent of the chart."""

    x: float
    width: float
    begin: datetime
    end: datetime
    counts: Counts
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Label:
    """A moment on the time axis, with its place in percent of the chart."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A chart, ready to be drawn."""

    begin: datetime
    end: datetime
    bars: Sequence[Bar]
    labels: Sequence[Label]
    highest: int
    """The most instances that were not CURRENT at a time: the upper end of the chart."""


def timeline(
    view: ProductView, transitions: Sequence[Transition], begin: datetime, end: datetime, *, complete: bool
) -> Timeline:
    """Return the chart of a product from `begin` to `end`, or from when its stack instances were first seen.

    Args:
        view: the product as it is at `end`.
        transitions: its transitions since `begin`, the newest first.
        begin: where the chart begins.
        end: where the chart ends.
        complete: False if older transitions since `begin` were left out. The chart then begins with the last one.
    """
    if transitions and not complete:
        begin = transitions[-1].observed_at
    # The two are read one after the other: a poll in between must not be taken back from the older snapshot.
    seen_at = view.snapshot.observed_at if view.snapshot else end
    transitions = [change for change in transitions if change.observed_at <= seen_at]
    known_since = min(
        (
            *{state.since for state in view.states.values()},
            *(change.previous_since or change.observed_at for change in transitions),
        ),
        default=end,
    )
    begin = min(max(begin, known_since), end)
    peaks = _peaks(_steps(view.counts, transitions, begin, end), begin, end)
    highest = max((sum(counts.values()) for counts in peaks.values()), default=0)
    return Timeline(begin, end, list(_bars(peaks, begin, end, highest)), list(_labels(begin, end)), highest)


def _steps(
    counts: Counts, transitions: Sequence[Transition], begin: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, Counts]]:
    """Yield spans of time and what was not CURRENT then, from the newest to the oldest."""
    now = Counter({status: counts.get(status, 0) for status in STACK})
    for observed_at, changes in groupby(transitions, key=lambda change: change.observed_at):
        if observed_at <= begin:
            break
        yield observed_at, end, dict(now)
        for change in changes:
            if change.status in STACK:
                now[change.status] -= 1
            if change.previous_status in STACK:
                now[change.previous_status] += 1
        end = min(end, observed_at)
    yield begin, end, dict(now)


def _peaks(steps: Iterator[tuple[datetime, datetime, Counts]], begin: datetime, end: datetime) -> dict[int, Counts]:
    """Return the counts of each column at its worst moment."""
    width = (end - begin) / COLUMNS
    peaks: dict[int, Counts] = {}
    for first, last, counts in steps:
        begins, ends = ((moment - begin) / width if width else 0 for moment in (first, last))
        for column in range(max(0, int(begins)), min(COLUMNS, max(ceil(ends), int(begins) + 1))):
            if column not in peaks or sum(counts.values()) > sum(peaks[column].values()):
                peaks[column] = counts
    return peaks


def _bars(peaks: Mapping[int, Counts], begin: datetime, end: datetime, highest: int) -> Iterator[Bar]:
    """Yield the bars from left to right; equal neighbors are one bar."""
    width = (end - begin) / COLUMNS
    for counts, group in groupby(sorted(peaks), key=lambda column: tuple(peaks[column].items())):
        columns = list(group)
        first, number = columns[0], len(columns)
        yield Bar(
            x=round(100 * first / COLUMNS, 3),
            width=round(100 * number / COLUMNS, 3),
            begin=begin + first * width,
            end=begin + (first + number) * width,
            counts=dict(counts),
            parts=list(_parts(dict(counts), highest)),
        )


def _parts(counts: Counts, highest: int) -> Iterator[Part]:
    top = 100.0
    for status in STACK:
        if count := counts.get(status):
            height = 100 * count / highest
            top -= height
            yield Part(status, round(max(top, 0), 3), round(height, 3))


def _labels(begin: datetime, end: datetime) -> Iterator[Label]:
    """Yield at most five round moments."""
    length = end - begin
    step = next((step for step in _LABEL_STEPS if length / step <= _MAX_LABELS), None)
    if step is None or not length:
        return
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = midnight + step * (-((midnight - begin) // step))
    while moment <= end:
        text = f"{moment:%b} {moment.day}" if step >= _DAY else f"{moment:%H:%M}"
        yield Label(round(100 * ((moment - begin) / length), 3), text)
        moment += step
