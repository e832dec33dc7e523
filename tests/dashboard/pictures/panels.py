"""The panels of the dashboard with the data of the recorded day, as HTML."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from tests.dashboard.dashboard import DASHBOARD, filled
from tests.dashboard.pictures.charts import COLORS, PALETTE, Line, Plot, draw, format_value, legend
from tests.dashboard.pictures.history import History

Panel = Mapping[str, Any]
COLUMN, ROW, GAP = 52, 30, 8
"""Size of a cell of the grid and the space between panels, in pixels."""
HEADER = 30
STEP = 120
SCRAPE_INTERVAL = 60


@dataclass(frozen=True)
class DrawnPanel:
    """A panel as HTML, and the number of values that it shows."""

    title: str
    html: str
    values: int


def draw_panel(panel: Panel, history: History, top: int) -> DrawnPanel:
    """Return a panel; `top` is the row of the grid at which the picture begins."""
    at = panel["gridPos"]
    width, height = at["w"] * COLUMN - GAP, at["h"] * (ROW + GAP) - GAP
    body, values = _KINDS[panel["type"]](panel, history, width - 16, height - HEADER - 8)
    place = f"left:{at['x'] * COLUMN}px;top:{(at['y'] - top) * (ROW + GAP)}px;width:{width}px;height:{height}px"
    html = f'<section style="{place}"><h2>{escape(panel["title"])}</h2>{body}</section>'
    return DrawnPanel(panel["title"], html, values)


def query_text(expression: str, step: int) -> str:
    """Return an expression with the variables replaced as Grafana does for a day."""
    rate = f"{max(step + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)}s"
    return filled(expression.replace("$__rate_interval", rate).replace("$__range", "24h"))


def _stat(panel: Panel, history: History, width: int, height: int) -> tuple[str, int]:
    found = history.at_end(query_text(panel["targets"][0]["expr"], STEP))
    defaults = panel["fieldConfig"]["defaults"]
    if not found:
        return f'<div class="stat">{defaults["noValue"]}</div>', 0
    value = float(found[0]["value"][1])
    text, color = format_value(value, defaults["unit"], defaults.get("decimals")), threshold_color(defaults, value)
    for mapping in defaults.get("mappings", ()):
        if mapping["type"] == "value" and (mapped := mapping["options"].get(f"{value:g}")):
            text, color = mapped["text"], mapped["color"]
    return f'<div class="stat" style="color:{COLORS[color]}">{text}</div>', 1


def _bar_gauge(panel: Panel, history: History, width: int, height: int) -> tuple[str, int]:
    (target,) = panel["targets"]
    found = history.at_end(query_text(target["expr"], STEP))
    highest = max((float(one["value"][1]) for one in found), default=1.0)
    color = COLORS[threshold_color(panel["fieldConfig"]["defaults"], highest)]
    bars = (
        f"<tr><th>{escape(_named(target['legendFormat'], one['metric']))}</th>"
        f'<td><div style="width:{float(one["value"][1]) / highest * 100:.1f}%;background:{color}"></div></td>'
        f'<td style="color:{color}">{float(one["value"][1]):g}</td></tr>'
        for one in found
    )
    return f'<table class="bars">{"".join(bars)}</table>', len(found)


def _time_series(panel: Panel, history: History, width: int, height: int) -> tuple[str, int]:
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    step = max(STEP, _seconds(panel.get("interval", "0s")))
    fixed = {
        override["matcher"]["options"]: COLORS[one["value"]["fixedColor"]]
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "color"
    }
    lines: list[Line] = []
    for target in panel["targets"]:
        for one in history.over_time(query_text(target["expr"], step), step):
            values = {float(at): float(value) for at, value in one["values"] if value != "NaN"}
            name = _named(target["legendFormat"], one["metric"])
            lines.append(Line(name, values, fixed.get(name, PALETTE[len(lines) % len(PALETTE)])))
    limits = [step["value"] for step in defaults.get("thresholds", {}).get("steps", ()) if step["value"] is not None]
    plot = Plot(
        width,
        height - 32,
        history.start.timestamp(),
        history.end.timestamp(),
        step,
        defaults["unit"],
        stacked=custom["stacking"]["mode"] == "normal",
        bars=custom["drawStyle"] == "bars",
        fill=custom["fillOpacity"] / 100,
        decimals=defaults.get("decimals"),
        limit=limits[0] if limits and "thresholdsStyle" in custom else None,
    )
    return draw(plot, lines, rollouts(history)) + legend(lines), sum(len(line.values) for line in lines)


def rollouts(history: History) -> list[tuple[float, float]]:
    """Return the periods that the annotation of the dashboard marks."""
    (annotation,) = (one for one in DASHBOARD["annotations"]["list"] if "expr" in one)
    found = []
    for one in history.over_time(query_text(annotation["expr"], STEP), STEP):
        times = [float(at) for at, _ in one["values"]]
        starts = [at for before, at in zip([0.0, *times], times, strict=False) if at - before > STEP]
        found += [
            (begin, max(at for at in times if at < (after or at + 1)))
            for begin, after in zip(starts, [*starts[1:], None], strict=True)
        ]
    return found


def _table(panel: Panel, history: History, width: int, height: int) -> tuple[str, int]:
    rows = _joined(panel, history)
    options = panel["transformations"][-1]["options"]
    for change in panel["transformations"]:
        if change["id"] == "calculateField":
            for row in rows:
                row[change["options"]["alias"]] = row[change["options"]["binary"]["left"]]
    overrides: dict[str, dict[str, Any]] = {}
    for one in panel["fieldConfig"]["overrides"]:
        overrides.setdefault(one["matcher"]["options"], {}).update({p["id"]: p["value"] for p in one["properties"]})
    titles = {
        name: title
        for name in sorted(options["indexByName"], key=options["indexByName"].get)
        if not overrides.get(title := options["renameByName"].get(name, name), {}).get("custom.hidden")
    }
    for sort in panel["options"].get("sortBy", ()):
        key = next(name for name, title in titles.items() if title == sort["displayName"])
        rows.sort(key=lambda row: float(row.get(key, 0)), reverse=sort["desc"])
    shown = rows[: max(1, (height - 30) // 29)]
    cells = "".join(
        "<tr>"
        + "".join(_cell(row.get(name, ""), overrides.get(titles[name], {}), panel, history) for name in titles)
        + "</tr>"
        for row in shown
    )
    head = "".join(f"<th>{escape(titles[name])}</th>" for name in titles)
    return f'<table class="rows"><tr>{head}</tr>{cells}</table>', len(rows)


def _joined(panel: Panel, history: History) -> list[dict[str, str]]:
    """Return one row for each combination of the labels that all queries have."""
    results = {target["refId"]: history.at_end(query_text(target["expr"], STEP)) for target in panel["targets"]}
    several = len(results) > 1
    labels = [set(one["metric"]) for found in results.values() for one in found]
    common = set.intersection(*labels) if labels else set()
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for reference, found in results.items():
        for one in found:
            row = rows.setdefault(tuple(one["metric"][name] for name in sorted(common)), {})
            row |= one["metric"] | {f"Value #{reference}" if several else "Value": one["value"][1]}
    return list(rows.values())


def _cell(value: str, override: Mapping[str, Any], panel: Panel, history: History) -> str:
    unit = override.get("unit", panel["fieldConfig"]["defaults"]["unit"])
    color = "text"
    for mapping in override.get("mappings", ()):
        color = mapping["options"].get(value, {}).get("color", color)
    if re.fullmatch(r"[\d.]+(e[+-]\d+)?", value) and not re.fullmatch(r"\d{12}|[\d.]+\.\d+\.\d+", value):
        value = format_value(float(value), unit, override.get("decimals"), history.end.timestamp())
    return f'<td style="color:{COLORS[color]}">{escape(value)}</td>'


def threshold_color(defaults: Mapping[str, Any], value: float) -> str:
    """Return the color of the last threshold that a value reaches."""
    steps = defaults["thresholds"]["steps"]
    color: str = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    return color


def _named(legend_format: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend_format)


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


_KINDS = {"stat": _stat, "bargauge": _bar_gauge, "timeseries": _time_series, "table": _table}


def page(drawn: Sequence[DrawnPanel], rows: Sequence[Panel], top: int, height: int) -> str:
    """Return the HTML page of some panels and the titles of their rows."""
    titles = "".join(
        f'<h1 style="top:{(row["gridPos"]["y"] - top) * (ROW + GAP)}px">{escape(row["title"])}</h1>' for row in rows
    )
    size = f"width:{24 * COLUMN - GAP}px;height:{height * (ROW + GAP)}px"
    body = titles + "".join(panel.html for panel in drawn)
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><main style="{size}">{body}</main>'


STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 13px/1.4 "DejaVu Sans", sans-serif }
main { position: relative; margin: 10px }
section { position: absolute; box-sizing: border-box; padding: 0 8px; overflow: hidden;
          background: #181b1f; border: 1px solid #25272c; border-radius: 3px }
h1, h2 { font-size: 13px; font-weight: 600; margin: 0; line-height: 30px }
h1 { position: absolute; left: 4px; font-size: 15px }
h1::before { content: "\\25be  "; color: #8e8e9e }
.stat { font-size: 34px; text-align: center; line-height: 80px }
.legend { font-size: 11px; line-height: 15px; height: 30px; overflow: hidden }
.legend span { margin-right: 14px; white-space: nowrap }
.legend i { display: inline-block; width: 14px; height: 4px; margin: 0 5px 2px 0; border-radius: 2px }
.grid { stroke: #2a2c32 } .limit { stroke: #f2495c; stroke-dasharray: 6 5 } .mark { fill: #5794f2; opacity: .16 }
.tick { fill: #8e8e9e; font-size: 10.5px; text-anchor: middle } .end { text-anchor: end }
table { border-collapse: collapse; width: 100%; font-size: 12px }
.rows th { text-align: left; color: #6e9fff; font-weight: 600 }
.rows th, .rows td { border-bottom: 1px solid #25272c; padding: 0 8px; height: 28px; white-space: nowrap }
.bars th { text-align: right; font-weight: 400; width: 130px; padding-right: 10px; height: 26px }
.bars td:last-child { width: 40px; text-align: right }
.bars div { height: 18px; border-radius: 2px }
"""
