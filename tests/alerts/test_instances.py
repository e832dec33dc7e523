"""Alerts about stack instances and their products: when they fire, when they do not, and what keeps them silent."""

from pathlib import Path

import pytest

from tests.alerts.story import Monitor, Product, alert, firing

pytestmark = pytest.mark.needs("promtool")

P = {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
ONE, EU = "111122223333", "eu-west-1"
INOPERABLE = alert("StackInstanceInoperable", **P, account=ONE, region=EU, status="INOPERABLE")
OUTDATED = alert("StackInstanceOutdated", **P, account=ONE, region=EU, status="OUTDATED")
MANY = alert("StackInstancesOutdatedMany", **P)


def inoperable(start: int, end: int) -> Product:
    """Return a product with one instance that is INOPERABLE from one minute to another."""
    return Product(
        instances={(ONE, EU, "INOPERABLE"): {start: start, end: None}},
        counts={0: {"CURRENT": 20}, start: {"CURRENT": 19, "INOPERABLE": 1}, end: {"CURRENT": 20}},
    )


def test_an_inoperable_instance_is_told_with_its_account_and_region(tmp_path: Path) -> None:
    """After five minutes, until the scrape that shows it CURRENT."""
    firing((Monitor((inoperable(20, 60),)),), {24: set(), 25: {INOPERABLE}, 59: {INOPERABLE}, 60: set()}, tmp_path)


def test_without_series_of_instances_the_count_speaks_for_the_product(tmp_path: Path) -> None:
    """With metrics.instance_series none nobody says which, but the alert is there."""
    product = Product(counts={0: {"CURRENT": 20}, 20: {"CURRENT": 18, "INOPERABLE": 2}, 40: {"CURRENT": 20}})
    one = alert("StackInstanceInoperable", **P, status="INOPERABLE")
    firing((Monitor((product,)),), {24: set(), 25: {one}, 39: {one}, 40: set()}, tmp_path)


@pytest.mark.parametrize("status", ["INOPERABLE", "OUTDATED"])
def test_more_than_a_hundred_instances_are_one_alert(status: str, tmp_path: Path) -> None:
    """A hundred are told one by one; one more, and their number is told."""
    instances = {(f"{n:012}", EU, status): {1: 1} for n in range(101)}
    name = f"StackInstance{status.capitalize()}"
    each = {alert(name, **P, account=account, region=EU, status=status) for account, *_ in list(instances)[:100]}
    hundred = Product(instances=dict(list(instances.items())[:100]), counts={0: {"CURRENT": 9900, status: 100}})
    firing((Monitor((hundred,)),), {40: each}, tmp_path)
    more = Product(instances=instances, counts={0: {"CURRENT": 9900, status: 101}})
    firing((Monitor((more,)),), {40: {alert(name, **P, status=status)}}, tmp_path)


def test_an_instance_that_the_last_rollout_did_not_reach_is_told(tmp_path: Path) -> None:
    """Half an hour after the rollout has ended, not after the instance became OUTDATED in it."""
    product = Product(
        status={0: "AVAILABLE", 10: "UNDER_CHANGE", 90: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {10: 10, 160: None}},
        counts={0: {"CURRENT": 20}, 10: {"CURRENT": 19, "OUTDATED": 1}, 160: {"CURRENT": 20}},
    )
    firing((Monitor((product,)),), {80: set(), 119: set(), 120: {OUTDATED}, 159: {OUTDATED}, 160: set()}, tmp_path)


@pytest.mark.parametrize("status", ["UNDER_CHANGE", "PLAN_IN_PROGRESS"])
def test_a_rollout_makes_no_noise(status: str, tmp_path: Path) -> None:
    """All instances OUTDATED for two hours, while the product says why: not one alert."""
    product = Product(
        status={0: "AVAILABLE", 10: status, 130: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {10: 10, 130: None}},
        counts={0: {"CURRENT": 20}, 10: {"OUTDATED": 20}, 130: {"CURRENT": 20}},
    )
    firing((Monitor((product,)),), {60: set(), 129: set(), 140: set(), 170: set()}, tmp_path)


def test_a_rollout_that_begins_takes_the_alert_back(tmp_path: Path) -> None:
    """The next rollout may bring the instance up to date; if it does not, the alert comes again."""
    product = Product(
        status={0: "AVAILABLE", 60: "UNDER_CHANGE", 80: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {10: 10}},
        counts={0: {"CURRENT": 20}, 10: {"CURRENT": 19, "OUTDATED": 1}},
    )
    firing((Monitor((product,)),), {59: {OUTDATED}, 60: set(), 109: set(), 110: {OUTDATED}}, tmp_path)


def test_many_outdated_instances_are_one_more_alert(tmp_path: Path) -> None:
    """More than a tenth of the product, and five at least."""
    product = Product(
        counts={0: {"CURRENT": 40}, 10: {"CURRENT": 35, "OUTDATED": 5}, 80: {"CURRENT": 36, "OUTDATED": 4}}
    )
    counted = alert("StackInstanceOutdated", **P, status="OUTDATED")
    firing((Monitor((product,)),), {39: set(), 40: {MANY, counted}, 79: {MANY, counted}, 80: {counted}}, tmp_path)


@pytest.mark.parametrize("counts", [{"CURRENT": 60, "OUTDATED": 6}, {"CURRENT": 4, "OUTDATED": 4}])
def test_few_outdated_instances_are_not_many(counts: dict[str, int], tmp_path: Path) -> None:
    """Six of 66 are not a tenth of them, and four are not five."""
    product = Product(counts={0: {"CURRENT": sum(counts.values())}, 10: counts})
    expected = alert("StackInstanceOutdated", **P, status="OUTDATED")
    firing((Monitor((product,)),), {45: {expected}}, tmp_path)


@pytest.mark.parametrize("status", ["TAINTED", "ERROR"])
def test_a_product_that_failed_is_told(status: str, tmp_path: Path) -> None:
    """After five minutes, until it is AVAILABLE again."""
    product = Product(status={0: "AVAILABLE", 10: status, 40: "AVAILABLE"})
    one = alert("ProvisionedProductFailed", **P, status=status)
    firing((Monitor((product,)),), {14: set(), 15: {one}, 39: {one}, 40: set()}, tmp_path)


def test_a_change_that_never_ends_is_told(tmp_path: Path) -> None:
    """Four hours after the second poll that saw it, in place of the alerts that it silences."""
    product = Product(
        status={0: "AVAILABLE", 11: "UNDER_CHANGE", 280: "AVAILABLE"},
        instances={(ONE, EU, "OUTDATED"): {11: 11, 280: None}},
    )
    one = alert("ProvisionedProductChangeStuck", **P)
    firing((Monitor((product,)),), {30: set(), 255: set(), 256: {one}, 279: {one}, 280: set()}, tmp_path)


def test_a_change_that_only_one_poll_has_seen_is_not_stuck(tmp_path: Path) -> None:
    """A product that is polled each ten hours shows UNDER_CHANGE for ten hours, whatever happened after the poll."""
    product = Product(interval=600, status={0: "AVAILABLE", 601: "UNDER_CHANGE", 1201: "AVAILABLE"})
    firing((Monitor((product,)),), {900: set(), 1200: set(), 1300: set()}, tmp_path, every=4)


def test_one_change_after_the_other_is_not_stuck(tmp_path: Path) -> None:
    """Each begins anew."""
    changes = {minute: "UNDER_CHANGE" if minute % 200 else "AVAILABLE" for minute in range(0, 1000, 100)}
    firing((Monitor((Product(status=changes),)),), {minute: set() for minute in range(60, 1000, 60)}, tmp_path, every=4)


def test_instances_that_disappear_are_told_for_an_hour(tmp_path: Path) -> None:
    """More than a tenth within an hour; the alert ends by itself."""
    product = Product(counts={0: {"CURRENT": 20}, 30: {"CURRENT": 17}})
    one = alert("StackInstancesDisappeared", **P)
    firing((Monitor((product,)),), {29: set(), 30: {one}, 88: {one}, 92: set()}, tmp_path)


def test_two_monitors_that_disagree_for_a_moment_lose_nothing(tmp_path: Path) -> None:
    """One has polled before a rollout, the other after it: together they would count each instance twice."""
    first = Product(counts={0: {"CURRENT": 20}, 30: {"OUTDATED": 20}})
    second = Product(counts={0: {"CURRENT": 20}, 33: {"OUTDATED": 20}})
    monitors = (Monitor((first,)), Monitor((second,), instance={0: "10.0.0.2:9935"}))
    firing(monitors, {29: set(), 31: set(), 34: set(), 50: set()}, tmp_path)


def test_a_few_instances_may_go_and_any_number_may_come(tmp_path: Path) -> None:
    """One of twenty is not a tenth; growth is no loss."""
    product = Product(counts={0: {"CURRENT": 20}, 30: {"CURRENT": 19}, 60: {"CURRENT": 200}})
    firing((Monitor((product,)),), {29: set(), 35: set(), 65: set(), 100: set()}, tmp_path)


def test_a_product_that_is_gone_takes_its_alerts_with_it(tmp_path: Path) -> None:
    """AWS does not know it any more, or it was taken out of the configuration: nothing is held."""
    gone = Product(
        counts={0: {"CURRENT": 19, "INOPERABLE": 1}, 61: None},
        instances={(ONE, EU, "INOPERABLE"): {0: 0}},
        failing={0: None, 61: "not_found"},
    )
    firing((Monitor((gone,)),), {60: {INOPERABLE}, 61: set(), 65: set()}, tmp_path)
    removed = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0}}, present={0: True, 61: False})
    firing((Monitor((removed,)),), {60: {INOPERABLE}, 61: set(), 65: set(), 130: set()}, tmp_path)
