"""Upgrades and rollbacks: between values, from earlier charts, and those that Kubernetes does not allow."""

from itertools import pairwise
from pathlib import Path

import pytest

from tests.chart.chart import CASES
from tests.cluster.conftest import RELEASE, Namespace, options, prepare, workload
from tests.e2e.process import eventually

pytestmark = pytest.mark.timeout(180)
NAME = f"{RELEASE}-stackset-monitor"
EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.tgz"))
"""The packed chart of each release, and of a commit before the first one."""
WITHOUT_TEMPLATE = {"existing", "shards"}
"""The cases whose StatefulSet has no claim template."""


def uid(namespace: Namespace, kind: str, name: str) -> str:
    """Return the identity of an object, which a new object of its name does not have."""
    found: str = namespace.get(kind, name)["metadata"]["uid"]
    return found


def configuration(namespace: Namespace) -> str:
    """Return monitor.yaml as the pods see it."""
    text: str = namespace.get("configmap", NAME)["data"]["monitor.yaml"]
    return text


@pytest.mark.parametrize(("before", "after"), list(pairwise([*CASES, "defaults"])))
def test_upgrade_from_one_example_to_the_next(namespace: Namespace, before: str, after: str) -> None:
    """Each example can be upgraded to the next, if necessary with the command that the refusal names."""
    prepare(namespace, before)
    namespace.install(*options(before))
    prepare(namespace, after)
    # The StatefulSet of `everything` has another name, and `replicas` has none.
    if not {"everything", "replicas"} & {before, after} and (before in WITHOUT_TEMPLATE) != (after in WITHOUT_TEMPLATE):
        said = namespace.refusal(*options(after))
        namespace.kubectl(*said.partition("first run: kubectl ")[2].split())
    namespace.upgrade(*options(after))
    replicas = workload(namespace)["spec"]["replicas"]

    def ready() -> bool:
        """Return whether exactly the pods of the new values run."""
        pods = namespace.items("pod")
        return len(pods) == replicas and all(pod["status"].get("phase") == "Running" for pod in pods)

    assert eventually(ready)


@pytest.mark.parametrize("chart", EARLIER, ids=lambda path: path.stem)
def test_upgrade_from_an_earlier_chart_and_back(namespace: Namespace, chart: Path) -> None:
    """The state stays on its volume in an upgrade from an earlier chart, and in a rollback to it."""
    namespace.install(*options("defaults"), chart=chart)
    claim = uid(namespace, "persistentvolumeclaim", f"state-{NAME}-0")
    namespace.upgrade(*options("defaults"))
    assert uid(namespace, "persistentvolumeclaim", f"state-{NAME}-0") == claim
    namespace.rollback()
    assert uid(namespace, "persistentvolumeclaim", f"state-{NAME}-0") == claim


def test_only_some_keys_restart_the_pod(namespace: Namespace) -> None:
    """A changed interval reaches the running pod by its ConfigMap; a changed number of workers makes a new pod."""
    namespace.install(*options("defaults"))
    pod, claim = uid(namespace, "pod", f"{NAME}-0"), uid(namespace, "persistentvolumeclaim", f"state-{NAME}-0")
    namespace.upgrade(*options("defaults"), "--set=config.poll.interval=7m")
    assert uid(namespace, "pod", f"{NAME}-0") == pod
    assert 'interval: "7m"' in configuration(namespace)
    namespace.upgrade(*options("defaults"), "--set=config.poll.concurrency=4")
    assert uid(namespace, "pod", f"{NAME}-0") != pod
    assert uid(namespace, "persistentvolumeclaim", f"state-{NAME}-0") == claim


def test_rollback_restores_the_configuration(namespace: Namespace) -> None:
    """`helm rollback` brings the previous configuration back, and the pod with it."""
    namespace.install(*options("defaults"))
    before = configuration(namespace)
    namespace.upgrade(*options("defaults"), "--set=config.poll.concurrency=4", "--set=config.poll.interval=7m")
    assert configuration(namespace) != before
    namespace.rollback()
    assert configuration(namespace) == before


def test_failed_check_changes_nothing(namespace: Namespace) -> None:
    """With `preUpgradeCheck`, a configuration with problems ends the upgrade first, and the Job remains for its log."""
    checked = (*options("defaults"), "--set=preUpgradeCheck.enabled=true")
    namespace.install(*checked)
    before, pod = configuration(namespace), uid(namespace, "pod", f"{NAME}-0")
    problem = ("--set=extraEnv[0].name=SIMULATED_PROBLEM", "--set=config.poll.interval=7m")
    assert "pre-upgrade hooks failed" in namespace.refusal(*checked, *problem)
    assert configuration(namespace) == before
    assert uid(namespace, "pod", f"{NAME}-0") == pod
    assert namespace.get("job", f"{NAME}-check")["status"]["failed"] == 1
    namespace.upgrade(*checked, "--set=config.poll.interval=8m")
    assert 'interval: "8m"' in configuration(namespace)
    assert namespace.items("job") == []


def test_shards_get_and_keep_volumes(namespace: Namespace) -> None:
    """Each shard has a volume, and one that is removed leaves its volume behind."""
    namespace.install(*options("defaults"))
    namespace.upgrade(*options("defaults"), "--set=shards=3")
    names = [f"state-{NAME}-{ordinal}" for ordinal in range(3)]
    assert [one["metadata"]["name"] for one in namespace.items("persistentvolumeclaim")] == names
    namespace.upgrade(*options("defaults"), "--set=shards=1")
    assert eventually(lambda: len(namespace.items("pod")) == 1)
    assert [one["metadata"]["name"] for one in namespace.items("persistentvolumeclaim")] == names


def test_pod_that_is_evicted_returns_to_its_volume(namespace: Namespace) -> None:
    """The drain of a node evicts the pod; it starts again under its name, with the same claim."""
    namespace.install(*options("defaults"))
    pod, claim = uid(namespace, "pod", f"{NAME}-0"), uid(namespace, "persistentvolumeclaim", f"state-{NAME}-0")
    assert eventually(lambda: namespace.get("pdb", NAME)["status"].get("disruptionsAllowed") == 1)
    eviction = f'{{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {{"name": "{NAME}-0"}}}}'
    path = f"/api/v1/namespaces/{namespace.name}/pods/{NAME}-0/eviction"
    namespace.cluster.kubectl("create", f"--raw={path}", "--filename=-", stdin=eviction)

    def replaced() -> bool:
        pods = [one for one in namespace.items("pod") if one["metadata"]["uid"] != pod]
        return [one["status"].get("phase") for one in pods] == ["Running"]

    assert eventually(replaced)
    assert uid(namespace, "persistentvolumeclaim", f"state-{NAME}-0") == claim
