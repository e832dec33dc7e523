"""Alerts about stack instances and products: when they fire, stay silent and resolve."""

from pathlib import Path

import pytest

from tests.alerts.scenario import Monitor, Product, alert, assert_firing

pytestmark = pytest.mark.needs("promtool")

P = {"job": "stackset-monitor", "provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
ONE, EU = "111122223333", "eu-west-1"
INOPERABLE = alert("StackInstanceInoperable", **P, account=ONE, region=EU, status="INOPERABLE")
OUTDATED = alert("StackInstanceOutdated", **P, account=ONE, region=EU, status="OUTDATED")
MANY = alert("StackInstancesOutdatedMany", **P)


def inoperable(start: int, end: int) -> Product:
    """Return a product with one instance that is INOPERABLE between two minutes."""
    return Product(
        instances={(ONE, EU, "INOPERABLE"): {start: start, end: None}},
        counts={0: {"CURRENT": 20}, start: {"CURRENT": 19, "INOPERABLE": 1}, end: {"CURRENT": 20}},
    )


def test_inoperable_instance_fires_with_account_and_region(tmp_path: Path) -> None:
    """The alert fires after five minutes and resolves with the scrape that shows the instance CURRENT."""
    assert_firing(
        (Monitor((inoperable(20, 60),)),), {24: set(), 25: {INOPERABLE}, 59: {INOPERABLE}, 60: set()}, tmp_path
    )


def test_inoperable_fires_per_product_without_instance_series(tmp_path: Path) -> None:
    """With metrics.instance_series none, one alert for the product fires."""
    product = Product(counts={0: {"CURRENT": 20}, 20: {"CURRENT": 18, "INOPERABLE": 2}, 40: {"CURRENT": 20}})
    one = alert("StackInstanceInoperable", **P, status="INOPERABLE")
    assert_firing((Monitor((product,)),), {24: set(), 25: {one}, 39: {one}, 40: set()}, tmp_path)


def test_outdated_fires_half_an_hour_after_the_rollout(tmp_path: Path) -> None:
    """The 30 minutes start at the end of the rollout, not when the instance became OUTDATED."""
    product = Product(
        status={0: "AVAILABLE", 10: "UNDER_CHANGE", 90: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {10: 10, 160: None}},
        counts={0: {"CURRENT": 20}, 10: {"CURRENT": 19, "OUTDATED": 1}, 160: {"CURRENT": 20}},
    )
    assert_firing(
        (Monitor((product,)),), {80: set(), 119: set(), 120: {OUTDATED}, 159: {OUTDATED}, 160: set()}, tmp_path
    )


@pytest.mark.parametrize("status", ["UNDER_CHANGE", "PLAN_IN_PROGRESS"])
def test_rollout_fires_no_alert(status: str, tmp_path: Path) -> None:
    """All instances are OUTDATED for two hours while the product is under change, and no alert fires."""
    product = Product(
        status={0: "AVAILABLE", 10: status, 130: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {10: 10, 130: None}},
        counts={0: {"CURRENT": 20}, 10: {"OUTDATED": 20}, 130: {"CURRENT": 20}},
    )
    assert_firing((Monitor((product,)),), {60: set(), 129: set(), 140: set(), 170: set()}, tmp_path)


def test_new_rollout_resolves_outdated(tmp_path: Path) -> None:
    """The alert resolves when the next rollout starts, and fires again if that does not reach the instance."""
    product = Product(
        status={0: "AVAILABLE", 60: "UNDER_CHANGE", 80: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {10: 10}},
        counts={0: {"CURRENT": 20}, 10: {"CURRENT": 19, "OUTDATED": 1}},
    )
    assert_firing((Monitor((product,)),), {59: {OUTDATED}, 60: set(), 109: set(), 110: {OUTDATED}}, tmp_path)


def test_outdated_many_fires_above_its_thresholds(tmp_path: Path) -> None:
    """OutdatedMany fires for more than 10 % and at least five instances."""
    product = Product(
        counts={0: {"CURRENT": 40}, 10: {"CURRENT": 35, "OUTDATED": 5}, 80: {"CURRENT": 36, "OUTDATED": 4}}
    )
    counted = alert("StackInstanceOutdated", **P, status="OUTDATED")
    assert_firing(
        (Monitor((product,)),), {39: set(), 40: {MANY, counted}, 79: {MANY, counted}, 80: {counted}}, tmp_path
    )


@pytest.mark.parametrize("counts", [{"CURRENT": 60, "OUTDATED": 6}, {"CURRENT": 4, "OUTDATED": 4}])
def test_outdated_many_is_silent_below_its_thresholds(counts: dict[str, int], tmp_path: Path) -> None:
    """Six of 66 instances are less than 10 %, and four are less than five."""
    product = Product(counts={0: {"CURRENT": sum(counts.values())}, 10: counts})
    expected = alert("StackInstanceOutdated", **P, status="OUTDATED")
    assert_firing((Monitor((product,)),), {45: {expected}}, tmp_path)


@pytest.mark.parametrize("status", ["TAINTED", "ERROR"])
def test_failed_product_fires(status: str, tmp_path: Path) -> None:
    """The alert fires after five minutes and resolves when the product is AVAILABLE."""
    product = Product(status={0: "AVAILABLE", 10: status, 40: "AVAILABLE"})
    one = alert("ProvisionedProductFailed", **P, status=status)
    assert_firing((Monitor((product,)),), {14: set(), 15: {one}, 39: {one}, 40: set()}, tmp_path)


def test_stuck_change_fires(tmp_path: Path) -> None:
    """The alert fires four hours after the second poll that saw the change."""
    product = Product(
        status={0: "AVAILABLE", 11: "UNDER_CHANGE", 280: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {11: 11, 280: None}},
    )
    one = alert("ProvisionedProductChangeStuck", **P)
    assert_firing((Monitor((product,)),), {30: set(), 255: set(), 256: {one}, 279: {one}, 280: set()}, tmp_path)


def test_change_seen_by_one_poll_is_not_stuck(tmp_path: Path) -> None:
    """With an interval of ten hours, one poll that saw UNDER_CHANGE fires no alert."""
    product = Product(interval=600, status={0: "AVAILABLE", 601: "UNDER_CHANGE", 1201: "AVAILABLE"})
    assert_firing((Monitor((product,)),), {900: set(), 1200: set(), 1300: set()}, tmp_path, every=4)


def test_successive_changes_are_not_stuck(tmp_path: Path) -> None:
    """Each change starts the four hours again."""
    changes = {minute: "UNDER_CHANGE" if minute % 200 else "AVAILABLE" for minute in range(0, 1000, 100)}
    assert_firing(
        (Monitor((Product(status=changes),)),), {minute: set() for minute in range(60, 1000, 60)}, tmp_path, every=4
    )


def test_disappeared_instances_fire_for_an_hour(tmp_path: Path) -> None:
    """The alert fires for a loss of more than 10 % and resolves after an hour."""
    product = Product(counts={0: {"CURRENT": 20}, 30: {"CURRENT": 17}})
    one = alert("StackInstancesDisappeared", **P)
    assert_firing((Monitor((product,)),), {29: set(), 30: {one}, 88: {one}, 92: set()}, tmp_path)


def test_two_monitors_of_one_product_do_not_look_like_a_loss(tmp_path: Path) -> None:
    """Two monitors export different snapshots for a moment, and instances are not counted twice."""
    first = Product(counts={0: {"CURRENT": 20}, 30: {"OUTDATED": 20}})
    second = Product(counts={0: {"CURRENT": 20}, 33: {"OUTDATED": 20}})
    monitors = (Monitor((first,)), Monitor((second,), instance={0: "10.0.0.2:9935"}))
    assert_firing(monitors, {29: set(), 31: set(), 34: set(), 50: set()}, tmp_path)


def test_small_loss_and_growth_fire_no_alert(tmp_path: Path) -> None:
    """One of twenty instances is less than 10 %, and growth is no loss."""
    product = Product(counts={0: {"CURRENT": 20}, 30: {"CURRENT": 19}, 60: {"CURRENT": 200}})
    assert_firing((Monitor((product,)),), {29: set(), 35: set(), 65: set(), 100: set()}, tmp_path)


def test_removed_product_resolves_its_alerts(tmp_path: Path) -> None:
    """The alerts resolve at once if AWS does not know the product, or a reload removed it."""
    gone = Product(
        counts={0: {"CURRENT": 19, "INOPERABLE": 1}, 61: None},
        instances={(ONE, EU, "INOPERABLE"): {0: 0}},
        failing={0: None, 61: "not_found"},
    )
    assert_firing((Monitor((gone,)),), {60: {INOPERABLE}, 61: set(), 65: set()}, tmp_path)
    removed = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0}}, present={0: True, 61: False})
    assert_firing((Monitor((removed,)),), {60: {INOPERABLE}, 61: set(), 65: set(), 130: set()}, tmp_path)
