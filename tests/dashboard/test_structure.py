"""What can be said of the dashboard without a Grafana: every panel is whole, has its place, and explains itself."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.dashboard import DASHBOARD, PANELS, PATH, ROWS, SOURCE, VARIABLES

WIDTH = 24
every_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"
COLOURS = {"CURRENT": "green", "OUTDATED": "orange", "INOPERABLE": "red", "UNKNOWN": "purple"}


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
        "Overview",
        "Worst products",
        "Not CURRENT",
        "Transitions",
        "Monitor",
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


@every_panel
def test_a_status_has_its_colour(panel: dict[str, Any]) -> None:
    """The same in each graph, each table, and the number above."""
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            if one["id"] == "color":
                assert one["value"]["fixedColor"] == COLOURS[override["matcher"]["options"]]
            if one["id"] == "mappings":
                options = one["value"][0]["options"]
                assert {status: options[status]["color"] for status in COLOURS} == COLOURS
    if panel["type"] == "stat" and panel["title"] in COLOURS:
        colours = [step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        assert colours[-1] == COLOURS[panel["title"]]


def test_a_runbook_that_is_named_is_there() -> None:
    """Each alert's is named somewhere, so that who looks at a red number finds it."""
    named = {
        word for panel in PANELS for word in re.findall(r"\b(?:Stack|Provisioned)[A-Z]\w+", panel["description"])
    } - {"StackSet"}
    there = {path.stem for path in RUNBOOKS.iterdir()}
    assert named <= there
    assert there - named == {"StackInstancesOutdatedMany"}  # the same as StackInstanceOutdated, for many


@every_panel
def test_a_table_names_its_columns(panel: dict[str, Any]) -> None:
    """Each value has a name for people or is left out, and what is coloured or sorted by is there.

    Grafana calls the value `Value` where a table has one query, else `Value #A`.
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
