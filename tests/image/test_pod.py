"""The pod of the chart with the image: podman mounts and starts what a kubelet would."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.chart.chart import manifest
from tests.conftest import Aws
from tests.e2e.process import eventually
from tests.image.conftest import Built
from tests.image.container import DaemonContainer, mounts
from tests.making import EU, ONE

pytestmark = [pytest.mark.needs("mmdebstrap", "podman", "runc"), pytest.mark.timeout(400)]
PRODUCT = "pp-aaaaaaaaaaaaa"
VALUES: dict[str, Any] = {
    "config": {
        "poll": {"interval": "1s", "timeout": "1s"},
        "sources": [{"name": "hub", "region": "eu-west-1", "calls_per_second": 1000}],
        "products": [PRODUCT],
    }
}


def test_pod_runs_with_the_image(built: Built, aws: Aws, configuration: Path) -> None:
    """Init container, user, arguments, file modes, probes and the pod of `helm test` work with the image."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    aws.stack_sets.set(PRODUCT, ONE, EU, "CURRENT")
    pod = manifest(VALUES, "StatefulSet")["spec"]["template"]["spec"]
    check, monitor = pod["initContainers"][0], pod["containers"][0]
    whole = pod["securityContext"]
    mode = next(one for one in pod["volumes"] if one["name"] == "configuration")["projected"]["defaultMode"]
    for name, text in manifest(VALUES, "ConfigMap")["data"].items():
        (configuration / name).write_text(text)
        os.chown(configuration / name, 0, whole["fsGroup"])
        (configuration / name).chmod(mode)
    assert [one["mountPath"] for one in monitor["volumeMounts"]] == [
        "/etc/stackset-monitor",
        "/var/lib/stackset-monitor",
    ]
    user = f"--user={whole['runAsUser']}:{whole['runAsGroup']}"

    printed = built.podman.run_to_end(user, *mounts(configuration), built.name, *check["args"])
    assert printed[0] == 0, printed
    # The network is this machine's, and its ports may be taken.
    arguments = (*monitor["args"], "--listen", "127.0.0.1:0")
    with DaemonContainer(built, configuration, *arguments, options=(user,)) as daemon:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = monitor[probe]["httpGet"]["path"]
            assert eventually(lambda path=path: daemon.get(path)[0] == 200)  # type: ignore[misc]
        assert daemon.samples("servicecatalog_up") == {(): 1}
        test = manifest(VALUES, "Pod")["spec"]["containers"][0]
        program, flag = test["command"]
        script, url = test["args"]
        assert url.startswith("http://demo-stackset-monitor-0.demo-stackset-monitor.aws.svc:")
        asked = built.podman.run_to_end(user, f"--entrypoint={program}", built.name, flag, script, daemon.url)
        assert asked == (0, f"{daemon.url} is ready\n{PRODUCT} 'baseline': 1 CURRENT\n", "")
        assert daemon.stop_as_docker_does() == 0


def test_init_container_fails_without_products(built: Built, configuration: Path) -> None:
    """With the default values of the chart, the init container fails."""
    pod = manifest({}, "StatefulSet")["spec"]["template"]["spec"]
    (configuration / "monitor.yaml").write_text(manifest({}, "ConfigMap")["data"]["monitor.yaml"])
    code, _, printed = built.podman.run_to_end(*mounts(configuration), built.name, *pod["initContainers"][0]["args"])
    assert code == 2
    assert "products" in printed
