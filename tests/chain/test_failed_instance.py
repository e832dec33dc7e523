"""A stack instance becomes INOPERABLE and recovers, and the monitor is killed and restarted in between."""

import signal

import pytest

from tests.chain.conftest import PRODUCT, Chain, address
from tests.e2e.process import DaemonProcess
from tests.making import EU

pytestmark = [pytest.mark.needs("prometheus", "prometheus-alertmanager"), pytest.mark.timeout(120)]

ACCOUNT = "000000000007"
FIRES = ("StackInstanceInoperable", "firing", "/on-call")
ENDS = ("StackInstanceInoperable", "resolved", "/on-call")
DOWN = ("StackSetMonitorDown", "firing", "/on-call")
BACK = ("StackSetMonitorDown", "resolved", "/on-call")


def test_alert_is_notified_once_despite_restarts(chain: Chain) -> None:
    """One notification when the alert fires and one when it resolves; a restart and a new address add none."""
    chain.stack_sets.set(PRODUCT, ACCOUNT, EU, "INOPERABLE")
    notification = chain.webhook.wait_for(1, "StackInstanceInoperable", "firing")
    (alert,) = notification["alerts"]
    assert alert["labels"] == {
        "alertname": "StackInstanceInoperable",
        "severity": "critical",
        "cluster": "one",
        "namespace": "monitoring",
        "job": "stackset-monitor",
        "provisioned_product_id": PRODUCT,
        "provisioned_product_name": "baseline",
        "account": ACCOUNT,
        "region": EU,
        "status": "INOPERABLE",
    }
    assert alert["annotations"]["summary"] == "Stack instances of a provisioned product are INOPERABLE."
    assert alert["annotations"]["description"].startswith(f"The stack instance in {ACCOUNT} {EU} has been INOPERABLE ")
    assert alert["annotations"]["runbook_url"].endswith("/StackInstanceInoperable")
    assert alert["annotations"]["monitor_url"].endswith(f"/products/{PRODUCT}")

    at = address(chain.monitor)
    kill_until_down_fires(chain, chain.monitor, 1)
    with chain.start(at) as restarted:
        chain.webhook.wait_for(1, "StackSetMonitorDown", "resolved")
        chain.let_pass("5m")
        assert chain.webhook.notifications() == [FIRES, DOWN, BACK]
        kill_until_down_fires(chain, restarted, 2)
    with chain.start("127.0.0.1:0") as moved:
        assert address(moved) != at
        chain.prometheus.scrape_instead(address(moved))
        chain.webhook.wait_for(2, "StackSetMonitorDown", "resolved")
        chain.let_pass("5m")
        assert chain.webhook.notifications() == [FIRES, DOWN, BACK, DOWN, BACK]

        chain.stack_sets.set(PRODUCT, ACCOUNT, EU, "CURRENT")
        recovered = chain.webhook.wait_for(1, "StackInstanceInoperable", "resolved")
        assert [one["fingerprint"] for one in recovered["alerts"]] == [alert["fingerprint"]]
        chain.let_pass("5m")
        assert chain.webhook.notifications() == [FIRES, DOWN, BACK, DOWN, BACK, ENDS]


def kill_until_down_fires(chain: Chain, monitor: DaemonProcess, times: int) -> None:
    """Kill the monitor, and wait until StackSetMonitorDown is notified."""
    monitor.stop(signal.SIGKILL)
    chain.webhook.wait_for(times, "StackSetMonitorDown", "firing")
