"""A missed scrape, a restart or a new pod neither resolves an alert nor fires it again."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.alerts.scenario import Alert, Monitor, Product, alert, assert_firing

pytestmark = pytest.mark.needs("promtool")

P = {"job": "stackset-monitor", "provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
ONE, TWO, EU = "111122223333", "222233334444", "eu-west-1"
INOPERABLE = alert("StackInstanceInoperable", **P, account=ONE, region=EU, status="INOPERABLE")
OUTDATED = alert("StackInstanceOutdated", **P, account=TWO, region=EU, status="OUTDATED")
FAILED = alert("ProvisionedProductFailed", **P, status="TAINTED")
DENIED = alert("StackSetMonitorAccessDenied", **P)
ERRORS = alert("StackSetMonitorPollErrors", **P)
STALE = alert("StackSetMonitorDataStale", **P)
DOWN = alert("StackSetMonitorDown", job="stackset-monitor")
UNHEALTHY = Product(
    status={0: "TAINTED"},
    counts={0: {"CURRENT": 20, "INOPERABLE": 1, "OUTDATED": 1}},
    instances={(ONE, EU, "INOPERABLE"): {0: 0}, (TWO, EU, "OUTDATED"): {0: 0}},
)
FIRING = {INOPERABLE, OUTDATED, FAILED}

MISSED: Mapping[int, str | None] = {0: "a:1", 60: None, 61: "a:1"}
RESTART: Mapping[int, str | None] = {0: "a:1", 60: None, 63: "a:1"}
ANOTHER_POD: Mapping[int, str | None] = {0: "a:1", 60: None, 64: "b:1"}


@pytest.mark.parametrize("target", [True, False])
@pytest.mark.parametrize("instance", [MISSED, RESTART, ANOTHER_POD])
@pytest.mark.parametrize("keeps_state", [True, False])
def test_alerts_continue(instance: Mapping[int, str | None], keeps_state: bool, target: bool, tmp_path: Path) -> None:
    """The same alerts fire at each minute, with the same labels, even if the state is lost."""
    monitor = Monitor((UNHEALTHY,), instance=instance, keeps_state=keeps_state, target=target)
    assert_firing((monitor,), dict.fromkeys((45, *range(58, 75)), FIRING), tmp_path)


def test_recovery_during_an_outage_resolves_with_the_first_scrape(tmp_path: Path) -> None:
    """The last known value is kept only until a new one is scraped."""
    product = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0, 62: None}})
    monitor = Monitor((product,), instance=ANOTHER_POD)
    assert_firing((monitor,), {63: {INOPERABLE}, 64: set(), 65: set(), 70: set()}, tmp_path)


def test_outage_does_not_fire_a_resolved_alert_again(tmp_path: Path) -> None:
    """An instance recovered a minute before the outage."""
    product = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0, 59: None}})
    monitor = Monitor((product,), instance={0: "a:1", 60: None})
    assert_firing((monitor,), {58: {INOPERABLE}, 59: set(), 61: set(), 64: set(), 70: {DOWN}}, tmp_path)


def test_long_outage_fires_only_down(tmp_path: Path) -> None:
    """Only StackSetMonitorDown is added, and the other alerts continue for an hour."""
    monitor = Monitor((UNHEALTHY,), instance={0: "a:1", 60: None})
    during = {minute: {DOWN, *FIRING} for minute in (66, 80, 100, 118)}
    assert_firing((monitor,), {64: FIRING, **during, 121: {DOWN}, 300: {DOWN}}, tmp_path)


def test_alerts_fire_again_after_an_outage_of_two_hours(tmp_path: Path) -> None:
    """After the hour, the alerts resolve; they fire again after their `for` when the monitor is back."""
    monitor = Monitor((UNHEALTHY,), instance={0: "a:1", 60: None, 180: "a:1"})
    expected = {118: {DOWN, *FIRING}, 125: {DOWN}, 179: {DOWN}, 183: set(), 186: {INOPERABLE, FAILED}, 210: FIRING}
    assert_firing((monitor,), expected, tmp_path)


def test_stale_data_does_not_resolve_alerts_at_once(tmp_path: Path) -> None:
    """After poll.stale_after, the alerts continue for an hour beside DataStale."""
    unhealthy = Product(
        counts={0: {"CURRENT": 20, "INOPERABLE": 1}, 90: None},
        instances={(ONE, EU, "INOPERABLE"): {0: 0}},
        failing={0: None, 31: "timeout"},
    )
    both: set[Alert] = {ERRORS, STALE}
    assert_firing((Monitor((unhealthy,)),), {89: {INOPERABLE, *both}, 91: {INOPERABLE, *both}, 152: both}, tmp_path)


@pytest.mark.parametrize("instance", [MISSED, RESTART, ANOTHER_POD])
def test_poll_alerts_continue_after_a_restart(instance: Mapping[int, str | None], tmp_path: Path) -> None:
    """The last known reason is kept until the first poll after a restart."""
    denied = Monitor((Product(failing={0: None, 26: "access_denied"}),), instance=instance)
    assert_firing((denied,), {minute: {DENIED, STALE} for minute in range(55, 75)}, tmp_path)
    failing = Monitor((Product(failing={0: None, 26: "timeout"}),), instance=instance)
    assert_firing((failing,), {minute: {ERRORS, STALE} for minute in range(55, 75)}, tmp_path)


def test_restart_during_a_rollout_fires_no_alert(tmp_path: Path) -> None:
    """The product counts as under change until the monitor exports its status again."""
    product = Product(
        status={0: "AVAILABLE", 10: "UNDER_CHANGE", 200: "AVAILABLE"},
        counts={0: {"CURRENT": 20}, 10: {"OUTDATED": 20}, 200: {"CURRENT": 20}},
        instances={(TWO, EU, "OUTDATED"): {10: 10, 200: None}},
    )
    for keeps_state in (True, False):
        monitor = Monitor((product,), instance={0: "a:1", 60: None, 64: "b:1", 100: None}, keeps_state=keeps_state)
        silent: dict[int, set[Alert]] = {minute: set() for minute in (59, 62, 64, 66, 95)}
        assert_firing((monitor,), silent | {140: {DOWN}}, tmp_path)


def test_restart_does_not_reset_the_for_duration(tmp_path: Path) -> None:
    """The 30 minutes continue during a restart."""
    product = Product(instances={(TWO, EU, "OUTDATED"): {10: 10}})
    monitor = Monitor((product,), instance={0: "a:1", 20: None, 24: "b:1"}, target=False)
    assert_firing((monitor,), {39: set(), 40: {OUTDATED}}, tmp_path)


def test_products_that_move_to_another_shard_keep_their_alerts(tmp_path: Path) -> None:
    """After a change from one shard to two, the second has no stored state of its products."""
    before = Monitor((UNHEALTHY,), instance={0: "a:1", 60: None}, target=False)
    first = Monitor((), instance={0: None, 62: "a:2"}, target=False, shards=2)
    second = Monitor((UNHEALTHY,), instance={0: None, 63: "b:1"}, target=False, shards=2, shard=1)
    assert_firing((before, first, second), dict.fromkeys(range(58, 75), FIRING), tmp_path)


def test_product_removed_by_a_restart_keeps_alerts_for_an_hour(tmp_path: Path) -> None:
    """A new pod cannot know why its predecessor had more products."""
    product = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0}}, present={0: True, 62: False})
    monitor = Monitor((product, Product(id="pp-b")), instance=ANOTHER_POD, target=False)
    assert_firing((monitor,), {63: {INOPERABLE}, 122: set()}, tmp_path)


def test_stuck_change_survives_a_restart(tmp_path: Path) -> None:
    """The four hours do not start again."""
    monitor = Monitor(
        (Product(status={0: "AVAILABLE", 11: "UNDER_CHANGE"}),), instance={0: "a:1", 120: None, 124: "b:1"}
    )
    one = alert("ProvisionedProductChangeStuck", **P)
    assert_firing((monitor,), {255: set(), 256: {one}, 300: {one}}, tmp_path)


def test_restart_does_not_look_like_a_loss_of_instances(tmp_path: Path) -> None:
    """A new pod without state fires no alert."""
    monitor = Monitor((Product(),), instance=ANOTHER_POD, keeps_state=False)
    assert_firing((monitor,), {minute: set() for minute in range(55, 75)}, tmp_path)
