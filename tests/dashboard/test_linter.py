"""The rules of Grafana's dashboard-linter that apply to a dashboard with one Prometheus data source."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator

import pytest
import yaml

from tests.dashboard.dashboard import DASHBOARD, PANELS, PATH, SOURCE, VARIABLES, Query, queries

EXCLUSIONS = yaml.safe_load((PATH.parent / ".lint").read_text())["exclusions"]
UNITS = {"none", "short", "percentunit", "s", "bytes", "reqps", "dateTimeAsIso", "dateTimeFromNow"}
"""The units of Grafana that the dashboard uses."""
SELECTOR = re.compile(r"\b((?:servicecatalog|stackset_monitor|process)[\w:]*|ALERTS)(\{[^}]*\})")
Rule = Callable[[], Iterator[str]]
"""Yields the place of each violation."""


def template_datasource() -> Iterator[str]:
    """The dashboard has one variable for the data source, with the usual name."""
    sources = [one for one in VARIABLES.values() if one["type"] == "datasource"]
    if [(one["name"], one["label"], one["query"]) for one in sources] != [("datasource", "Data source", "prometheus")]:
        yield "templating"


def template(name: str) -> Rule:
    """The label can be selected: more than one value, and all."""

    def violations() -> Iterator[str]:
        variable = VARIABLES.get(name, {})
        expected = {"type": "query", "label": name.title(), "multi": True, "allValue": ".+", "datasource": SOURCE}
        if not expected.items() <= variable.items():
            yield name

    return violations


def template_label_promql() -> Iterator[str]:
    """A variable reads the values of a label of a valid selector."""
    for name, variable in VARIABLES.items():
        if variable["type"] == "query" and not re.fullmatch(
            r"label_values\(\w+(\{(, )?(\w+=~\"\$\w+\"(, )?)+\})?, \w+\)", variable["definition"]
        ):
            yield name


def template_on_time_change_reload() -> Iterator[str]:
    """Variables are read again when the time range changes."""
    return (name for name, one in VARIABLES.items() if one["type"] == "query" and one["refresh"] != 2)


def panel_datasource() -> Iterator[str]:
    """Each panel reads the selected data source."""
    return (panel["title"] for panel in PANELS if panel["datasource"] != SOURCE)


def panel_title_description() -> Iterator[str]:
    """Each panel has a title and a description."""
    return (str(panel["id"]) for panel in PANELS if not (panel.get("title") and panel.get("description")))


def panel_units() -> Iterator[str]:
    """Each panel has a unit, also each column that has its own."""
    for panel in PANELS:
        own = [p["value"] for o in panel["fieldConfig"]["overrides"] for p in o["properties"] if p["id"] == "unit"]
        if not {panel["fieldConfig"]["defaults"].get("unit"), *own} <= UNITS:
            yield panel["title"]


def panel_no_targets() -> Iterator[str]:
    """Each panel has a query."""
    return (panel["title"] for panel in PANELS if not panel["targets"])


def target_promql() -> Iterator[str]:
    """Each query is PromQL."""
    rules = [{"record": f"query{n}", "expr": one.filled()} for n, one in enumerate(queries())]
    text = json.dumps({"groups": [{"name": "queries", "rules": rules}]})
    command = ["promtool", "check", "rules", "/dev/stdin"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)
    if done.returncode:
        yield done.stderr


def target_rate_interval() -> Iterator[str]:
    """A rate is over the interval that Grafana computes from the resolution."""
    return selected(lambda query: re.search(r"\bi?rate\([^[]*\[(?!\$__rate_interval\])", query.expression))


def target_counter_agg() -> Iterator[str]:
    """A counter is read as a rate or an increase."""
    plain = r"(?<!rate\()(?<!increase\()\b(\w+_total)\{"
    return selected(lambda query: re.search(plain, query.expression))


def target_matcher(label: str) -> Rule:
    """Each selector of each query has a matcher with the variable."""
    matcher = f'{label}=~"${label}"'

    def violations() -> Iterator[str]:
        return selected(lambda query: any(matcher not in labels for _, labels in SELECTOR.findall(query.expression)))

    return violations


def uneditable_dashboard() -> Iterator[str]:
    """The dashboard is not edited in Grafana, where the change would be lost with the next upgrade."""
    if DASHBOARD["editable"]:
        yield "editable"


def selected(violates: Callable[[Query], object]) -> Iterator[str]:
    """Yield the title of each query that violates a rule."""
    return (f"{one.title} {one.reference}" for one in queries() if violates(one))


RULES: dict[str, Rule] = {
    "template-datasource-rule": template_datasource,
    "template-job-rule": template("job"),
    "template-instance-rule": template("instance"),
    "template-label-promql-rule": template_label_promql,
    "template-on-time-change-reload-rule": template_on_time_change_reload,
    "panel-datasource-rule": panel_datasource,
    "panel-title-description-rule": panel_title_description,
    "panel-units-rule": panel_units,
    "panel-no-targets-rule": panel_no_targets,
    "target-promql-rule": target_promql,
    "target-rate-interval-rule": target_rate_interval,
    "target-counter-agg-rule": target_counter_agg,
    "target-job-rule": target_matcher("job"),
    "target-instance-rule": target_matcher("instance"),
    "uneditable-dashboard": uneditable_dashboard,
}


@pytest.mark.needs("promtool")
@pytest.mark.parametrize("name", RULES)
def test_rule_holds_or_has_an_exception(name: str) -> None:
    """Each rule holds, except those in the .lint file, and an exception is removed when it is not needed any more."""
    found = list(RULES[name]())
    entries = (EXCLUSIONS.get(name) or {}).get("entries")
    if entries is not None:
        assert {place.rpartition(" ")[0] for place in found} == {entry["panel"] for entry in entries}
    else:
        assert bool(found) == (name in EXCLUSIONS), found


def test_exceptions_have_a_rule_and_a_reason() -> None:
    """The .lint file names existing rules, and says why each does not apply."""
    assert set(EXCLUSIONS) <= set(RULES)
    assert all(exclusion["reason"].endswith(".") for exclusion in EXCLUSIONS.values())
    dashboards = {entry["dashboard"] for one in EXCLUSIONS.values() for entry in one.get("entries", ())}
    assert dashboards <= {DASHBOARD["title"]}
