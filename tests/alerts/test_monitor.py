"""Alerts about the monitor itself: when they fire, stay silent and resolve."""

from pathlib import Path

import pytest

from tests.alerts.scenario import Monitor, Product, alert, assert_firing

pytestmark = pytest.mark.needs("promtool")

P = {"job": "stackset-monitor", "provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
DOWN = alert("StackSetMonitorDown", job="stackset-monitor")
NO_MONITOR = alert("StackSetMonitorDown")
STALE = alert("StackSetMonitorDataStale", **P)
ERRORS = alert("StackSetMonitorPollErrors", **P)
DENIED = alert("StackSetMonitorAccessDenied", **P)
OVERRUN = alert("StackSetMonitorPollOverrun", **P)


def always(address: str) -> dict[int, str | None]:
    """Return an address that does not change."""
    return {0: address}


def test_down_fires_after_five_minutes(tmp_path: Path) -> None:
    """One alert fires for as long as the monitor is down, even for days; a shorter outage fires none."""
    monitor = Monitor(instance={0: "a:1", 10: None, 14: "a:1", 30: None, 40: "a:1"})
    assert_firing((monitor,), {14: set(), 34: set(), 35: {DOWN}, 39: {DOWN}, 40: set()}, tmp_path)
    days = Monitor(instance={0: "a:1", 20: None, 2000: "a:1"})
    assert_firing((days,), {100: {DOWN}, 1480: {DOWN}, 1996: {DOWN}, 2000: set()}, tmp_path, every=4)


def test_down_fires_without_any_monitor(tmp_path: Path) -> None:
    """The rules fire in a Prometheus that has no target of a monitor; there are no labels to show."""
    assert_firing((Monitor(instance={0: None}, target=False),), {4: set(), 5: {NO_MONITOR}}, tmp_path)


def test_down_fires_for_a_target_that_never_was_up(tmp_path: Path) -> None:
    """A monitor that cannot be scraped since it was installed fires, alone or beside a monitor of another job."""
    broken = Monitor(instance={0: None}, job="team-stackset-monitor")
    one = alert("StackSetMonitorDown", job="team-stackset-monitor")
    assert_firing((broken,), {4: set(), 5: {one}}, tmp_path)
    assert_firing((Monitor(), broken), {4: set(), 5: {one}, 100: {one}}, tmp_path)


def test_down_fires_for_one_of_two_monitors(tmp_path: Path) -> None:
    """A second target of the same job does not hide the first."""
    gone = Monitor(instance={0: "a:1", 30: None}, products=(Product(id="pp-b", name="guardrails"),))
    assert_firing((Monitor(instance=always("b:1")), gone), {34: set(), 35: {DOWN}, 80: {DOWN}}, tmp_path)


@pytest.mark.parametrize("target", [True, False])
def test_down_fires_for_a_missing_shard(target: bool, tmp_path: Path) -> None:
    """One of three shards is missing, with or without its target."""
    pods = [
        Monitor(instance=always(f"{ordinal}:1"), products=(Product(id=f"pp-{ordinal}"),), shard=ordinal, shards=3)
        for ordinal in range(2)
    ]
    third = Monitor(instance={0: "2:1", 30: None}, products=(Product(id="pp-2"),), shard=2, shards=3, target=target)
    assert_firing((*pods, third), {20: set(), 34: set(), 35: {DOWN}, 70: {DOWN}}, tmp_path)


def test_scaling_down_is_no_missing_shard(tmp_path: Path) -> None:
    """After a change from two shards to one, no alert fires."""
    first = Monitor(instance={0: "0:1", 31: None}, shard=0, shards=2, target=False)
    second = Monitor(instance={0: "1:1", 31: None}, products=(), shard=1, shards=2, target=False)
    alone = Monitor(instance={0: None, 32: "2:1"}, target=False)
    assert_firing((first, second, alone), {30: set(), 33: set(), 40: set(), 90: set(), 100: set()}, tmp_path)


def test_down_fires_for_a_job_without_monitors(tmp_path: Path) -> None:
    """Two releases run in one cluster, and one of them is no longer scraped."""
    gone = Monitor(instance={0: "a:1", 30: None}, job="other", target=False, products=(Product(id="pp-b"),))
    assert_firing((Monitor(), gone), {34: set(), 35: {alert("StackSetMonitorDown", job="other")}}, tmp_path)


@pytest.mark.parametrize("interval", [1, 5, 60])
def test_data_stale_follows_the_poll_interval(interval: int, tmp_path: Path) -> None:
    """The alert fires after two intervals plus ten minutes; before that, only PollErrors fires."""
    end = 1 + 4 * interval
    product = Product(interval=interval, failing={0: None, end: "timeout"})
    last = max(minute for minute in range(end) if minute % interval == 1 % interval)
    stale = last + 2 * interval + 11
    assert_firing((Monitor((product,)),), {end: set(), stale - 1: {ERRORS}, stale: {ERRORS, STALE}}, tmp_path)


def test_slow_first_poll_is_not_stale(tmp_path: Path) -> None:
    """A first poll of twelve minutes fires nothing; a first poll that never completes fires DataStale."""
    new = {0: False, 300: True}
    assert_firing((Monitor((Product(interval=15, present=new, first=12),)),), {311: set(), 330: set()}, tmp_path)
    never = Product(interval=15, present=new, first=1000)
    assert_firing((Monitor((never,)),), {330: set(), 340: set(), 342: {STALE}}, tmp_path)


def test_data_stale_fires_for_failing_searches(tmp_path: Path) -> None:
    """The alert has the label source."""
    stale = alert("StackSetMonitorDataStale", job="stackset-monitor", source="hub")
    monitor = Monitor(discovery={0: True, 20: False, 120: True})
    assert_firing((monitor,), {50: set(), 58: {stale}, 119: {stale}, 125: set()}, tmp_path)
    assert_firing((Monitor(discovery={0: False}),), {39: set(), 42: {stale}}, tmp_path)


def test_poll_errors_fire_after_the_second_failure(tmp_path: Path) -> None:
    """One failure fires no alert; two do, also with different reasons."""
    once = Product(failing={0: None, 31: "timeout", 36: None})
    assert_firing((Monitor((once,)),), {33: set(), 40: set(), 60: set()}, tmp_path)
    lasting = Product(failing={0: None, 31: "timeout", 36: "connection", 101: None})
    assert_firing((Monitor((lasting,)),), {40: set(), 44: {ERRORS}, 100: {ERRORS, STALE}, 101: set()}, tmp_path)


def test_poll_errors_of_a_daily_poll_fire_after_half_a_day(tmp_path: Path) -> None:
    """One failed daily poll neither fires for a whole day nor only after days."""
    product = Product(interval=1440, failing={0: None, 1441: "timeout", 2881: None})
    assert_firing((Monitor((product,)),), {1500: set(), 2140: set(), 2180: {ERRORS}, 2884: set()}, tmp_path, every=4)


def test_poll_errors_of_a_new_product_fire_soon(tmp_path: Path) -> None:
    """A product that never had a complete poll does not wait for one and a half intervals."""
    assert_firing((Monitor((Product(interval=1440, failing={0: "other"}),)),), {10: set(), 12: {ERRORS}}, tmp_path)


def test_denied_access_fires_its_own_alert(tmp_path: Path) -> None:
    """AccessDenied fires after five minutes, and PollErrors does not fire."""
    product = Product(failing={0: None, 31: "access_denied", 46: None})
    assert_firing((Monitor((product,)),), {35: set(), 36: {DENIED}, 45: {DENIED}, 46: set()}, tmp_path)


def test_throttled_fires_per_source(tmp_path: Path) -> None:
    """The alert fires for more than 10 % of the calls of an hour, and not for 1 %."""
    one = alert("StackSetMonitorThrottled", job="stackset-monitor", source="hub")
    much = Monitor(errors=lambda minute: 3 * min(minute, 60))
    assert_firing((much,), {10: set(), 18: {one}, 70: {one}, 120: set()}, tmp_path)
    assert_firing((Monitor(errors=lambda minute: minute // 10),), {20: set(), 70: set(), 120: set()}, tmp_path)


@pytest.mark.parametrize(("interval", "window"), [(5, 30), (60, 180), (480, 1440)])
def test_overrun_fires_for_any_interval(interval: int, window: int, tmp_path: Path) -> None:
    """The alert fires while every second poll is skipped, and resolves afterwards."""
    until = 2 * window
    product = Product(interval=interval, skipped=lambda minute: min(minute, until) // (2 * interval))
    expected = {4: set(), until: {OVERRUN}, until + window + 20: set()}
    assert_firing((Monitor((product,)),), expected, tmp_path, every=4 if interval > 5 else 1)


@pytest.mark.timeout(120)
def test_overrun_of_a_daily_poll_fires(tmp_path: Path) -> None:
    """The rule looks back a week for a daily poll."""
    product = Product(interval=1440, skipped=lambda minute: minute // 2880)
    assert_firing((Monitor((product,)),), {1440: set(), 8680: {OVERRUN}}, tmp_path, every=4)


def test_single_skipped_poll_is_no_overrun(tmp_path: Path) -> None:
    """One skipped poll fires no alert."""
    product = Product(interval=1, skipped=lambda minute: int(minute > 20))
    assert_firing((Monitor((product,)),), {22: set(), 40: set(), 60: set()}, tmp_path)


def test_config_reload_failed_fires_until_it_is_fixed(tmp_path: Path) -> None:
    """The alert fires after five minutes, and a restart does not resolve it."""
    one = alert("StackSetMonitorConfigReloadFailed", job="stackset-monitor")
    monitor = Monitor(reloaded={0: 1, 20: 0, 60: 1}, instance={0: "a:1", 40: None, 43: "a:1"})
    expected = {24: set(), 25: {one}, 41: {one}, 44: {one}, 59: {one}, 60: set()}
    assert_firing((monitor,), expected, tmp_path)
