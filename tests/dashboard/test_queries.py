"""Every query of the dashboard against a real Prometheus that scrapes a real monitor: each answers, and rightly.

Prometheus has the monitor under two names, as it has two pods of which one takes the other's place: nothing may be
counted twice.
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
from tests.dashboard.dashboard import VARIABLES, filled, queries, query
from tests.e2e.process import DaemonProcess, eventually
from tests.e2e.prometheus import Prometheus, prometheus
from tests.making import EU, ONE, THREE, TWO, US

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.timeout(120)]

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
OF_EACH_MONITOR = {"Memory", "CPU", "Open file descriptors", "Monitors and versions"}


@pytest.fixture(scope="module")
def lively(aws_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Run a fleet through a rollout, a failure and a throttled moment, with a Prometheus that has seen it."""
    folder = tmp_path_factory.mktemp("dashboard")
    config = folder / "monitor.yaml"
    config.write_text(CONFIGURATION.format(folder=folder))
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in (ENVIRONMENT | CANARIES | {"AWS_ENDPOINT_URL": aws_server}).items():
            patch.setenv(name, value)
        reset()
        settle()
        with DaemonProcess(config) as daemon:
            address = daemon.url.removeprefix("http://")
            also = address.replace("127.0.0.1", "localhost")
            (folder / "rules.yml").write_text(RULES.read_text())
            with prometheus(address, folder, evaluation_interval="200ms") as server:
                server.scrape_instead(address, also)
                live(daemon, server)
                yield server


def settle() -> None:
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


def live(daemon: DaemonProcess, server: Prometheus) -> None:
    """Let everything happen that a panel is there for, and Prometheus see it."""
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


