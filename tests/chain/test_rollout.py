"""A rollout is no news while it goes on, and what it leaves behind is one notification; then the monitor dies."""

import signal

import pytest

from tests.chain.conftest import INSTANCES, PRODUCT, Chain
from tests.e2e.process import eventually

pytestmark = [pytest.mark.needs("prometheus", "prometheus-alertmanager"), pytest.mark.timeout(120)]

LEFT = INSTANCES[:10]
MANY = ("StackInstancesOutdatedMany", "firing", "/on-call")
DOWN = ("StackSetMonitorDown", "firing", "/on-call")


def test_what_it_leaves_behind_is_told_once_also_when_the_monitor_dies(chain: Chain) -> None:
    """Nothing while the product is under change, one alert in place of ten afterwards, and then only who is down."""
    chain.stack_sets.set_status(PRODUCT, "UNDER_CHANGE")
    for key in INSTANCES:
        chain.stack_sets.set(PRODUCT, *key, "OUTDATED")
    assert chain.eventually(f'servicecatalog:stack_instances:held{{status="OUTDATED"}} == {len(INSTANCES)}')
    chain.let_pass("30m")
    assert chain.prometheus.query('servicecatalog:provisioned_product_status:held{status="UNDER_CHANGE"}')
    assert chain.webhook.told() == []

    for key in INSTANCES[len(LEFT) :]:
        chain.stack_sets.set(PRODUCT, *key, "CURRENT")
    chain.stack_sets.set_status(PRODUCT, "AVAILABLE")
    (many,) = chain.webhook.wait_for(1, "StackInstancesOutdatedMany", "firing")["alerts"]
    assert many["annotations"]["summary"] == "25% of baseline is OUTDATED"
    assert eventually(lambda: held_back(chain) == {(*key, many["fingerprint"]) for key in LEFT})

    chain.monitor.stop(signal.SIGKILL)
    chain.webhook.wait_for(1, "StackSetMonitorDown", "firing")
    chain.let_pass("15m")  # no alert about the monitor waits any longer
    assert chain.webhook.told() == [MANY, DOWN]
    assert held_back(chain) == {(*key, many["fingerprint"]) for key in LEFT}


def held_back(chain: Chain) -> set[tuple[str, str, str]]:
    """Return account and Region of each suppressed StackInstanceOutdated, and what suppresses it."""
    return {
        (alert["labels"]["account"], alert["labels"]["region"], by)
        for alert in chain.alertmanager.alerts("StackInstanceOutdated")
        if alert["status"]["state"] == "suppressed"
        for by in alert["status"]["inhibitedBy"]
    }
