"""Every query of the dashboard returns the right result from a real Prometheus that scrapes a real monitor.

Prometheus scrapes the monitor under two addresses, as while one pod replaces another. Nothing may be counted twice.
"""

import json
import os
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.simulation.aws import ENVIRONMENT, reset, stack_sets
from tests.conftest import CANARIES
from tests.dashboard.dashboard import VARIABLES, Query, filled, queries, query
from tests.e2e.process import DaemonProcess, eventually
from tests.e2e.prometheus import Prometheus, prometheus
from tests.making import EU, ONE, THREE, TWO, US

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.timeout(120)]

ACCOUNT = "123456789012"
"""The account of the simulated AWS."""
RULES = Path(__file__).parents[2] / "helm" / "alerts.yaml"
CONFIGURATION = """
poll: {{interval: 500ms, timeout: 400ms}}
sources:
  - name: hub
    region: eu-west-1
    calls_per_second: 1000
    discover: {{names: ["found-*"], interval: 500ms}}
products:
  - {{id: pp-baseline00001, name: baseline, source: hub}}
  - {{id: pp-guardrails001, name: guardrails, source: hub}}
  - {{id: pp-gone000000001, name: gone, source: hub}}
state: {{path: {folder}/monitor.db}}
web: {{listen: "127.0.0.1:0"}}
"""
STATS = {
    "Products": 4,
    "Stack instances": 17,
    "CURRENT": 13 / 17,
    "OUTDATED": 2,
    "INOPERABLE": 1,
    "UNKNOWN": 1,
    "Under change": 1,
    "Failed products": 1,
    "Products with old data": 1,
    "Monitors": 2,
    "Complete polls": 3 / 4,
    "Configuration": 1,
    "Missing shards": 0,
    "State file errors": 0,
    "Dropped series": 0,
}
NOT_HERE = {"Skipped polls"}
"""Panels of what does not happen here. test_pictures.py draws them."""
OF_EACH_MONITOR = {"Memory", "CPU", "Open file descriptors", "Monitors and versions"}


