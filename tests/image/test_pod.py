"""The pods that Kubernetes made from the chart, with the image: podman starts what a kubelet would."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.simulation.aws import ENVIRONMENT
from tests.chart.chart import manifest
from tests.cluster.conftest import RELEASE, Namespace
from tests.conftest import CANARIES, Aws
from tests.e2e.process import WAIT, eventually
from tests.image.conftest import Built
from tests.image.container import mounts
from tests.image.kubelet import Kubelet, PodContainer
from tests.making import EU, ONE
from tests.support import free_port

pytestmark = [pytest.mark.needs("mmdebstrap", "podman", "runc"), pytest.mark.timeout(400)]
PRODUCT = "pp-aaaaaaaaaaaaa"
REFERENCE = "registry.example.com/stackset-monitor:0.1.0"
"""The image as the pods name it."""


@pytest.fixture
def release(namespace: Namespace, aws: Aws, tmp_path: Path) -> Namespace:
    """Install the chart for a product of the simulated AWS, on a free port, and return its namespace."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    aws.stack_sets.set(PRODUCT, ONE, EU, "CURRENT")
    port = free_port()
    environment = {**ENVIRONMENT, **CANARIES, "AWS_ENDPOINT_URL": aws.url}
    values: dict[str, Any] = {
        "image": {"repository": REFERENCE.partition(":")[0]},
        "config": {
            "poll": {"interval": "1s", "timeout": "1s"},
            "sources": [{"name": "hub", "region": "eu-west-1", "calls_per_second": 1000}],
            "products": [PRODUCT],
            "web": {"listen": f":{port}"},
        },
        "extraEnv": [{"name": name, "value": value} for name, value in environment.items()],
    }
    (tmp_path / "values.yaml").write_text(json.dumps(values))
    namespace.install(f"--values={tmp_path / 'values.yaml'}")
    return namespace


def test_pod_of_the_controller_runs(built: Built, release: Namespace, tmp_path: Path) -> None:
    """Init container, user, arguments, volumes, probes, `helm test` and stop work as the API server has the pod."""
    built.podman("tag", built.name, REFERENCE)
    (pod,) = release.items("pod")
    kubelet = Kubelet(built.podman, release, pod, tmp_path)
    checked = subprocess.run(kubelet.command("check"), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr

    with PodContainer(kubelet) as daemon:
        monitor = kubelet.container("stackset-monitor")
        port = monitor["ports"][0]["containerPort"]
        daemon.url = f"http://127.0.0.1:{port}"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked = monitor[probe]["httpGet"]
            assert (asked["port"], asked["scheme"]) == (monitor["ports"][0]["name"], "HTTP")
            assert eventually(lambda path=asked["path"]: daemon.get(path)[0] == 200)  # type: ignore[misc]
        assert daemon.samples("servicecatalog_up") == {(): 1}
        assert (tmp_path / "state" / "monitor.db").exists()

        tester = Kubelet(built.podman, release, _pod_of_helm_test(release), tmp_path)
        printed = subprocess.run(tester.command("products"), capture_output=True, text=True, check=False)
        address = f"http://{pod['metadata']['name']}.{RELEASE}-stackset-monitor.{release.name}.svc:{port}"
        assert printed.stdout == f"{address} is ready\n{PRODUCT} 'baseline': 1 CURRENT\n", printed.stderr
        assert printed.returncode == 0

        grace = pod["spec"]["terminationGracePeriodSeconds"]
        built.podman("stop", f"--time={grace}", "stackset-monitor")
        assert daemon.wait(WAIT) == 0


def _pod_of_helm_test(namespace: Namespace) -> dict[str, Any]:
    """Return the pod of `helm test` as the API server would have it."""
    (hook,) = yaml.safe_load_all(namespace.helm("get hooks").stdout)
    dry = ("create", "--dry-run=server", "--output=json", "--filename=-")
    found: dict[str, Any] = json.loads(namespace.kubectl(*dry, stdin=json.dumps(hook)))
    return found


def test_init_container_fails_without_products(built: Built, configuration: Path) -> None:
    """With the default values of the chart, the init container fails."""
    pod = manifest({}, "StatefulSet")["spec"]["template"]["spec"]
    (configuration / "monitor.yaml").write_text(manifest({}, "ConfigMap")["data"]["monitor.yaml"])
    code, _, printed = built.podman.run_to_end(*mounts(configuration), built.name, *pod["initContainers"][0]["args"])
    assert code == 2
    assert "products" in printed
