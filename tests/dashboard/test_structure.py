"""Checks of the panels that need no Grafana."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.dashboard import DASHBOARD, EVERYTHING, PANELS, PATH, ROWS, SOURCE, VARIABLES

WIDTH = 24
every_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
COLORS = {"CURRENT": "green", "OUTDATED": "orange", "INOPERABLE": "red", "UNKNOWN": "purple"}


def test_file_is_formatted() -> None:
    """The file has a fixed format, so that an export of Grafana can be compared."""
    assert PATH.read_text() == json.dumps(DASHBOARD, indent=2, ensure_ascii=False) + "\n"


def test_dashboard_is_portable() -> None:
    """The data source is a variable, and there is no database id of one Grafana."""
    assert "id" not in DASHBOARD
    assert "__inputs" not in DASHBOARD
    assert (DASHBOARD["uid"], DASHBOARD["schemaVersion"]) == ("stackset-monitor", 39)
    assert next(iter(VARIABLES.values()))["type"] == "datasource"
    assert DASHBOARD["editable"] is False


def test_rows_in_order() -> None:
    """The rows have a fixed order."""
    assert [row["title"] for row in ROWS] == [
        "Overview",
        "Worst products",
        "Not CURRENT",
        "Transitions",
        "Monitor",
    ]


def test_only_the_row_of_the_monitor_is_collapsed() -> None:
    """The panels about the monitor itself are loaded when their row is opened."""
    assert [row["title"] for row in ROWS if row["collapsed"]] == ["Monitor"]


@every_panel
def test_outages_are_gaps(panel: dict[str, Any]) -> None:
    """A line through an outage would show values that were not measured."""
    if panel["type"] == "timeseries":
        assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] is False


def test_share_of_current_is_not_red() -> None:
    """A rollout makes all instances OUTDATED for a while, which is no problem."""
    (panel,) = [panel for panel in PANELS if panel["title"] == "CURRENT"]
    assert [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]] == ["blue", "green"]


def test_ids_and_titles_are_unique() -> None:
    """Links refer to them."""
    assert len({panel["id"] for panel in EVERYTHING}) == len(EVERYTHING)
    assert len({panel["title"] for panel in EVERYTHING}) == len(EVERYTHING)


def test_panels_do_not_overlap() -> None:
    """Panels do not overlap and are at most 24 columns wide in total."""

    def cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    for one, other in combinations(EVERYTHING, 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])


@every_panel
def test_panel_has_description_and_unit(panel: dict[str, Any]) -> None:
    """Each panel has a description, a unit, a text for no data, and the selected data source."""
    assert panel["description"].endswith(".") or "Runbook" in panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["noValue"]
    assert panel["datasource"] == SOURCE
    assert all(target["datasource"] == SOURCE for target in panel["targets"])
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@every_panel
def test_status_colors_are_consistent(panel: dict[str, Any]) -> None:
    """A status has the same color in graphs, tables and stats."""
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            if one["id"] == "color":
                assert one["value"]["fixedColor"] == COLORS[override["matcher"]["options"]]
            if one["id"] == "mappings" and override["matcher"]["options"] != "Severity":
                options = one["value"][0]["options"]
                assert {status: options[status]["color"] for status in COLORS} == COLORS
    if panel["type"] == "stat" and panel["title"] in COLORS:
        colors = [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert colors[-1] == COLORS[panel["title"]]


WITHOUT_PANEL = {
    "StackInstancesOutdatedMany",  # panels refer to StackInstanceOutdated instead
    "StackInstanceOutdatedTooLong",
    "StackInstancesSuspended",
    "StackSetMonitorDescribeDenied",
    "StackSetMonitorDetailsFailed",
    "StackSetMonitorDiscoveredProductsDropped",
    "StackSetMonitorLogLinesDropped",
    "StackSetMonitorNoProductsDiscovered",
    "StackSetMonitorStateNotCommitted",
}


def test_named_runbooks_exist() -> None:
    """Each named runbook exists, and each runbook of an alert that has a panel is named in its description."""
    named = {
        word for panel in PANELS for word in re.findall(r"\b(?:Stack|Provisioned)[A-Z]\w+", panel["description"])
    } - {"StackSet"}
    there = {path.stem for path in RUNBOOKS.iterdir()}
    assert named <= there
    assert there - named == WITHOUT_PANEL


@every_panel
def test_table_columns_have_names(panel: dict[str, Any]) -> None:
    """Each column is named or hidden, and overrides and sorting refer to existing columns.

    Grafana names the value `Value` if a table has one query, otherwise `Value #A`.
    """
    if panel["type"] != "table":
        return
    references = [target["refId"] for target in panel["targets"]]
    values = {f"Value #{one}" for one in references} if len(references) > 1 else {"Value"}
    assert all(target["format"] == "table" and target["instant"] for target in panel["targets"])
    assert (panel["transformations"][0]["id"] == "merge") == (len(references) > 1)
    organize = panel["transformations"][-1]["options"]
    made = {one["options"]["alias"] for one in panel["transformations"] if one["id"] == "calculateField"}
    assert values | {"Time"} <= set(organize["renameByName"]) | set(organize["excludeByName"])
    assert set(organize["indexByName"]) == set(organize["renameByName"]) | made
    seen = set(organize["renameByName"].values()) | made
    assert {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]} <= seen
    assert {one["displayName"] for one in panel["options"].get("sortBy", ())} <= seen
