"""Alerts about what the monitor cannot see, store or export: each problem is heard."""

from pathlib import Path

import pytest

from tests.alerts.scenario import Monitor, Product, alert, assert_firing

pytestmark = pytest.mark.needs("promtool")

JOB = {"job": "stackset-monitor"}
P = JOB | {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
ONE, EU = "111122223333", "eu-west-1"
DAY = 24 * 60
NOTHING = alert("StackSetMonitorNoProductsDiscovered", **JOB, source="hub")
DROPPED = alert("StackSetMonitorDiscoveredProductsDropped", **JOB, source="hub")
UNKNOWN = alert("StackSetMonitorStatusUnknown", **P, status="UNKNOWN")


def test_outdated_for_days_fires_during_repeated_rollouts(tmp_path: Path) -> None:
    """A pipeline repeats a rollout with gaps of 20 minutes; after two days, the instance is heard for good."""
    end = 2 * DAY + 400
    status = {minute: "AVAILABLE" if minute % 100 >= 80 else "UNDER_CHANGE" for minute in range(0, end, 20)}
    product = Product(
        status=status,
        counts={0: {"CURRENT": 19, "OUTDATED": 1}},
        instances={(ONE, EU, "OUTDATED"): {0: 0, end - 60: None}},
    )
    one = alert("StackInstanceOutdatedTooLong", **P, account=ONE, region=EU, status="OUTDATED")
    expected = {600: set(), 2 * DAY: set(), 2 * DAY + 20: {one}, 2 * DAY + 300: {one}, end - 40: set()}
    assert_firing((Monitor((product,)),), expected, tmp_path, every=4)


def test_outdated_for_days_fires_without_instance_series(tmp_path: Path) -> None:
    """The time counts since the product has OUTDATED instances that have no series."""
    counts = {0: {"CURRENT": 20}, 40: {"CURRENT": 19, "OUTDATED": 1}}
    product = Product(status={0: "AVAILABLE", 40: "UNDER_CHANGE"}, counts=counts)
    stuck = alert("ProvisionedProductChangeStuck", **P)
    long = alert("StackInstanceOutdatedTooLong", **P)
    monitor = Monitor((product,), instance={0: "a:1", 1000: None, 1008: "b:1"})
    assert_firing((monitor,), {2 * DAY + 40: {stuck}, 2 * DAY + 80: {stuck, long}}, tmp_path, every=4)


def test_discovery_that_finds_nothing_fires(tmp_path: Path) -> None:
    """A renamed tag resolves all alerts of the products, and fires one about the discovery; a restart keeps it."""
    product = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0}}, present={0: True, 61: False})
    monitor = Monitor(
        (product,), discovery={0: True}, discovered={0: 1, 61: 0}, instance={0: "a:1", 120: None, 124: "b:1"}
    )
    inoperable = alert("StackInstanceInoperable", **P, account=ONE, region=EU, status="INOPERABLE")
    expected = {60: {inoperable}, 74: set(), 76: {NOTHING}, 119: {NOTHING}, 122: {NOTHING}, 125: {NOTHING}}
    assert_firing((monitor,), expected | {180: {NOTHING}}, tmp_path)


def test_typing_error_in_discover_fires_from_the_start(tmp_path: Path) -> None:
    """A search that never found anything fires; before the first search there is no alert."""
    assert_firing((Monitor((), discovery={0: True}, discovered={0: 0}),), {15: set(), 16: {NOTHING}}, tmp_path)
    assert_firing((Monitor((), discovery={0: False}, discovered={0: 0}),), {35: set()}, tmp_path)


def test_fewer_discovered_products_fire_for_a_day(tmp_path: Path) -> None:
    """Three of 20 products are not found any more; two of 20 are 10 % and fire nothing."""
    monitor = Monitor((), discovery={0: True}, discovered={0: 20, 301: 17})
    assert_firing((monitor,), {300: set(), 312: set(), 320: {DROPPED}, 1700: {DROPPED}, 1748: set()}, tmp_path, every=4)
    few = Monitor((), discovery={0: True}, discovered={0: 20, 301: 18})
    assert_firing((few,), {340: set(), 600: set()}, tmp_path, every=4)


def test_removed_discovery_resolves_its_alert(tmp_path: Path) -> None:
    """A reload that removes `discover` ends the alert at once."""
    monitor = Monitor((), discovery={0: True}, discovered={0: 0}, searched={0: True, 61: False})
    assert_firing((monitor,), {60: {NOTHING}, 61: set(), 70: set()}, tmp_path)


