"""Instances that the configuration accepts, instances in suspended accounts, and details that cannot be read."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.alerts.scenario import Alert, Monitor, Product, alert, assert_firing, assert_texts

pytestmark = pytest.mark.needs("promtool")

JOB = {"job": "stackset-monitor"}
P = JOB | {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
EU = "eu-west-1"
SUSPENDED = alert("StackInstancesSuspended", **P)
MANY = alert("StackInstancesOutdatedMany", **P)
RESTART: Mapping[int, str | None] = {0: "a:1", 60: None, 64: "b:1"}


def bad(status: str, numbers: range) -> dict[tuple[str, str, str], Mapping[int, int | None]]:
    """Return instances that have a status from the start."""
    return {(f"{n:012}", EU, status): {0: 0} for n in numbers}


def outdated(*numbers: int) -> set[Alert]:
    """Return the alerts of OUTDATED instances."""
    return {alert("StackInstanceOutdated", **P, account=f"{n:012}", region=EU, status="OUTDATED") for n in numbers}


@pytest.mark.parametrize("status", ["OUTDATED", "INOPERABLE"])
def test_accepted_instances_raise_no_alert(status: str, tmp_path: Path) -> None:
    """All broken instances are accepted, also while the monitor restarts; when the entry expires, they fire."""
    instances = bad(status, range(8))
    product = Product(
        counts={0: {"CURRENT": 12, status: 8}},
        instances=instances,
        accepted={key: {0: True, 100: False} for key in instances},
    )
    each = {
        alert(f"StackInstance{status.capitalize()}", **P, account=key[0], region=EU, status=status) for key in instances
    }
    after = each | ({MANY} if status == "OUTDATED" else set())
    silent: dict[int, set[Alert]] = {minute: set() for minute in (45, 59, 61, 63, 64, 65, 99)}
    assert_firing((Monitor((product,), instance=RESTART),), silent | {131: after}, tmp_path)


def test_new_broken_instance_beside_accepted_ones_fires(tmp_path: Path) -> None:
    """Hundred accepted instances neither hide a new one nor count as others without an alert."""
    instances = bad("OUTDATED", range(200)) | {("000000000900", EU, "OUTDATED"): {10: 10}}
    product = Product(
        counts={0: {"CURRENT": 9800, "OUTDATED": 200}, 10: {"CURRENT": 9799, "OUTDATED": 201}},
        instances=instances,
        accepted={key: {0: True} for key in bad("OUTDATED", range(200))},
    )
    assert_firing((Monitor((product,)),), {39: set(), 41: outdated(900), 90: outdated(900)}, tmp_path)


def test_accepted_instances_are_no_part_of_the_share(tmp_path: Path) -> None:
    """Of 60 instances 40 are accepted: five others are 25 %, although only 8 % of all."""
    accepted = bad("OUTDATED", range(40))
    few = Product(counts={0: {"CURRENT": 15, "OUTDATED": 45}}, accepted={key: {0: True} for key in accepted})
    more = alert("StackInstanceOutdated", **P, status="OUTDATED")
    assert_firing((Monitor((few,)),), {29: set(), 31: {MANY, more}}, tmp_path)
    none = Product(counts={0: {"CURRENT": 20, "OUTDATED": 40}}, accepted={key: {0: True} for key in accepted})
    assert_firing((Monitor((none,)),), {31: set(), 60: set()}, tmp_path)


def test_suspended_accounts_are_one_notice(tmp_path: Path) -> None:
    """They do not fire as OUTDATED; one other instance does; a restart changes nothing."""
    product = Product(
        counts={0: {"CURRENT": 4, "OUTDATED": 6}},
        instances=bad("OUTDATED", range(6)),
        detailed={(f"{n:012}", EU): {0: "SKIPPED_SUSPENDED_ACCOUNT"} for n in range(5)}
        | {("000000000005", EU): {0: "FAILED"}},
        details={0: True},
    )
    firing = {SUSPENDED, *outdated(5)}
    monitor = Monitor((product,), instance=RESTART)
    assert_firing((monitor,), {29: set(), **dict.fromkeys((45, 59, 61, 63, 64, 66, 90), firing)}, tmp_path)


def test_suspended_and_accepted_instance_raises_nothing(tmp_path: Path) -> None:
    """It is subtracted once from the number of OUTDATED instances."""
    key = ("000000000001", EU, "OUTDATED")
    product = Product(
        counts={0: {"CURRENT": 5, "OUTDATED": 1}},
        instances={key: {0: 0}},
        accepted={key: {0: True}},
        detailed={key[:2]: {0: "SKIPPED_SUSPENDED_ACCOUNT"}},
        details={0: True},
    )
    assert_firing((Monitor((product,)),), {45: set(), 90: set()}, tmp_path)


def test_inoperable_instance_of_a_suspended_account_fires(tmp_path: Path) -> None:
    """It stays INOPERABLE until it is removed from the StackSet, which is no matter of the account alone."""
    key = ("000000000001", EU, "INOPERABLE")
    product = Product(
        counts={0: {"CURRENT": 5, "INOPERABLE": 1}},
        instances={key: {0: 0}},
        detailed={key[:2]: {0: "SKIPPED_SUSPENDED_ACCOUNT"}},
        details={0: True},
    )
    one = alert("StackInstanceInoperable", **P, account=key[0], region=EU, status="INOPERABLE")
    assert_firing((Monitor((product,)),), {6: {one}, 45: {one}}, tmp_path)


def test_description_has_the_detailed_status(tmp_path: Path) -> None:
    """A failed import, which can be repeated, is told apart from a failed delete."""
    key = ("111122223333", EU, "INOPERABLE")
    product = Product(instances={key: {1: 1}}, detailed={key[:2]: {1: "FAILED_IMPORT"}}, details={0: True})
    one = alert("StackInstanceInoperable", **P, account=key[0], region=EU, status="INOPERABLE")
    summary = "Stack instances of a provisioned product are INOPERABLE."
    description = (
        "The stack instance in 111122223333 eu-west-1 has been INOPERABLE since 1970-01-01 00:01:00 +0000 UTC (first"
        " seen): a delete or an import failed. Every later update of baseline (pp-aaaaaaaaaaaaa) skips such an instance"
        " without an error. Its detailed status is FAILED_IMPORT."
    )
    assert_texts((Monitor((product,)),), 10, one, "critical", summary, description, tmp_path)


def test_details_that_cannot_be_read_fire(tmp_path: Path) -> None:
    """One alert for all products, after an hour."""
    products = tuple(Product(id=f"pp-{n}", details={0: True, 20: False, 120: True}) for n in range(3))
    one = alert("StackSetMonitorDetailsFailed", **JOB)
    assert_firing((Monitor(products),), {79: set(), 80: {one}, 119: {one}, 120: set()}, tmp_path)
