"""One control plane for all tests, and a namespace for each."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.chart.chart import CASES, CHART
from tests.cluster.control_plane import PROGRAMS, ControlPlane, Object, control_plane, storage_class
from tests.support import missing

RELEASE = "demo"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
# With --wait, Helm 4 watches the objects and cancels the watch when they are ready. client-go logs this line if it was
# reading a response at that moment (Helm 4.3.1, once in several runs). It is no warning of the API server.
_CANCELED_WATCH = re.compile(
    r'^E\d{4} [\d:.]+ +\d+ request\.go:\d+\] "Unexpected error when reading response body" err="context canceled"\n',
    re.MULTILINE,
)
_numbers = count()


@dataclass
class Namespace:
    """A namespace that enforces the Pod Security Standard restricted, with one release of the chart."""

    cluster: ControlPlane
    name: str
    case: str = "defaults"
    program: str = "helm"

    def helm(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Helm for the release."""
        done = self.cluster.run(self.program, *command.split(), RELEASE, *arguments, f"--namespace={self.name}")
        done.stderr = _CANCELED_WATCH.sub("", done.stderr)
        return done

    def install(self, *options: str, chart: Path = CHART) -> None:
        """Install the chart, and wait until its pods are ready.

        Raises:
            AssertionError: Helm failed, or printed a warning of the API server.
        """
        self._change("install", *options, chart=chart)

    def upgrade(self, *options: str, chart: Path = CHART) -> None:
        """Upgrade the release to other values or another chart, as `install` does."""
        self._change("upgrade", *options, chart=chart)

    def rollback(self) -> None:
        """Return to the values and the chart of the revision before."""
        done = self.helm("rollback", "--wait", "--timeout=60s")
        assert (done.returncode, done.stderr) == (0, "")

    def refusal(self, *options: str) -> str:
        """Upgrade with values that are refused, and return the message."""
        done = self.helm("upgrade", str(CHART), *options, "--wait", "--timeout=30s")
        assert done.returncode == 1, done.stdout
        return done.stderr

    def get(self, *arguments: str) -> Object:
        """Return an object of the namespace."""
        return self.cluster.get(*arguments, f"--namespace={self.name}")

    def items(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return self.cluster.items(kind, f"--namespace={self.name}")

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl(*arguments, f"--namespace={self.name}", stdin=stdin)

    def _change(self, command: str, *options: str, chart: Path) -> None:
        done = self.helm(command, str(chart), *options, "--wait", "--timeout=60s")
        assert done.returncode == 0, done.stderr + self.cluster.kubectl("get", "events", f"--namespace={self.name}")
        assert done.stderr == "", "the API server warns"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Run the control plane."""
    if not (PROGRAMS / "kube-apiserver").exists():
        missing("kube-apiserver", ": run make cluster, which needs Go")
    with control_plane(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def namespace(cluster: ControlPlane) -> Iterator[Namespace]:
    """Create a namespace, and delete it after the test with everything in it."""
    yield from new_namespace(cluster)


@pytest.fixture(scope="module", params=CASES)
def installed(cluster: ControlPlane, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """Install the chart with the values of each case, for tests that leave the release as it is."""
    for created in new_namespace(cluster):
        created.case = request.param
        prepare(created, request.param)
        created.install(*options(request.param))
        yield created


def new_namespace(cluster: ControlPlane) -> Iterator[Namespace]:
    """Create a namespace that enforces the standard, yield it, and delete it."""
    name = f"tests-{next(_numbers)}"
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    yield Namespace(cluster, name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def workload(namespace: Namespace) -> Object:
    """Return the StatefulSet of a release, or the Deployment of replicas that share a table."""
    (found,) = [*namespace.items("statefulset"), *namespace.items("deployment")]
    return found


def options(case: str) -> list[str]:
    """Return the options of Helm for a case of the tests of the chart. Each case needs an image and a product."""
    path = CASES[case]
    given = ["--set=image.repository=registry.example.com/stackset-monitor"]
    if path is not None:
        given += [f"--values={path}"]
    if case != "existing":
        given += ["--set=config.products={pp-aaaaaaaaaaaaa}"]
    return given


def prepare(namespace: Namespace, case: str) -> None:
    """Create what an administrator has created before the values of a case are used."""
    if case == "everything":
        namespace.cluster.create(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "grafana"}},
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": "platform"},
                "value": 1,
            },
            {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": "gvisor"},
                "handler": "runsc",
            },
            storage_class("gp3"),
        )
    if case == "existing":
        claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        metadata = {"name": "stackset-monitor", "namespace": namespace.name}
        namespace.cluster.create(
            {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": claim}
        )