def test_shards_that_search_the_same_source_are_one_number(tmp_path: Path) -> None:
    """Each shard finds all products. One that restarts and has not searched yet changes nothing."""
    first = Monitor((), discovery={0: True}, shards=2, instance={0: "a:1"})
    second = Monitor((), discovery={0: True}, shards=2, shard=1, instance={0: "b:1", 60: None, 62: "b:1"})
    assert_firing((first, second), {58: set(), 62: set(), 80: set(), 100: set()}, tmp_path)


def test_unknown_status_fires(tmp_path: Path) -> None:
    """Of an instance or of the product itself."""
    product = Product(counts={0: {"CURRENT": 20}, 20: {"CURRENT": 19, "UNKNOWN": 1}, 60: {"CURRENT": 20}})
    assert_firing((Monitor((product,)),), {34: set(), 35: {UNKNOWN}, 59: {UNKNOWN}, 60: set()}, tmp_path)
    product = Product(status={0: "AVAILABLE", 20: "UNKNOWN", 60: "AVAILABLE"})
    expected = {34: set(), 35: {UNKNOWN}, 60: set()}
    assert_firing((Monitor((product,)),), expected, tmp_path)


def test_missing_permission_to_describe_fires(tmp_path: Path) -> None:
    """One alert for all products; a restart neither resolves it nor fires it again."""
    products = tuple(Product(id=f"pp-{n}", described={0: True, 21: False, 90: True}) for n in range(3))
    one = alert("StackSetMonitorDescribeDenied", **JOB)
    monitor = Monitor(products, instance={0: "a:1", 60: None, 63: "b:1"})
    firing = {one}
    expected = dict.fromkeys((36, 59, 61, 62, 63, 64, 65, 89), firing)
    assert_firing((monitor,), {35: set(), **expected, 90: set()}, tmp_path)


def test_dropped_series_fire(tmp_path: Path) -> None:
    """The number of all products together is one alert."""
    product = Product(dropped={0: 0, 20: 300, 60: 0})
    one = alert("StackSetMonitorSeriesDropped", **JOB)
    assert_firing((Monitor((product,)),), {34: set(), 35: {one}, 59: {one}, 60: set()}, tmp_path)


@pytest.mark.parametrize("at", [20, 0])
def test_state_errors_and_lost_lines_fire(at: int, tmp_path: Path) -> None:
    """One error is enough, also if it happened before the first scrape; the alerts resolve after 15 minutes."""
    # Since Prometheus 3.0 a range leaves out a sample at its start, so one that is exactly 15 minutes old is not in it.
    errors = Monitor(state_errors=lambda minute: int(minute >= at))
    one = alert("StackSetMonitorStateErrors", **JOB)
    assert_firing((errors,), {max(at, 1): {one}, at + 13: {one}, at + 17: set()}, tmp_path)
    lines = Monitor(lines_dropped=lambda minute: 7 * (minute >= at))
    one = alert("StackSetMonitorLogLinesDropped", **JOB)
    assert_firing((lines,), {max(at, 1): {one}, at + 13: {one}, at + 17: set()}, tmp_path)


def test_state_that_is_not_committed_fires(tmp_path: Path) -> None:
    """Never since the start, or not any more; not before the first poll after a restart."""
    one = alert("StackSetMonitorStateNotCommitted", **JOB)
    assert_firing((Monitor(commits={0: False}),), {30: set(), 31: {one}}, tmp_path)
    later = Monitor(commits={0: True, 31: False, 90: True})
    assert_firing((later,), {45: set(), 66: {one}, 89: {one}, 91: set()}, tmp_path)
    rare = Monitor((Product(interval=600, first=1),), instance={0: "a:1", 60: None, 64: "a:1"})
    assert_firing((rare,), {59: set(), 64: set(), 120: set(), 300: set()}, tmp_path, every=4)


@pytest.mark.parametrize("code", ["LimitExceededException", "429"])
def test_every_throttling_code_counts(code: str, tmp_path: Path) -> None:
    """The codes that the monitor treats as throttling count as throttled calls."""
    one = alert("StackSetMonitorThrottled", **JOB, source="hub")
    monitor = Monitor(errors=lambda minute: 3 * minute, error_code=code)
    assert_firing((monitor,), {10: set(), 20: {one}}, tmp_path)
