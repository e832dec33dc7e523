"""What can be said of the queries without a Prometheus: they name what there is, and they are light."""

import re
from pathlib import Path

import yaml

from monitor.metrics.families import FAMILIES, INSTANCE_SINCE, INSTANCE_STATUS, Kind
from tests.dashboard.dashboard import PANELS, VARIABLES, queries, query

NAMES = {family.name for family in FAMILIES} | {
    f"{family.name}_bucket" for family in FAMILIES if family.kind is Kind.HISTOGRAM
}
OTHERS = {"ALERTS"} | {
    f"process_{name}"
    for name in ("start_time_seconds", "resident_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds")
}
"""Metrics that Prometheus itself and every exporter have."""


def test_every_metric_is_one_of_ours() -> None:
    """A metric that was renamed would leave an empty panel behind."""
    for one in queries():
        plain = re.sub(r'"[^"]*"|\{[^}]*\}', "", one.expression)
        for name in re.findall(r"\b(?:servicecatalog|stackset_monitor|process|ALERTS)\w*", plain):
            assert name in NAMES | OTHERS, one


def test_every_alert_of_ours_counts_as_one() -> None:
    """Also one that is added; and none of another project."""
    rules = yaml.safe_load((Path(__file__).parents[2] / "helm" / "alerts.yaml").read_text())
    alerts = [rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    (names,) = re.findall(r'alertname=~"([^"]+)"', query("Firing alerts").expression)
    assert alerts
    assert [name for name in (*alerts, "KubePodCrashLooping") if not re.fullmatch(names, name)] == [
        "KubePodCrashLooping"
    ]


def test_every_label_is_one_of_its_metric() -> None:
    """A matcher on a label that a metric does not have finds nothing, or everything."""
    labels = {family.name: set(family.labels) for family in FAMILIES}
    for one in queries():
        for name, matchers in re.findall(r"(servicecatalog_\w+)\{([^}]*)\}", one.expression):
            assert set(re.findall(r"(\w+)[!=]", matchers)) <= labels[name], one


def test_no_query_is_heavy() -> None:
    """Nothing reads the status of each instance; since when is read for this moment, never for each of a day."""
    for one in queries():
        names = re.findall(r"servicecatalog_\w+", one.expression)
        assert INSTANCE_STATUS.name not in names, one
        assert one.instant or INSTANCE_SINCE.name not in names, one
    assert query("Stack instances that are not CURRENT, and since when").expression.startswith("bottomk(1000, ")


def test_a_rate_has_samples_enough() -> None:
    """Grafana takes the scrape interval to be 15 s where nobody says more; each step is longer than a real one.

    The bars count events, so their steps are long and do not overlap.
    """
    for panel in PANELS:
        if panel["type"] == "timeseries":
            expressions = " ".join(target["expr"] for target in panel["targets"])
            wanted = "5m" if "increase(" in expressions else "2m" if "rate(" in expressions else None
            assert panel.get("interval") == wanted, panel["title"]
            assert (panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars") == (wanted == "5m")


def test_every_variable_that_is_used_is_there() -> None:
    """And every one that is there is used."""
    used = {name for one in queries() for name in re.findall(r"\$(\w+)", one.expression)}
    own = {name for name in used if not name.startswith("__")}
    assert own == set(VARIABLES) - {"datasource"}
    assert used - own == {"__rate_interval", "__range"}
    assert not [one for one in queries() if "$" in one.filled()]
