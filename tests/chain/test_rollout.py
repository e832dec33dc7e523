"""A rollout leaves instances OUTDATED, and then the monitor is killed."""

import signal

import pytest

from tests.chain.conftest import INSTANCES, PRODUCT, Chain
from tests.e2e.process import eventually

pytestmark = [pytest.mark.needs("prometheus", "prometheus-alertmanager"), pytest.mark.timeout(120)]

LEFT = INSTANCES[:10]
MANY = ("StackInstancesOutdatedMany", "firing", "/on-call")
DOWN = ("StackSetMonitorDown", "firing", "/on-call")


def test_failed_rollout_is_notified_once(chain: Chain) -> None:
    """No notification during the rollout, one for all outdated instances after it, then only StackSetMonitorDown."""
    chain.stack_sets.set_status(PRODUCT, "UNDER_CHANGE")
    for key in INSTANCES:
        chain.stack_sets.set(PRODUCT, *key, "OUTDATED")
    assert chain.eventually(f'servicecatalog:stack_instances:held{{status="OUTDATED"}} == {len(INSTANCES)}')
    chain.let_pass("30m")
    assert chain.prometheus.query('servicecatalog:provisioned_product_status:held{status="UNDER_CHANGE"}')
    assert chain.webhook.notifications() == []

    for key in INSTANCES[len(LEFT) :]:
        chain.stack_sets.set(PRODUCT, *key, "CURRENT")
    chain.stack_sets.set_status(PRODUCT, "AVAILABLE")
    (many,) = chain.webhook.wait_for(1, "StackInstancesOutdatedMany", "firing")["alerts"]
    assert many["annotations"]["summary"] == "25% of baseline is OUTDATED"
    assert eventually(lambda: inhibited(chain) == {(*key, many["fingerprint"]) for key in LEFT})

    chain.monitor.stop(signal.SIGKILL)
    chain.webhook.wait_for(1, "StackSetMonitorDown", "firing")
    chain.let_pass("15m")  # longer than the `for` of each alert about the monitor
    assert chain.webhook.notifications() == [MANY, DOWN]
    assert inhibited(chain) == {(*key, many["fingerprint"]) for key in LEFT}


def inhibited(chain: Chain) -> set[tuple[str, str, str]]:
    """Return account and Region of each inhibited StackInstanceOutdated, and the inhibiting alert."""
    return {
        (alert["labels"]["account"], alert["labels"]["region"], by)
        for alert in chain.alertmanager.alerts("StackInstanceOutdated")
        if alert["status"]["state"] == "suppressed"
        for by in alert["status"]["inhibitedBy"]
    }
