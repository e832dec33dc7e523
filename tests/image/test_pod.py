"""The chart's pod with the image in it: what a kubelet would mount and start, podman mounts and starts."""

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
        "web": {"listen": "127.0.0.1:0"},  # the network is this machine's, and its ports may be taken
    }
}


def test_the_pod_checks_starts_is_probed_and_tested(built: Built, aws: Aws, configuration: Path) -> None:
    """Files that only its group may read, its user, its arguments, its probes, and the pod of `helm test`."""
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

    said = built.podman.tell(user, *mounts(configuration), built.name, *check["args"])
    assert said[0] == 0, said
    with DaemonContainer(built, configuration, *monitor["args"], options=(user,)) as daemon:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = monitor[probe]["httpGet"]["path"]
            assert eventually(lambda path=path: daemon.get(path)[0] == 200)  # type: ignore[misc]
        assert daemon.samples("servicecatalog_up") == {(): 1}
        test = manifest(VALUES, "Pod")["spec"]["containers"][0]
        program, flag = test["command"]
        script, url = test["args"]
        assert url.startswith("http://demo-stackset-monitor-0.demo-stackset-monitor.aws.svc:")
        asked = built.podman.tell(user, f"--entrypoint={program}", built.name, flag, script, f"{daemon.url}/readyz")
        assert asked == (0, f"{daemon.url}/readyz 200\n", "")
        assert daemon.stop_as_docker_does() == 0


def test_a_pod_that_has_nothing_to_watch_says_so_and_stops(built: Built, configuration: Path) -> None:
    """The defaults of the chart, in its init container."""
    pod = manifest({}, "StatefulSet")["spec"]["template"]["spec"]
    (configuration / "monitor.yaml").write_text(manifest({}, "ConfigMap")["data"]["monitor.yaml"])
    code, _, said = built.podman.tell(*mounts(configuration), built.name, *pod["initContainers"][0]["args"])
    assert code == 2
    assert "products" in said
