"""Time series and values as SVG and text, in the colors and units of the panels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

COLORS = {
    "green": "#73bf69", "orange": "#ff9830", "red": "#f2495c", "purple": "#b877d9", "blue": "#5794f2",
    "yellow": "#fade2a", "text": "#ccccdc",
}  # fmt: skip
PALETTE = ("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c", "#5794f2", "#b877d9", "#705da0", "#37872d", "#fade2a")
MEBIBYTE = 2.0**20
LEFT, RIGHT, TOP, BOTTOM = 62, 8, 6, 20
"""Margins of a plot, in pixels."""
NARROW = 500
"""A plot of this width has a label every six hours instead of three."""


@dataclass(frozen=True)
class Line:
    """A named series: values by time, without those that are missing."""

    name: str
    values: Mapping[float, float]
    color: str = ""


@dataclass(frozen=True)
class Plot:
    """How a panel draws its series."""

    width: int
    height: int
    start: float
    end: float
    step: int
    unit: str
    stacked: bool
    bars: bool
    fill: float
    """Opacity below a line, from 0 to 1."""
    decimals: int | None = None
    limit: float | None = None
    """A value that is marked by a dashed line."""


def draw(plot: Plot, lines: Sequence[Line], marks: Sequence[tuple[float, float]]) -> str:
    """Return the SVG of a plot. `marks` are periods that are highlighted, for example rollouts."""
    layers = _stacked(lines) if plot.stacked else [(line, dict.fromkeys(line.values, 0.0)) for line in lines]
    highest = max((line.values[at] + base[at] for line, base in layers for at in line.values), default=1.0)
    size_of_unit = MEBIBYTE if plot.unit == "bytes" else 1.0
    ticks = nice_ticks(max(highest, (plot.limit or 0) * 1.1), size_of_unit, whole=plot.decimals == 0)
    inner = plot.height - TOP - BOTTOM

    def x(at: float) -> float:
        return LEFT + (at - plot.start) / (plot.end - plot.start) * (plot.width - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + inner - value / ticks[-1] * inner

    parts = [f'<svg width="{plot.width}" height="{plot.height}" role="img">']
    for begin, end in marks:
        parts.append(
            f'<rect x="{x(begin):.1f}" y="{TOP}" width="{x(end) - x(begin):.1f}" height="{inner}" class="mark"/>'
        )
    for tick in ticks:
        parts.append(
            f'<line x1="{LEFT}" x2="{plot.width - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" class="grid"/>'
        )
        parts.append(
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" class="tick end">{format_value(tick, plot.unit)}</text>'
        )
    for hour in range(0, 24, 3 if plot.width > NARROW else 6):
        at = plot.start + hour * 3600
        parts.append(f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP}" y2="{TOP + inner}" class="grid"/>')
        parts.append(f'<text x="{x(at):.1f}" y="{plot.height - 5}" class="tick">{hour:02}:00</text>')
    for line, base in layers:
        for run in _runs(line.values, plot.step):
            points = [(x(at), y(base[at] + line.values[at]), y(base[at])) for at in run]
            parts.append(_bars(plot, points, line.color) if plot.bars else _area(plot, points, line.color))
    if plot.limit is not None:
        height = f'y1="{y(plot.limit):.1f}" y2="{y(plot.limit):.1f}"'
        parts.append(f'<line x1="{LEFT}" x2="{plot.width - RIGHT}" {height} class="limit"/>')
    return "".join((*parts, "</svg>"))


def _stacked(lines: Sequence[Line]) -> list[tuple[Line, dict[float, float]]]:
    """Return each line with the sum of those below it."""
    below: dict[float, float] = {}
    found = []
    for line in lines:
        base = {at: below.get(at, 0.0) for at in line.values}
        found.append((line, base))
        below |= {at: base[at] + value for at, value in line.values.items()}
    return found


def _runs(values: Mapping[float, float], step: int) -> list[list[float]]:
    """Return the times of each uninterrupted period: a gap is not drawn as a line."""
    runs: list[list[float]] = []
    for at in sorted(values):
        if runs and at - runs[-1][-1] <= step:
            runs[-1].append(at)
        else:
            runs.append([at])
    return runs


def _area(plot: Plot, points: Sequence[tuple[float, float, float]], color: str) -> str:
    line = " ".join(f"{x:.1f},{top:.1f}" for x, top, _ in points)
    back = " ".join(f"{x:.1f},{bottom:.1f}" for x, _, bottom in reversed(points))
    return (
        f'<polygon points="{line} {back}" fill="{color}" fill-opacity="{plot.fill}"/>'
        f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="1.3"/>'
    )


def _bars(plot: Plot, points: Sequence[tuple[float, float, float]], color: str) -> str:
    width = max(1.5, (plot.width - LEFT - RIGHT) * plot.step / (plot.end - plot.start) * 0.8)
    return "".join(
        f'<rect x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}" fill="{color}"/>'
        for x, top, bottom in points
        if bottom - top > 0.01
    )


def nice_ticks(highest: float, size_of_unit: float = 1.0, *, whole: bool = False) -> list[float]:
    """Return the values of the axis from 0 to at least `highest`: up to six, in steps of 1, 2 or 5 units."""
    if highest <= 0:
        return [0.0, 1.0]
    if size_of_unit != 1:
        return [tick * size_of_unit for tick in nice_ticks(highest / size_of_unit)]
    highest = max(highest, 4.0) if whole else highest
    size = 10.0 ** math.floor(math.log10(highest / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor * 5 >= highest)
    return [step * number for number in range(math.ceil(highest / step - 1e-9) + 1)]


def format_value(value: float, unit: str, decimals: int | None = None, now: float = 0.0) -> str:
    """Return a value in a unit of Grafana."""
    if unit == "dateTimeAsIso":
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if unit == "dateTimeFromNow":
        seconds = now - value / 1000
        size, name = next((one for one in _AGES if seconds >= one[0]), _AGES[-1])
        return f"{seconds / size:.0f} {name} ago"
    if unit == "s":
        return _duration(value)
    if unit == "bytes":
        return _number(value / MEBIBYTE, decimals) + " MiB"
    if unit == "percentunit":
        return _number(value * 100, decimals) + "%"
    return _number(value, decimals) + (" req/s" if unit == "reqps" else "")


_AGES = ((86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))


def _duration(seconds: float) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}{'s' if name != 'min' and seconds / size >= 1.005 else ''}"
    return f"{seconds:.3g} s" if seconds >= 1 or not seconds else f"{seconds * 1000:.3g} ms"


def _number(value: float, decimals: int | None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return f"{value:.4g}" if abs(value) < 1000 else f"{value / 1000:.3g} K"


def legend(lines: Sequence[Line]) -> str:
    """Return the legend of a plot as HTML."""
    entries = (f'<span><i style="background:{line.color}"></i>{escape(line.name)}</span>' for line in lines)
    return f'<div class="legend">{"".join(entries)}</div>'
