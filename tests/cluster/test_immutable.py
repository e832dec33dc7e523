"""What Kubernetes does not allow to change is refused before anything changes, with the value and what to do."""

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import RELEASE, Namespace, new_namespace, options
from tests.cluster.control_plane import ControlPlane
from tests.e2e.process import eventually

pytestmark = pytest.mark.timeout(180)
NAME = f"{RELEASE}-stackset-monitor"
RETENTION = ("--set=persistence.retentionPolicy.whenDeleted=Delete", "--set=persistence.annotations.a=b")


@pytest.fixture(scope="module")
def release(cluster: ControlPlane) -> Iterator[Namespace]:
    """Install a release that the tests do not change."""
    for created in new_namespace(cluster):
        created.install(*options("defaults"), *RETENTION)
        yield created


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("persistence.size=2Gi", 'persistence.size: "1Gi" in the StatefulSet {name}, and "2Gi" in the values.'),
        ("persistence.storageClassName=gp3", 'persistence.storageClassName: "" in the'),
        ("persistence.accessModes={ReadWriteOncePod}", 'persistence.accessModes: ["ReadWriteOnce"] in the'),
        ("persistence.annotations.a=c", 'persistence.annotations: {{"a":"b"}} in the'),
        ("persistence.enabled=false", "persistence.existingClaim: the StatefulSet {name} has a claim template."),
        ("persistence.existingClaim=mine", "persistence.existingClaim: the StatefulSet {name} has a claim template."),
        (f"nameOverride=other,fullnameOverride={NAME}", 'selects pods with the name "stackset-monitor"'),
    ],
)
def test_change_is_refused(release: Namespace, option: str, said: str) -> None:
    """The message has the key, both values, and the command; Helm has recorded no new revision."""
    message = release.refusal(*options("defaults"), *RETENTION, f"--set={option}")
    assert said.format(name=NAME) in message
    assert "immutable" not in message, "not a message of the API server"
    assert release.helm("history", "--output=yaml").stdout.count("revision:") == 1


@pytest.mark.parametrize("size", ["1024Mi", "1048576Ki", "1.0Gi", "1073741824"])
def test_same_size_in_another_unit(release: Namespace, size: str) -> None:
    """The API server compares quantities, not texts, and so does the chart."""
    dry = release.helm(
        "upgrade", "helm", *options("defaults"), *RETENTION, f"--set-string=persistence.size={size}", "--dry-run=server"
    )
    assert (dry.returncode, dry.stderr) == (0, "")


def test_advice_keeps_pods_and_volumes(namespace: Namespace) -> None:
    """After the command of the message, the upgrade works; claims stay, also with the retention policy Delete."""
    namespace.install(*options("defaults"), *RETENTION)
    pod = namespace.get("pod", f"{NAME}-0")["metadata"]["uid"]
    claim = namespace.get("persistentvolumeclaim", f"state-{NAME}-0")["metadata"]["uid"]
    larger = (*options("defaults"), *RETENTION, "--set=persistence.size=2Gi")
    advice = namespace.refusal(*larger).partition("first run: kubectl ")[2]
    namespace.kubectl(*advice.split())
    assert eventually(lambda: not namespace.items("statefulset"))
    namespace.upgrade(*larger)
    assert namespace.get("pod", f"{NAME}-0")["metadata"]["uid"] == pod
    assert namespace.get("persistentvolumeclaim", f"state-{NAME}-0")["metadata"]["uid"] == claim
