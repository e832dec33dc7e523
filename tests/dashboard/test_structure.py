"""What can be said of the dashboard without a Grafana: every panel is whole, has its place, and explains itself."""

import json
import re
from itertools import combinations
from typing import Any

import pytest

from monitor.exposition.families import FAMILIES, Kind
from tests.dashboard.dashboard import DASHBOARD, PANELS, PATH, ROWS, SOURCE, VARIABLES, filled, queries

WIDTH = 24
every_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
NAMES = {family.name for family in FAMILIES} | {
    f"{family.name}_bucket" for family in FAMILIES if family.kind is Kind.HISTOGRAM
}
OTHERS = {"ALERTS", "process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"}
"""Metrics that Prometheus itself and every exporter have."""


def test_the_file_is_written_the_same_way_each_time() -> None:
    """Two spaces, the order as it is: a change by Grafana's export can be compared."""
    assert PATH.read_text() == json.dumps(DASHBOARD, indent=2, ensure_ascii=False) + "\n"


def test_it_can_be_imported_anywhere() -> None:
    """The data source is a variable, and the id is no number of one Grafana's database."""
    assert "id" not in DASHBOARD
    assert "__inputs" not in DASHBOARD
    assert (DASHBOARD["uid"], DASHBOARD["schemaVersion"]) == ("stackset-monitor", 39)
    assert next(iter(VARIABLES.values()))["type"] == "datasource"


def test_the_rows_are_the_ones_that_people_look_for() -> None:
    """In the order in which one asks."""
    assert [row["title"] for row in ROWS] == [
        "Fleet at a glance",
        "Worst products",
        "What is not CURRENT",
        "Transitions",
        "The monitor itself",
    ]


def test_ids_and_titles_are_unique() -> None:
    """Links go by them."""
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in everything}) == len(everything)


def test_no_panel_covers_another_and_none_hangs_over() -> None:
    """Each has its own place, 24 columns wide at most."""

    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    for one, other in combinations(DASHBOARD["panels"], 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])


@every_panel
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """A description, a unit, a word where there is no data, and the data source that was chosen."""
    assert panel["description"].endswith(".") or "Runbook" in panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["noValue"]
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_every_metric_is_one_of_ours() -> None:
    """A metric that was renamed would leave an empty panel behind."""
    for title, expression in queries():
        plain = re.sub(r'"[^"]*"|\{[^}]*\}', "", expression)
        for name in re.findall(r"\b(?:servicecatalog|stackset_monitor|process|ALERTS)\w*", plain):
            assert name in NAMES | OTHERS, title


def test_every_variable_that_is_used_is_there() -> None:
    """And every one that is there is used."""
    used = {name for _, expression in queries() for name in re.findall(r"\$(\w+)", expression)}
    own = {name for name in used if not name.startswith("__")}
    assert own == set(VARIABLES) - {"datasource"}
    assert used - own == {"__rate_interval", "__range"}
    assert not [title for title, expression in queries() if "$" in filled(expression)]


def test_a_pod_that_was_replaced_makes_no_second_line() -> None:
    """Whatever is said of a product is taken over all pods, the one before among them."""
    for title, expression in queries():
        for metric in re.findall(r"servicecatalog_\w+", expression):
            assert re.search(rf"\b(max|min|sum|count|avg|changes|rate|increase|on) ?(by )?\(.*{metric}", expression), (
                title
            )
