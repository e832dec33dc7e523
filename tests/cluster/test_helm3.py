"""The chart with Helm 3, which applies manifests in another way than Helm 4."""

import pytest

from tests.chart.chart import CHART
from tests.cluster.conftest import RELEASE, Namespace, options
from tests.cluster.test_install import versions

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def release(namespace: Namespace) -> Namespace:
    """Install the chart with Helm 3."""
    namespace.program = "helm3"
    namespace.install(*options("discover"))
    return namespace


def test_second_upgrade_changes_nothing(release: Namespace) -> None:
    """An upgrade with the same values writes nothing."""
    before = versions(release)
    release.upgrade(*options("discover"))
    assert versions(release) == before


def test_upgrade_rollback_and_uninstall(release: Namespace) -> None:
    """Helm 3 upgrades, rolls back and uninstalls the release."""
    release.upgrade(*options("openshift"))
    release.rollback()
    assert release.helm("uninstall", "--wait").returncode == 0
    assert release.items("statefulset,service,servicemonitor,prometheusrule,networkpolicy") == []


def test_immutable_values_are_refused(release: Namespace) -> None:
    """Helm 3 finds the StatefulSet in the cluster, too."""
    assert f'"1Gi" in the StatefulSet {RELEASE}-stackset-monitor' in release.refusal(
        *options("discover"), "--set=persistence.size=2Gi"
    )


def test_helm_4_takes_over_the_release(release: Namespace) -> None:
    """A release of Helm 3 can be upgraded with Helm 4, and its pod goes on."""
    (pod,) = release.items("pod")
    release.program = "helm"
    release.upgrade(*options("discover"))
    assert [one["metadata"]["uid"] for one in release.items("pod")] == [pod["metadata"]["uid"]]
    dry = release.helm("upgrade", str(CHART), *options("openshift"), "--dry-run=server")
    assert (dry.returncode, dry.stderr) == (0, "")
