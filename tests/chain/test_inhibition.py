"""What the shipped Alertmanager configuration inhibits, in a real Alertmanager."""

from pathlib import Path

import pytest

from tests.chain.alertmanager import alertmanager
from tests.chain.scale import shipped_routes
from tests.e2e.process import eventually

pytestmark = [pytest.mark.needs("prometheus-alertmanager"), pytest.mark.timeout(60)]

A = {"cluster": "a", "namespace": "monitoring", "job": "stackset-monitor"}
B = A | {"cluster": "b"}
OTHER_NAMESPACE = A | {"namespace": "team"}
BASELINE = {"provisioned_product_id": "pp-aaaaaaaaaaaaa"}
GUARDRAILS = {"provisioned_product_id": "pp-bbbbbbbbbbbbb"}
RELEASES = (A, B, OTHER_NAMESPACE)


def named(name: str, *labels: dict[str, str]) -> dict[str, str]:
    """Return the labels of an alert."""
    merged = {"alertname": name, "severity": "critical"}
    for one in labels:
        merged |= one
    return merged


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (named("StackSetMonitorDown", A), "StackSetMonitorDataStale"),
        (named("StackSetMonitorDataStale", A, BASELINE), "StackSetMonitorPollErrors"),
        (named("StackSetMonitorAccessDenied", A, BASELINE), "StackSetMonitorDataStale"),
        (named("StackSetMonitorStateNotCommitted", A), "StackSetMonitorStateErrors"),
    ],
)
def test_an_alert_inhibits_only_alerts_of_its_own_release(source: dict[str, str], target: str, tmp_path: Path) -> None:
    """The same alert of another cluster or namespace, and of another product, is not inhibited."""
    targets = [named(target, release, product) for release in RELEASES for product in (BASELINE, GUARDRAILS)]
    with alertmanager(shipped_routes("127.0.0.1:9"), tmp_path) as server:
        server.send(source)
        assert eventually(lambda: bool(server.alerts(source["alertname"])))
        server.send(*targets)
        assert eventually(lambda: len(server.alerts(target)) == len(targets))
        inhibited = [one["labels"] for one in server.alerts(target) if one["status"]["inhibitedBy"]]
    of_the_product = "provisioned_product_id" in source
    expected = [one for one in targets[:2] if not of_the_product or one == named(target, A, BASELINE)]
    assert sorted(inhibited, key=str) == sorted(expected, key=str)
