"""The dashboard: panels, variables, and queries with the variables replaced."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[2] / "helm" / "dashboards" / "stackset-monitor.json"
DASHBOARD: dict[str, Any] = json.loads(PATH.read_text())
ROWS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
EVERYTHING: list[dict[str, Any]] = [*DASHBOARD["panels"], *(panel for row in ROWS for panel in row["panels"])]
"""Rows and panels; a collapsed row contains its panels."""
PANELS: list[dict[str, Any]] = [panel for panel in EVERYTHING if panel["type"] != "row"]
VARIABLES: dict[str, dict[str, Any]] = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RATE_INTERVAL, RANGE = "4s", "30s"


@dataclass(frozen=True)
class Query:
    """A query of a panel or an annotation; an instant query evaluates one moment instead of a range."""

    title: str
    reference: str
    expression: str
    instant: bool

    def filled(self, **chosen: str) -> str:
        """Return the expression with the variables replaced."""
        return filled(self.expression, **chosen)


def queries() -> Iterator[Query]:
    """Yield the queries of all panels and annotations."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield Query(panel["title"], target["refId"], target["expr"], target.get("instant", False))
    for annotation in DASHBOARD["annotations"]["list"]:
        if "expr" in annotation:
            yield Query(annotation["name"], "annotation", annotation["expr"], instant=False)


def query(title: str, reference: str = "A") -> Query:
    """Return a query of a panel or an annotation."""
    return next(one for one in queries() if (one.title, one.reference) == (title, reference))


def filled(expression: str, **chosen: str) -> str:
    """Replace the variables as Grafana does: `All` unless a value is selected."""
    for name, variable in VARIABLES.items():
        if name != "datasource":
            expression = expression.replace(f"${name}", chosen.get(name, variable["allValue"]))
    return expression.replace("$__rate_interval", RATE_INTERVAL).replace("$__range", RANGE)
