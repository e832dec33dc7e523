"""The dashboard as Grafana reads it: panels, variables, and queries with the variables filled in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[2] / "helm" / "dashboards" / "stackset-monitor.json"
DASHBOARD: dict[str, Any] = json.loads(PATH.read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ROWS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
VARIABLES: dict[str, dict[str, Any]] = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RATE_INTERVAL, RANGE = "4s", "30s"


def queries() -> Iterator[tuple[str, str]]:
    """Return each query of a panel with the panel's title, and those of the annotations."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        if "expr" in annotation:
            yield f"annotation {annotation['name']}", annotation["expr"]


def filled(expression: str, **chosen: str) -> str:
    """Fill the variables in, as Grafana does: `All` where nothing is chosen."""
    for name, variable in VARIABLES.items():
        if name != "datasource":
            expression = expression.replace(f"${name}", chosen.get(name, variable["allValue"]))
    return expression.replace("$__rate_interval", RATE_INTERVAL).replace("$__range", RANGE)
