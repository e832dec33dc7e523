"""Checks of the queries that need no Prometheus."""

import re
from pathlib import Path

import yaml

from monitor.metrics.families import FAMILIES, INSTANCE_SINCE, INSTANCE_STATUS, Kind
from tests.dashboard.dashboard import PANELS, VARIABLES, queries, query

NAMES = {family.name for family in FAMILIES} | {
    f"{family.name}_bucket" for family in FAMILIES if family.kind is Kind.HISTOGRAM
}
RULES = yaml.safe_load((Path(__file__).parents[2] / "helm" / "alerts.yaml").read_text())["groups"]
RECORDED = {rule["record"] for group in RULES for rule in group["rules"] if "record" in rule}
SCOPE = 'cluster=~"$cluster", namespace=~"$namespace", job=~"$job"'
OTHERS = {"ALERTS"} | {
    f"process_{name}"
    for name in ("start_time_seconds", "resident_memory_bytes", "cpu_seconds_total", "open_fds", "max_fds")
}
"""Metrics of Prometheus itself and of the process."""


def test_queries_use_existing_metrics() -> None:
    """No panel stays empty after a metric was renamed."""
    for one in queries():
        plain = re.sub(r'"[^"]*"|\{[^}]*\}', "", one.expression)
        for name in re.findall(r"\b(?:servicecatalog|stackset_monitor|process|ALERTS)[\w:]*", plain):
            assert name in NAMES | OTHERS | RECORDED, one


def test_firing_alerts_counts_exactly_our_alerts() -> None:
    """The panel counts each alert of alerts.yaml, and no alert of another project."""
    alerts = [rule["alert"] for group in RULES for rule in group["rules"] if "alert" in rule]
    (names,) = re.findall(r'alertname=~"([^"]+)"', query("Firing alerts").expression)
    assert alerts
    assert [name for name in (*alerts, "KubePodCrashLooping") if not re.fullmatch(names, name)] == [
        "KubePodCrashLooping"
    ]


def test_matchers_use_existing_labels() -> None:
    """A matcher on a label that the metric does not have would match nothing or everything."""
    labels = {family.name: set(family.labels) for family in FAMILIES}
    target = {"cluster", "namespace", "job"}
    for one in queries():
        for name, matchers in re.findall(r"(servicecatalog_\w+)\{([^}]*)\}", one.expression):
            assert set(re.findall(r"(\w+)[!=]", matchers)) <= labels[name.removesuffix("_bucket")] | target, one


def test_every_query_selects_cluster_namespace_and_job() -> None:
    """The variables apply to each series of each panel, annotation and variable."""
    expressions = [one.expression for one in queries()]
    expressions += [one["definition"] for name, one in VARIABLES.items() if name in {"product", "account", "region"}]
    for expression in expressions:
        selectors = re.findall(
            r"\b(?:(?:servicecatalog|stackset_monitor|process)_\w+|\w+:[\w:]+|ALERTS)\b(.?)", expression
        )
        assert set(selectors) == {"{"}, expression
        assert expression.count(SCOPE) == len(selectors), expression


def test_ranking_holds_for_the_whole_range() -> None:
    """A graph ranks over its range: topk at each point would show lines that come and go."""
    for panel in PANELS:
        for target in panel["targets"]:
            if panel["type"] == "timeseries" and "topk(" in target["expr"]:
                assert target["expr"].count("[$__range] @ end()") >= 1, panel["title"]
                assert not target["expr"].startswith("topk("), panel["title"]


def test_queries_read_few_series() -> None:
    """No query reads the status of each instance, and since-times are read for one moment only."""
    for one in queries():
        names = re.findall(r"servicecatalog_\w+", one.expression)
        assert INSTANCE_STATUS.name not in names, one
        assert one.instant or INSTANCE_SINCE.name not in names, one
    assert query("Stack instances that are not CURRENT, and since when").expression.startswith("topk(1000, ")


def test_rates_have_a_minimum_step() -> None:
    """Grafana assumes a scrape interval of 15 s; each panel sets a minimum step that is long enough.

    Bars count events, so their steps are longer and do not overlap.
    """
    for panel in PANELS:
        if panel["type"] == "timeseries":
            expressions = " ".join(target["expr"] for target in panel["targets"])
            wanted = "5m" if "increase(" in expressions else "2m" if "rate(" in expressions else None
            assert panel.get("interval") == wanted, panel["title"]
            assert (panel["fieldConfig"]["defaults"]["custom"]["drawStyle"] == "bars") == (wanted == "5m")


def test_variables_are_defined_and_used() -> None:
    """Queries use only defined variables, and each variable is used."""
    used = {name for one in queries() for name in re.findall(r"\$(\w+)", one.expression)}
    own = {name for name in used if not name.startswith("__")}
    assert own == set(VARIABLES) - {"datasource"}
    assert used - own == {"__rate_interval", "__range"}
    assert not [one for one in queries() if "$" in one.filled()]
