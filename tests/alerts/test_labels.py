"""Clusters, namespaces, releases, replicas of Prometheus, and products with equal or changed names."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.alerts.scenario import Alert, Monitor, Product, alert, assert_firing

pytestmark = pytest.mark.needs("promtool")

JOB = {"job": "stackset-monitor"}
P = JOB | {"provisioned_product_id": "pp-aaaaaaaaaaaaa", "provisioned_product_name": "baseline"}
ONE, EU = "111122223333", "eu-west-1"
A = {"cluster": "a", "namespace": "monitoring"}
B = {"cluster": "b", "namespace": "monitoring"}
OTHER_NAMESPACE = {"cluster": "a", "namespace": "team"}
UNHEALTHY = Product(
    status={0: "TAINTED"},
    counts={0: {"CURRENT": 20, "INOPERABLE": 1, "OUTDATED": 1}},
    instances={(ONE, EU, "INOPERABLE"): {0: 0}, (ONE, "us-east-1", "OUTDATED"): {0: 0}},
)


def unhealthy(**labels: str) -> set[Alert]:
    """Return the alerts of the unhealthy product."""
    return {
        alert("StackInstanceInoperable", **P, **labels, account=ONE, region=EU, status="INOPERABLE"),
        alert("StackInstanceOutdated", **P, **labels, account=ONE, region="us-east-1", status="OUTDATED"),
        alert("ProvisionedProductFailed", **P, **labels, status="TAINTED"),
    }


@pytest.mark.parametrize("other", [B, OTHER_NAMESPACE])
def test_releases_do_not_hide_each_other(other: Mapping[str, str], tmp_path: Path) -> None:
    """Two releases of one name, with equal products and pod addresses: each has its alerts, also while one is down."""
    first = Monitor((UNHEALTHY,), labels=A)
    second = Monitor((UNHEALTHY,), labels=other, instance={0: "10.0.0.1:9935", 60: None, 200: "10.0.0.1:9935"})
    both = unhealthy(**A) | unhealthy(**other)
    down = alert("StackSetMonitorDown", **JOB, **other)
    expected = {45: both, 62: both, 70: {*both, down}, 150: {*unhealthy(**A), down}, 240: both}
    assert_firing((first, second), expected, tmp_path)


@pytest.mark.parametrize("other", [B, OTHER_NAMESPACE])
def test_missing_shard_is_not_hidden_by_another_release(other: Mapping[str, str], tmp_path: Path) -> None:
    """A release lost one of two shards; another release has two shards."""
    shards = [
        Monitor((), labels=labels, shard=shard, shards=2, instance={0: f"10.0.0.{shard}:9935"}, target=False)
        for labels in (A, other)
        for shard in range(2)
    ]
    shards[3] = Monitor((), labels=other, shard=1, shards=2, instance={0: "10.0.0.1:9935", 30: None}, target=False)
    down = alert("StackSetMonitorDown", **JOB, **other)
    assert_firing(tuple(shards), {29: set(), 34: set(), 35: {down}, 100: {down}}, tmp_path)


def test_shard_of_a_removed_release_fires_with_its_labels(tmp_path: Path) -> None:
    """The only monitor of a cluster is gone with its target, while another cluster has one."""
    gone = Monitor(labels=B, instance={0: "10.0.0.1:9935", 30: None}, target=False)
    down = alert("StackSetMonitorDown", **JOB, **B)
    assert_firing((Monitor(labels=A), gone), {34: set(), 35: {down}, 90: {down}}, tmp_path)


def test_alerts_of_a_source_have_the_labels_of_their_release(tmp_path: Path) -> None:
    """Sources of one name in two clusters: the discovery of one fails from the start."""
    works = Monitor((), labels=A, discovery={0: True})
    fails = Monitor((), labels=B, discovery={0: False}, errors=lambda minute: 3 * minute)
    expected = {
        alert("StackSetMonitorDataStale", **JOB, **B, source="hub"),
        alert("StackSetMonitorThrottled", **JOB, **B, source="hub"),
    }
    assert_firing(
        (works, fails), {35: {alert("StackSetMonitorThrottled", **JOB, **B, source="hub")}, 45: expected}, tmp_path
    )


def test_replicas_of_prometheus_add_no_alert(tmp_path: Path) -> None:
    """A ruler that sees the series of two replicas of Prometheus fires each alert once, without the replica label."""
    replicas = tuple(
        Monitor((UNHEALTHY,), labels={"prometheus_replica": name}, discovery={0: False}) for name in ("0", "1")
    )
    stale = alert("StackSetMonitorDataStale", **JOB, source="hub")
    assert_firing(replicas, {31: unhealthy(), 45: {*unhealthy(), stale}}, tmp_path)


def test_products_with_one_name_have_their_own_alerts(tmp_path: Path) -> None:
    """Two products of one name: one recovers, one is removed, and the alerts of the other stay."""
    first = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0, 60: None}})
    second = Product(id="pp-bbbbbbbbbbbbb", instances={(ONE, EU, "INOPERABLE"): {0: 0}}, present={0: True, 80: False})
    labels = {"account": ONE, "region": EU, "status": "INOPERABLE"}
    one = alert("StackInstanceInoperable", **P, **labels)
    other = alert("StackInstanceInoperable", **(P | {"provisioned_product_id": "pp-bbbbbbbbbbbbb"}), **labels)
    assert_firing((Monitor((first, second)),), {59: {one, other}, 60: {other}, 79: {other}, 80: set()}, tmp_path)


def test_renamed_product_fires_with_its_new_name(tmp_path: Path) -> None:
    """The alerts with the old name resolve at once, and those with the new name fire after their `for`."""
    renamed = Product(instances={(ONE, EU, "INOPERABLE"): {0: 0}}, names={60: "guardrails"})
    labels = {"account": ONE, "region": EU, "status": "INOPERABLE"}
    old = alert("StackInstanceInoperable", **P, **labels)
    new = alert("StackInstanceInoperable", **(P | {"provisioned_product_name": "guardrails"}), **labels)
    assert_firing((Monitor((renamed,)),), {59: {old}, 60: set(), 64: set(), 65: {new}, 130: {new}}, tmp_path)


def test_rename_leaves_no_alert_with_the_old_name(tmp_path: Path) -> None:
    """A product that waits for its first poll, one that fails and one under change: the old names end."""
    waiting = Product(id="pp-1", first=10000, names={200: "new"}, present={0: False, 100: True})
    failing = Product(id="pp-2", failing={0: None, 31: "timeout"}, names={200: "new"})
    stuck = Product(id="pp-3", status={0: "UNDER_CHANGE"}, names={600: "new"})

    def named(name: str, product: str, title: str) -> Alert:
        return alert(name, **JOB, provisioned_product_id=product, provisioned_product_name=title)

    def alerts(title: str) -> set[Alert]:
        failed = {named(f"StackSetMonitor{name}", "pp-2", title) for name in ("DataStale", "PollErrors")}
        return {named("StackSetMonitorDataStale", "pp-1", title), *failed}

    change = named("ProvisionedProductChangeStuck", "pp-3", "baseline")
    expected = {190: alerts("baseline"), 230: alerts("new"), 590: {*alerts("new"), change}, 610: alerts("new")}
    assert_firing((Monitor((waiting, failing, stuck)),), expected, tmp_path)