def shown(server: Prometheus, expression: str, *, instant: bool) -> list[dict[str, Any]]:
    """Return what a panel gets: the samples of now, or those of the last half minute."""
    if instant:
        return server.query(expression)
    now = time.time()
    asked = urllib.parse.urlencode({"query": expression, "start": now - 30, "end": now, "step": 1})
    with urllib.request.urlopen(f"http://{server.address}/api/v1/query_range?{asked}", timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


def rows(server: Prometheus, title: str, reference: str = "A") -> list[tuple[str, ...]]:
    """Return the labels of what a table or a bar gauge has, without the ids."""
    found = server.query(query(title, reference).filled())
    return sorted(tuple(v for k, v in one["metric"].items() if k != "provisioned_product_id") for one in found)


@pytest.mark.parametrize(
    "chosen",
    [{}, {"product": "(baseline|gone)", "account": ONE, "region": f"({EU}|{US})", "status": "OUTDATED"}],
    ids=["all", "some"],
)
def test_every_query_answers_with_data(lively: Prometheus, chosen: dict[str, str]) -> None:
    """Also where somebody has chosen; and nothing but the monitors' own has a line for each of them."""
    for one in queries():
        assert eventually(lambda one=one: shown(lively, one.filled(**chosen), instant=one.instant) != []), one  # type: ignore[misc]
        labels = {label for row in shown(lively, one.filled(**chosen), instant=one.instant) for label in row["metric"]}
        assert ("instance" in labels) == (one.title in OF_EACH_MONITOR), one


@pytest.mark.parametrize(("title", "value"), STATS.items())
def test_a_stat_says_what_the_fleet_is(lively: Prometheus, title: str, value: float) -> None:
    """Counted once, though two monitors say it."""
    expression = query(title).filled()
    assert eventually(lambda: lively.value(expression) == pytest.approx(value)), lively.query(expression)


@pytest.mark.parametrize("title", ["Oldest data", "Last commit"])
def test_an_age_is_one_of_this_run(lively: Prometheus, title: str) -> None:
    """It is in seconds, and not since 1970."""
    assert eventually(lambda: 0 <= (lively.value(query(title).filled()) or -1) < 120)


def test_every_alert_of_ours_counts(lively: Prometheus) -> None:
    """Those that fire, not those that wait; an instance is gone, so there is one at least."""
    firing = 'count(ALERTS{alertstate="firing"})'
    assert eventually(lambda: (lively.value(firing) or 0) > 0)
    assert lively.value('count(ALERTS{alertstate="pending"})')
    assert eventually(lambda: lively.value(query("Firing alerts").filled()) == lively.value(firing))


def test_a_choice_reaches_the_counts(lively: Prometheus) -> None:
    """The counts of one product are its own."""
    assert eventually(lambda: lively.value(query("OUTDATED").filled(product="baseline")) == 1)
    assert lively.value(query("CURRENT").filled(product="baseline")) == pytest.approx(1 / 2)
    assert lively.value(query("UNKNOWN").filled(product="guardrails")) == 0
    assert lively.value(query("Products with old data").filled(product="guardrails")) == 0


def test_where_nothing_is_known_no_stat_says_that_all_is_well(lively: Prometheus) -> None:
    """An empty answer is a dash; a 0 would be green."""
    for title in ("CURRENT", "OUTDATED", "INOPERABLE", "UNKNOWN", "Failed products", "Products with old data"):
        assert lively.query(query(title).filled(product="nobody")) == []


def test_the_tables_have_a_row_for_each(lively: Prometheus) -> None:
    """One row an instance, a product and a monitor, of columns that the transformations can bring together."""
    since = query("Stack instances that are not CURRENT, and since when").filled()
    assert eventually(lambda: len(lively.query(since)) == 4)
    assert rows(lively, "Stack instances that are not CURRENT, and since when") == [
        (ONE, "baseline", EU, "OUTDATED"),
        (ONE, "guardrails", EU, "OUTDATED"),
        (TWO, "baseline", US, "INOPERABLE"),
        (THREE, "baseline", US, "UNKNOWN"),
    ]
    for row in lively.query(since):
        assert float(row["value"][1]) / 1000 == pytest.approx(time.time(), abs=120)
    assert eventually(lambda: rows(lively, "Products whose last poll failed") == [("gone", "not_found")])
    worst = "Products, worst first"
    counted = {
        row["metric"]["provisioned_product_name"]: row["value"][1] for row in lively.query(query(worst).filled())
    }
    assert counted == {"baseline": "3", "guardrails": "1", "found-it": "0"}
    assert rows(lively, worst, "E") == [
        ("baseline", "UNDER_CHANGE"),
        ("found-it", "AVAILABLE"),
        ("guardrails", "TAINTED"),
    ]
    assert rows(lively, worst, "F") == [("baseline", "hub"), ("found-it", "hub"), ("guardrails", "hub")]
    assert rows(lively, "Not CURRENT by Region") == [(EU,), (US,)]
    assert len({row[0] for reference in "ABCD" for row in rows(lively, "Monitors and versions", reference)}) == 2


def test_transitions_are_seen_by_kind_and_rollouts_by_product(lively: Prometheus) -> None:
    """What happened is a bar, and only that; a rollout is a region of each graph."""
    found = shown(lively, query("Transitions by kind").filled(), instant=False)
    kinds = {
        (one["metric"]["from"], one["metric"]["to"])
        for one in found
        if any(float(value) > 0 for _, value in one["values"])
    }
    assert kinds >= {("CURRENT", "OUTDATED"), ("CURRENT", "INOPERABLE"), ("CURRENT", "ABSENT")}
    assert ("OUTDATED", "CURRENT") not in kinds
    rollouts = shown(lively, query("Rollouts", "annotation").filled(), instant=False)
    assert [one["metric"]["provisioned_product_name"] for one in rollouts] == ["baseline"]


@pytest.mark.parametrize(
    ("name", "values"),
    [("product", ["baseline", "found-it", "gone", "guardrails"]), ("account", [ONE, TWO, THREE]), ("region", [EU, US])],
)
def test_a_variable_offers_what_there_is_to_choose(lively: Prometheus, name: str, values: list[str]) -> None:
    """All products; accounts and Regions where something is not CURRENT."""
    metric, _, label = VARIABLES[name]["definition"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
    asked = urllib.parse.urlencode({"match[]": filled(metric)})
    url = f"http://{lively.address}/api/v1/label/{label}/values?{asked}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert json.load(answer)["data"] == values
