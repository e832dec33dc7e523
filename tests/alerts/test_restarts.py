"""A missed scrape, a restart and another pod: no alert resolves by them, and none fires anew."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.alerts.story import Alert, Monitor, Product, alert, firing

pytestmark = pytest.mark.needs("promtool")

P = {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
ONE, TWO, EU = "111122223333", "222233334444", "eu-west-1"
INOPERABLE = alert("StackInstanceInoperable", **P, account=ONE, region=EU, status="INOPERABLE")
OUTDATED = alert("StackInstanceOutdated", **P, account=TWO, region=EU, status="OUTDATED")
FAILED = alert("ProvisionedProductFailed", **P, status="TAINTED")
DENIED = alert("StackSetMonitorAccessDenied", **P)
ERRORS = alert("StackSetMonitorPollErrors", **P)
STALE = alert("StackSetMonitorDataStale", **P)
NOBODY = alert("StackSetMonitorDown")
SICK = Product(
    status={0: "TAINTED"},
    counts={0: {"CURRENT": 20, "INOPERABLE": 1, "OUTDATED": 1}},
    instances={(ONE, EU, "INOPERABLE"): {0: 0}, (TWO, EU, "OUTDATED"): {0: 0}},
)
TOLD = {INOPERABLE, OUTDATED, FAILED}

MISSED: Mapping[int, str | None] = {0: "a:1", 60: None, 61: "a:1"}
RESTART: Mapping[int, str | None] = {0: "a:1", 60: None, 63: "a:1"}
ANOTHER_POD: Mapping[int, str | None] = {0: "a:1", 60: None, 64: "b:1"}


@pytest.mark.parametrize("target", [True, False])
@pytest.mark.parametrize("instance", [MISSED, RESTART, ANOTHER_POD])
@pytest.mark.parametrize("keeps_state", [True, False])
def test_alerts_go_on(instance: Mapping[int, str | None], keeps_state: bool, target: bool, tmp_path: Path) -> None:
    """In each minute of it the same alerts fire, with the same labels: also where the state is lost."""
    monitor = Monitor((SICK,), instance=instance, keeps_state=keeps_state, target=target)
    firing((monitor,), dict.fromkeys((45, *range(58, 75)), TOLD), tmp_path)


def test_what_is_over_when_the_monitor_comes_back_resolves_then(tmp_path: Path) -> None:
    """Nothing is held any longer than until somebody says better."""
    product = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0, 62: None}})
    monitor = Monitor((product,), instance=ANOTHER_POD)
    firing((monitor,), {63: {INOPERABLE}, 64: set(), 65: set(), 70: set()}, tmp_path)


def test_what_was_over_before_does_not_come_back_in_an_absence(tmp_path: Path) -> None:
    """An instance that has recovered a minute before the monitor goes away."""
    product = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0, 59: None}})
    monitor = Monitor((product,), instance={0: "a:1", 60: None})
    firing((monitor,), {58: {INOPERABLE}, 59: set(), 61: set(), 64: set(), 70: {NOBODY}}, tmp_path)


def test_a_long_absence_is_one_alert_and_the_others_stay_for_an_hour(tmp_path: Path) -> None:
    """The monitor is down, and that is all that is new: no product is told as stale besides."""
    monitor = Monitor((SICK,), instance={0: "a:1", 60: None})
    told = {minute: {NOBODY, *TOLD} for minute in (66, 80, 100, 118)}
    firing((monitor,), {64: TOLD, **told, 121: {NOBODY}, 300: {NOBODY}}, tmp_path)


def test_data_that_became_stale_resolves_nothing_at_once(tmp_path: Path) -> None:
    """poll.stale_after has taken the series away: what they said is held for an hour, beside the alert that says so."""
    sick = Product(
        counts={0: {"CURRENT": 20, "INOPERABLE": 1}, 90: None},
        instances={(ONE, EU, "INOPERABLE"): {0: 0}},
        failing={0: None, 31: "timeout"},
    )
    both: set[Alert] = {ERRORS, STALE}
    firing((Monitor((sick,)),), {89: {INOPERABLE, *both}, 91: {INOPERABLE, *both}, 152: both}, tmp_path)


@pytest.mark.parametrize("instance", [MISSED, RESTART, ANOTHER_POD])
def test_failing_polls_are_told_on(instance: Mapping[int, str | None], tmp_path: Path) -> None:
    """Before the first poll after a restart nobody knows whether polls fail: what was known holds."""
    denied = Monitor((Product(failing={0: None, 26: "access_denied"}),), instance=instance)
    firing((denied,), {minute: {DENIED, STALE} for minute in range(55, 75)}, tmp_path)
    failing = Monitor((Product(failing={0: None, 26: "timeout"}),), instance=instance)
    firing((failing,), {minute: {ERRORS, STALE} for minute in range(55, 75)}, tmp_path)


def test_a_restart_in_a_rollout_makes_no_noise(tmp_path: Path) -> None:
    """While nobody says that the product is under change, it still is."""
    product = Product(
        status={0: "AVAILABLE", 10: "UNDER_CHANGE", 200: "AVAILABLE"},
        counts={0: {"CURRENT": 20}, 10: {"OUTDATED": 20}, 200: {"CURRENT": 20}},
        instances={(TWO, EU, "OUTDATED"): {10: 10, 200: None}},
    )
    for keeps_state in (True, False):
        monitor = Monitor((product,), instance={0: "a:1", 60: None, 64: "b:1", 100: None}, keeps_state=keeps_state)
        silent: dict[int, set[Alert]] = {minute: set() for minute in (59, 62, 64, 66, 95)}
        firing((monitor,), silent | {140: {NOBODY}}, tmp_path)


def test_a_restart_does_not_begin_to_wait_anew(tmp_path: Path) -> None:
    """Half an hour is half an hour, whatever becomes of the monitor in it."""
    product = Product(instances={(TWO, EU, "OUTDATED"): {10: 10}})
    monitor = Monitor((product,), instance={0: "a:1", 20: None, 24: "b:1"}, target=False)
    firing((monitor,), {39: set(), 40: {OUTDATED}}, tmp_path)


def test_products_that_move_to_another_share_keep_their_alerts(tmp_path: Path) -> None:
    """From one pod to two: the second begins with a baseline, and has no stored state of what it takes over."""
    before = Monitor((SICK,), instance={0: "a:1", 60: None}, target=False)
    first = Monitor((), instance={0: None, 62: "a:2"}, target=False, shards=2)
    second = Monitor((SICK,), instance={0: None, 63: "b:1"}, target=False, shards=2, shard=1)
    firing((before, first, second), dict.fromkeys(range(58, 75), TOLD), tmp_path)


def test_a_product_taken_out_with_a_restart_is_held_for_an_hour_at_most(tmp_path: Path) -> None:
    """Another pod cannot tell why its predecessor had more products."""
    product = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0}}, present={0: True, 62: False})
    monitor = Monitor((product, Product(id="pp-b")), instance=ANOTHER_POD, target=False)
    firing((monitor,), {63: {INOPERABLE}, 122: set()}, tmp_path)


def test_a_change_that_is_stuck_goes_on_to_be(tmp_path: Path) -> None:
    """And its four hours do not begin anew."""
    monitor = Monitor(
        (Product(status={0: "AVAILABLE", 11: "UNDER_CHANGE"}),), instance={0: "a:1", 120: None, 124: "b:1"}
    )
    one = alert("ProvisionedProductChangeStuck", **P)
    firing((monitor,), {255: set(), 256: {one}, 300: {one}}, tmp_path)


def test_a_restart_does_not_look_like_a_loss_of_instances(tmp_path: Path) -> None:
    """Neither does a new pod that has lost its state."""
    monitor = Monitor((Product(),), instance=ANOTHER_POD, keeps_state=False)
    firing((monitor,), {minute: set() for minute in range(55, 75)}, tmp_path)
