"""Every query of the dashboard against a real Prometheus that scrapes a real monitor: each answers with data."""

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.dashboard.dashboard import VARIABLES, filled, queries
from tests.e2e.process import DaemonProcess, eventually
from tests.e2e.prometheus import Prometheus, prometheus
from tests.making import EU, ONE, THREE, TWO, US

pytestmark = [pytest.mark.needs("prometheus"), pytest.mark.timeout(120), pytest.mark.xdist_group("dashboard")]

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
state: {{path: {folder}/monitor.db}}
web: {{listen: "127.0.0.1:0"}}
"""


UNDER_CHANGE = 'sum(servicecatalog_provisioned_product_status{status="UNDER_CHANGE"})'


@pytest.fixture
def lively(aws: Aws, tmp_path: Path) -> Iterator[Prometheus]:
    """Run a fleet through a rollout, a failure and a throttled moment, with a Prometheus that has seen it."""
    config = tmp_path / "monitor.yaml"
    config.write_text(CONFIGURATION.format(folder=tmp_path))
    fleet = aws.stack_sets
    for product_id, name in {
        "pp-baseline00001": "one",
        "pp-guardrails001": "two",
        "pp-found00000001": "found-it",
    }.items():
        fleet.add_product(product_id, name)
        for account in (ONE, TWO, THREE):
            for region in (EU, US):
                fleet.set(product_id, account, region, "CURRENT")
    with DaemonProcess(config) as daemon, prometheus(daemon.url.removeprefix("http://"), tmp_path) as server:
        assert eventually(lambda: server.value("count(servicecatalog_up == 1)") == 3)
        fleet.set("pp-baseline00001", ONE, EU, "OUTDATED")
        fleet.set("pp-baseline00001", TWO, US, "INOPERABLE")
        fleet.set("pp-guardrails001", ONE, EU, "OUTDATED")
        daemon.wait_for_events(3, "stack_instance.transition")
        fleet.set_status("pp-baseline00001", "UNDER_CHANGE")
        fleet.throttled = True
        daemon.wait_for_event("poll.failed")
        fleet.throttled = False
        assert eventually(lambda: (server.value("sum(servicecatalog_api_errors_total)") or 0) > 0)
        assert eventually(lambda: server.value("count(servicecatalog_up == 1)") == 3)
        assert eventually(lambda: server.value(UNDER_CHANGE) == 1)
        yield server


def ranged(server: Prometheus, expression: str) -> list[object]:
    """Return what a graph of the last half minute has."""
    now = time.time()
    asked = urllib.parse.urlencode({"query": expression, "start": now - 30, "end": now, "step": 1})
    with urllib.request.urlopen(f"http://{server.address}/api/v1/query_range?{asked}", timeout=30) as answer:
        found: list[object] = json.load(answer)["data"]["result"]
        return found


def test_every_query_and_variable_answers_with_data(lively: Prometheus) -> None:
    """With all products, and with one of them; and the variables offer what there is to choose."""
    for chosen in ({}, {"product": "baseline", "region": f"({EU}|{US})"}):
        empty = [title for title, expression in queries() if not ranged(lively, filled(expression, **chosen))]
        assert empty == []
    assert lively.value(filled(dict(queries())["INOPERABLE A"])) == 1
    assert lively.value(filled(dict(queries())["OUTDATED A"], product="baseline")) == 1
    assert lively.value(filled(dict(queries())["CURRENT A"], product="baseline")) == pytest.approx(4 / 6)
    offered = {"product": ["baseline", "found-it", "guardrails"], "account": [ONE, TWO], "region": [EU, US]}
    for name, values in offered.items():
        metric, _, label = (
            VARIABLES[name]["definition"].removeprefix("label_values(").removesuffix(")").rpartition(", ")
        )
        asked = urllib.parse.urlencode({"match[]": filled(metric)})
        url = f"http://{lively.address}/api/v1/label/{label}/values?{asked}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert json.load(answer)["data"] == values
