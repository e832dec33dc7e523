"""Alerts about the monitor itself: when they fire, when they do not, and what keeps them silent."""

from pathlib import Path

import pytest

from tests.alerts.story import Monitor, Product, alert, firing

pytestmark = pytest.mark.needs("promtool")

P = {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
DOWN = alert("StackSetMonitorDown", job="stackset-monitor")
NOBODY = alert("StackSetMonitorDown")
STALE = alert("StackSetMonitorDataStale", **P)
ERRORS = alert("StackSetMonitorPollErrors", **P)
DENIED = alert("StackSetMonitorAccessDenied", **P)
OVERRUN = alert("StackSetMonitorPollOverrun", **P)


def at(address: str) -> dict[int, str | None]:
    """Return a place that stays."""
    return {0: address}


def test_a_monitor_that_nobody_can_scrape_is_told_after_five_minutes(tmp_path: Path) -> None:
    """Once, whatever else may be wrong then, for as long as it lasts, be it days; and not in a shorter absence."""
    monitor = Monitor(instance={0: "a:1", 10: None, 14: "a:1", 30: None, 40: "a:1"})
    firing((monitor,), {14: set(), 34: set(), 35: {NOBODY}, 39: {NOBODY}, 40: set()}, tmp_path)
    days = Monitor(instance={0: "a:1", 20: None, 2000: "a:1"})
    firing((days,), {100: {NOBODY}, 1480: {NOBODY}, 1996: {NOBODY}, 2000: set()}, tmp_path, every=4)


def test_no_monitor_at_all_is_told(tmp_path: Path) -> None:
    """A Prometheus with these rules that scrapes none: the installation is not complete."""
    firing((Monitor(instance={0: None}),), {4: set(), 5: {NOBODY}}, tmp_path)


def test_one_of_two_monitors_is_told(tmp_path: Path) -> None:
    """Two targets of one job with products of their own: the other one does not hide it."""
    gone = Monitor(instance={0: "a:1", 30: None}, products=(Product(id="pp-b", name="guardrails"),))
    firing((Monitor(instance=at("b:1")), gone), {34: set(), 35: {DOWN}, 80: {DOWN}}, tmp_path)


@pytest.mark.parametrize("target", [True, False])
def test_a_missing_share_is_told(target: bool, tmp_path: Path) -> None:
    """A pod of three that is gone, even where its target is gone with it."""
    pods = [
        Monitor(instance=at(f"{ordinal}:1"), products=(Product(id=f"pp-{ordinal}"),), shard=ordinal, shards=3)
        for ordinal in range(2)
    ]
    third = Monitor(instance={0: "2:1", 30: None}, products=(Product(id="pp-2"),), shard=2, shards=3, target=target)
    firing((*pods, third), {20: set(), 34: set(), 35: {DOWN}, 70: {DOWN}}, tmp_path)


def test_fewer_shares_are_no_missing_share(tmp_path: Path) -> None:
    """From two pods to one, which restarts with all products."""
    first = Monitor(instance={0: "0:1", 31: None}, shard=0, shards=2, target=False)
    second = Monitor(instance={0: "1:1", 31: None}, products=(), shard=1, shards=2, target=False)
    alone = Monitor(instance={0: None, 32: "2:1"}, target=False)
    firing((first, second, alone), {30: set(), 33: set(), 40: set(), 90: set(), 100: set()}, tmp_path)


def test_a_job_that_vanishes_beside_another_is_told(tmp_path: Path) -> None:
    """Two releases in one cluster: one of them is scraped no more."""
    gone = Monitor(instance={0: "a:1", 30: None}, job="other", target=False, products=(Product(id="pp-b"),))
    firing((Monitor(), gone), {34: set(), 35: {alert("StackSetMonitorDown", job="other")}}, tmp_path)


@pytest.mark.parametrize("interval", [1, 5, 60])
def test_old_data_is_told_after_two_intervals_whatever_the_interval(interval: int, tmp_path: Path) -> None:
    """Two intervals and five minutes, five minutes long; before, the polls' failures are told."""
    end = 1 + 4 * interval
    product = Product(interval=interval, failing={0: None, end: "timeout"})
    last = max(minute for minute in range(end) if minute % interval == 1 % interval)
    stale = last + 2 * interval + 11
    firing((Monitor((product,)),), {end: set(), stale - 1: {ERRORS}, stale: {ERRORS, STALE}}, tmp_path)


def test_a_large_product_that_is_new_is_not_late(tmp_path: Path) -> None:
    """Its first poll takes twelve minutes, in a monitor that runs for hours; then it fails, or nobody gets to it."""
    new = {0: False, 300: True}
    firing((Monitor((Product(interval=15, present=new, first=12),)),), {311: set(), 330: set()}, tmp_path)
    never = Product(interval=15, present=new, first=1000)
    firing((Monitor((never,)),), {330: set(), 340: set(), 342: {STALE}}, tmp_path)


def test_a_search_that_fails_for_long_is_told_with_its_source(tmp_path: Path) -> None:
    """Products that nobody finds are products that nobody watches."""
    stale = alert("StackSetMonitorDataStale", source="hub")
    monitor = Monitor(discovery={0: True, 20: False, 120: True})
    firing((monitor,), {50: set(), 58: {stale}, 119: {stale}, 125: set()}, tmp_path)
    firing((Monitor(discovery={0: False}),), {39: set(), 42: {stale}}, tmp_path)


def test_failing_polls_are_told_when_the_next_should_have_made_it_good(tmp_path: Path) -> None:
    """One failure is nothing; two are, whatever the reason of each."""
    once = Product(failing={0: None, 31: "timeout", 36: None})
    firing((Monitor((once,)),), {33: set(), 40: set(), 60: set()}, tmp_path)
    lasting = Product(failing={0: None, 31: "timeout", 36: "connection", 101: None})
    firing((Monitor((lasting,)),), {40: set(), 44: {ERRORS}, 100: {ERRORS, STALE}, 101: set()}, tmp_path)


def test_a_daily_poll_that_fails_is_told_half_a_day_later(tmp_path: Path) -> None:
    """No alert that fires for a day because one poll of a day has failed, and none that comes a week late."""
    product = Product(interval=1440, failing={0: None, 1441: "timeout", 2881: None})
    firing((Monitor((product,)),), {1500: set(), 2140: set(), 2180: {ERRORS}, 2884: set()}, tmp_path, every=4)


def test_a_product_that_never_had_a_complete_poll_is_told_soon(tmp_path: Path) -> None:
    """A mistake in a new configuration does not wait for one and a half of its days."""
    firing((Monitor((Product(interval=1440, failing={0: "other"}),)),), {10: set(), 12: {ERRORS}}, tmp_path)


def test_denied_access_is_one_alert_with_its_own_name(tmp_path: Path) -> None:
    """It does not get better by itself, so nobody waits for the next poll; it is not told as a failing poll, too."""
    product = Product(failing={0: None, 31: "access_denied", 46: None})
    firing((Monitor((product,)),), {35: set(), 36: {DENIED}, 45: {DENIED}, 46: set()}, tmp_path)


def test_throttling_is_told_by_source(tmp_path: Path) -> None:
    """More than a tenth of an hour's calls; one in a hundred is the daily bread."""
    one = alert("StackSetMonitorThrottled", source="hub")
    much = Monitor(errors=lambda minute: 3 * min(minute, 60))
    firing((much,), {10: set(), 18: {one}, 70: {one}, 120: set()}, tmp_path)
    firing((Monitor(errors=lambda minute: minute // 10),), {20: set(), 70: set(), 120: set()}, tmp_path)


@pytest.mark.parametrize(("interval", "window"), [(5, 30), (60, 180), (480, 1440)])
def test_polls_that_do_not_take_place_are_told_for_any_interval(interval: int, window: int, tmp_path: Path) -> None:
    """Every second poll is skipped for a while, then none any more."""
    until = 2 * window
    product = Product(interval=interval, skipped=lambda minute: min(minute, until) // (2 * interval))
    expected = {4: set(), until: {OVERRUN}, until + window + 20: set()}
    firing((Monitor((product,)),), expected, tmp_path, every=4 if interval > 5 else 1)


def test_a_daily_poll_that_does_not_take_place_is_told(tmp_path: Path) -> None:
    """A week is looked at then; half of the polls are skipped."""
    product = Product(interval=1440, skipped=lambda minute: minute // 2880)
    firing((Monitor((product,)),), {1440: set(), 8680: {OVERRUN}}, tmp_path, every=4)


def test_a_single_skipped_poll_is_no_overrun(tmp_path: Path) -> None:
    """It may happen when the monitor starts, or once when AWS is slow."""
    product = Product(interval=1, skipped=lambda minute: int(minute > 20))
    firing((Monitor((product,)),), {22: set(), 40: set(), 60: set()}, tmp_path)


def test_a_refused_configuration_is_told_until_it_is_mended(tmp_path: Path) -> None:
    """After five minutes; a monitor in the midst of a restart does not resolve it."""
    one = alert("StackSetMonitorConfigReloadFailed", job="stackset-monitor")
    monitor = Monitor(reloaded={0: 1, 20: 0, 60: 1}, instance={0: "a:1", 40: None, 43: "a:1"})
    expected = {24: set(), 25: {one}, 41: {one}, 44: {one}, 59: {one}, 60: set()}
    firing((monitor,), expected, tmp_path)