@pytest.fixture(scope="module")
def busy_prometheus(aws_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a rollout, a failure and throttled calls while Prometheus scrapes the monitor."""
    folder = tmp_path_factory.mktemp("dashboard")
    config = folder / "monitor.yaml"
    config.write_text(CONFIGURATION.format(folder=folder))
    # One attempt per call: throttled calls would be retried until the deadline of a search, which is a minute.
    settings = {"AWS_ENDPOINT_URL": aws_server, "AWS_MAX_ATTEMPTS": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in (ENVIRONMENT | CANARIES | settings).items():
            patch.setenv(name, value)
        reset()
        deploy()
        with DaemonProcess(config) as daemon:
            address = daemon.url.removeprefix("http://")
            also = address.replace("127.0.0.1", "localhost")
            (folder / "rules.yml").write_text(RULES.read_text())
            with prometheus(address, folder, evaluation_interval="200ms") as server:
                server.scrape_instead(address, also)
                change_everything(daemon, server)
                yield server


def deploy() -> None:
    """Deploy three products in three accounts and two Regions each."""
    fleet = stack_sets()
    for product_id, name in {
        "pp-baseline00001": "one",
        "pp-guardrails001": "two",
        "pp-found00000001": "found-it",
    }.items():
        fleet.add_product(product_id, name)
        for account in (ONE, TWO, THREE):
            for region in (EU, US):
                fleet.set(product_id, account, region, "CURRENT")


def change_everything(daemon: DaemonProcess, server: Prometheus) -> None:
    """Make each change that a panel shows, and wait until Prometheus has scraped it."""
    fleet = stack_sets()
    assert eventually(lambda: server.value("count(stackset_monitor_build_info)") == 2)
    assert eventually(lambda: server.value("sum(servicecatalog:stack_instances:sum)") == 18)
    fleet.set("pp-baseline00001", ONE, EU, "OUTDATED")
    fleet.set("pp-baseline00001", TWO, US, "INOPERABLE")
    fleet.set("pp-baseline00001", THREE, US, "A_STATUS_OF_TOMORROW")
    fleet.set("pp-guardrails001", ONE, EU, "OUTDATED")
    fleet.set("pp-found00000001", THREE, US, None)
    fleet.set_status("pp-baseline00001", "UNDER_CHANGE")
    fleet.set_status("pp-guardrails001", "TAINTED")
    daemon.wait_for_events(5, "stack_instance.transition")
    fleet.throttled = True
    assert eventually(lambda: (server.value("sum(servicecatalog_discovery_failures_total)") or 0) > 0)
    assert eventually(lambda: (server.value("sum(servicecatalog_api_errors_total)") or 0) > 0)
    fleet.throttled = False


def result_of_panel(server: Prometheus, expression: str, *, instant: bool) -> list[dict[str, Any]]:
    """Return the result of a query: for the present moment, or for the last two minutes."""
    if instant:
        return server.query(expression)
    now = time.time()
    asked = urllib.parse.urlencode({"query": expression, "start": now - 120, "end": now, "step": 1})
    with urllib.request.urlopen(f"http://{server.address}/api/v1/query_range?{asked}", timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def rows(server: Prometheus, title: str, reference: str = "A") -> list[tuple[str, ...]]:
    """Return the labels of each result of a table or bar gauge, without the ids."""
    found = server.query(query(title, reference).filled())
    return sorted(tuple(v for k, v in one["metric"].items() if k != "provisioned_product_id") for one in found)


@pytest.mark.parametrize(
    "chosen",
    [{}, {"product": "(baseline|gone)", "account": ONE, "region": f"({EU}|{US})", "status": "OUTDATED"}],
    ids=["all", "some"],
)
def test_every_query_has_data(busy_prometheus: Prometheus, chosen: dict[str, str]) -> None:
    """Also with selected variables; only panels about monitors have a label instance."""
    for one in queries():
        if one.title in NOT_HERE:
            continue

        def result(one: Query = one) -> list[dict[str, Any]]:
            return result_of_panel(busy_prometheus, one.filled(**chosen), instant=one.instant)

        assert eventually(lambda result=result: result() != []), one  # type: ignore[misc]
        labels = {label for row in result() for label in row["metric"]}
        assert ("instance" in labels) == (one.title in OF_EACH_MONITOR), one


@pytest.mark.parametrize(("title", "value"), STATS.items())
def test_stat_shows_the_expected_value(busy_prometheus: Prometheus, title: str, value: float) -> None:
    """Instances are counted once although two monitors export them."""
    expression = query(title).filled()
    assert eventually(lambda: busy_prometheus.value(expression) == pytest.approx(value)), busy_prometheus.query(
        expression
    )


@pytest.mark.parametrize("title", ["Oldest data", "Last commit"])
def test_age_is_plausible(busy_prometheus: Prometheus, title: str) -> None:
    """The age is in seconds, and not since 1970."""
    assert eventually(lambda: 0 <= (busy_prometheus.value(query(title).filled()) or -1) < 120)


def test_firing_alerts_equals_the_number_of_firing_alerts(busy_prometheus: Prometheus) -> None:
    """Pending alerts are not counted."""
    firing = 'count(ALERTS{alertstate="firing"})'
    assert eventually(lambda: (busy_prometheus.value(firing) or 0) > 0)
    assert busy_prometheus.value('count(ALERTS{alertstate="pending"})')
    assert eventually(lambda: busy_prometheus.value(query("Firing alerts").filled()) == busy_prometheus.value(firing))


def test_selected_product_filters_the_counts(busy_prometheus: Prometheus) -> None:
    """The counts contain only the selected product."""
    assert eventually(lambda: busy_prometheus.value(query("OUTDATED").filled(product="baseline")) == 1)
    assert busy_prometheus.value(query("CURRENT").filled(product="baseline")) == pytest.approx(1 / 2)
    assert busy_prometheus.value(query("UNKNOWN").filled(product="guardrails")) == 0
    assert busy_prometheus.value(query("Products with old data").filled(product="guardrails")) == 0


def test_stats_without_data_are_empty(busy_prometheus: Prometheus) -> None:
    """A panel without data shows a dash; a 0 would be green."""
    for title in ("CURRENT", "OUTDATED", "INOPERABLE", "UNKNOWN", "Failed products", "Products with old data"):
        assert busy_prometheus.query(query(title).filled(product="nobody")) == []


def test_tables_have_one_row_per_item(busy_prometheus: Prometheus) -> None:
    """Tables have one row per instance, product or monitor."""
    since = query("Stack instances that are not CURRENT, and since when").filled()
    assert eventually(lambda: len(busy_prometheus.query(since)) == 4)
    assert rows(busy_prometheus, "Stack instances that are not CURRENT, and since when") == [
        (ONE, "baseline", EU, "OUTDATED"),
        (ONE, "guardrails", EU, "OUTDATED"),
        (TWO, "baseline", US, "INOPERABLE"),
        (THREE, "baseline", US, "UNKNOWN"),
    ]
    for row in busy_prometheus.query(since):
        assert float(row["value"][1]) / 1000 == pytest.approx(time.time(), abs=120)
    assert eventually(lambda: rows(busy_prometheus, "Products whose last poll failed") == [("gone", "not_found")])
    worst = "Products, worst first"
    counted = {
        row["metric"]["provisioned_product_name"]: row["value"][1]
        for row in busy_prometheus.query(query(worst).filled())
    }
    assert counted == {"baseline": "3", "guardrails": "1", "found-it": "0"}
    assert rows(busy_prometheus, worst, "E") == [
        ("baseline", "UNDER_CHANGE"),
        ("found-it", "AVAILABLE"),
        ("guardrails", "TAINTED"),
    ]
    home = ("hub", ACCOUNT, "eu-west-1")
    assert rows(busy_prometheus, worst, "F") == [("baseline", *home), ("found-it", *home), ("guardrails", *home)]
    assert rows(busy_prometheus, "Not CURRENT by Region") == [(EU,), (US,)]
    assert (
        len({row[0] for reference in "ABCD" for row in rows(busy_prometheus, "Monitors and versions", reference)}) == 2
    )


def test_transitions_and_rollouts_are_shown(busy_prometheus: Prometheus) -> None:
    """The panel shows only transitions that happened, and the annotation marks the rollout."""
    found = result_of_panel(busy_prometheus, query("Transitions by kind").filled(), instant=False)
    kinds = {
        (one["metric"]["from"], one["metric"]["to"])
        for one in found
        if any(float(value) > 0 for _, value in one["values"])
    }
    assert kinds >= {("CURRENT", "OUTDATED"), ("CURRENT", "INOPERABLE"), ("CURRENT", "ABSENT")}
    assert ("OUTDATED", "CURRENT") not in kinds
    rollouts = result_of_panel(busy_prometheus, query("Rollouts", "annotation").filled(), instant=False)
    assert [one["metric"]["provisioned_product_name"] for one in rollouts] == ["baseline"]


@pytest.mark.parametrize(
    ("name", "values"),
    [("product", ["baseline", "found-it", "gone", "guardrails"]), ("account", [ONE, TWO, THREE]), ("region", [EU, US])],
)
def test_variables_offer_existing_values(busy_prometheus: Prometheus, name: str, values: list[str]) -> None:
    """All products, and the accounts and Regions with instances that are not CURRENT."""
    metric, _, label = VARIABLES[name]["definition"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
    asked = urllib.parse.urlencode({"match[]": filled(metric)})
    url = f"http://{busy_prometheus.address}/api/v1/label/{label}/values?{asked}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert json.load(answer)["data"] == values
