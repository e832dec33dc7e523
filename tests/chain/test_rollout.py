"""A rollout leaves instances OUTDATED, an alert is silenced, and then the monitor is killed."""

import signal

import pytest

from tests.chain.conftest import INSTANCES, PRODUCT, Chain

pytestmark = [pytest.mark.needs("prometheus", "prometheus-alertmanager"), pytest.mark.timeout(120)]

LEFT = INSTANCES[:10]
LATER = INSTANCES[10]
MANY = ("StackInstancesOutdatedMany", "firing", "/on-call")
OUTDATED = ("StackInstanceOutdated", "firing", "/platform-team")
DOWN = ("StackSetMonitorDown", "firing", "/on-call")


def test_failed_rollout_is_one_notification_of_each_alert(chain: Chain) -> None:
    """No notification during the rollout, and one of all instances after it. Silencing the share hides no instance."""
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
    assert many["annotations"]["description"].startswith("25% of the stack instances of baseline ")
    notification = chain.webhook.wait_for(1, "StackInstanceOutdated", "firing")
    assert instances(notification["alerts"]) == set(LEFT)
    assert notification["commonAnnotations"]["summary"] == (
        "Stack instances of a provisioned product are OUTDATED after its last rollout."
    )

    message = chain.webhook.wait_for_message(notification["commonAnnotations"]["summary"])
    page = f"https://stackset-monitor.example.com/products/{PRODUCT}"
    assert message["title_link"] == notification["commonAnnotations"]["monitor_url"] == page
    assert message["text"].count("The stack instance in ") == len(LEFT)
    assert f"<{page}|Page of the product>" in message["text"]
    assert "/StackInstanceOutdated|Runbook>" in message["text"]

    chain.alertmanager.silence(alertname="StackInstancesOutdatedMany", provisioned_product_id=PRODUCT)
    chain.stack_sets.set(PRODUCT, *LATER, "OUTDATED")
    notification = chain.webhook.wait_for(2, "StackInstanceOutdated", "firing")
    assert instances(notification["alerts"]) == {*LEFT, LATER}
    before = chain.webhook.notifications()
    assert set(before) == {MANY, OUTDATED}

    chain.monitor.stop(signal.SIGKILL)
    chain.webhook.wait_for(1, "StackSetMonitorDown", "firing")
    chain.let_pass("15m")  # longer than the `for` of each alert about the monitor
    assert chain.webhook.notifications() == [*before, DOWN]


def instances(alerts: list[dict[str, dict[str, str]]]) -> set[tuple[str, str]]:
    """Return account and Region of each alert."""
    return {(one["labels"]["account"], one["labels"]["region"]) for one in alerts}
