"""The daemon in its container: read-only, without capabilities, as user 65532."""

import time
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.e2e.process import eventually
from tests.image.conftest import REVISION, ROOT, Built
from tests.image.container import DaemonContainer
from tests.image.podman import HARDENED
from tests.making import EU, ONE, TWO, US

pytestmark = [pytest.mark.needs("mmdebstrap", "podman", "runc"), pytest.mark.timeout(400)]
PRODUCT = "pp-aaaaaaaaaaaaa"
STATUS = "servicecatalog_stack_instance_status"
# Without `state`, to test that the default relative path is in the volume.
CONFIGURATION = """
poll: {interval: 1s, timeout: 1s}
products: [{id: pp-aaaaaaaaaaaaa, name: baseline}]
sources: [{name: hub, region: eu-west-1, calls_per_second: 1000}]
web: {listen: "127.0.0.1:0"}
"""


def test_start_stop_and_restart(built: Built, aws: Aws, configuration: Path) -> None:
    """The daemon polls and becomes ready, stops cleanly, and exports its stored snapshot after a restart."""
    (configuration / "monitor.yaml").write_text(CONFIGURATION)
    aws.stack_sets.add_product(PRODUCT, "baseline")
    aws.stack_sets.set(PRODUCT, ONE, EU, "INOPERABLE")
    aws.stack_sets.set(PRODUCT, TWO, US, "CURRENT")
    inoperable = {(EU, "CURRENT"): 0, (EU, "OUTDATED"): 0, (EU, "INOPERABLE"): 1}

    begin = time.monotonic()
    with DaemonContainer(built, configuration) as daemon:
        assert daemon.get("/livez") == (200, b"ok\n")
        print(f"/livez after {time.monotonic() - begin:.2f} s")
        assert eventually(lambda: daemon.get("/readyz")[0] == 200)
        daemon.wait_for_event("provisioned_product.baseline")
        assert daemon.samples(STATUS, account=ONE) == inoperable
        (build,) = (sample.labels for sample in daemon.scrape() if sample.name == "stackset_monitor_build_info")
        assert build["revision"] == REVISION

        aws.stack_sets.set(PRODUCT, TWO, US, "OUTDATED")
        daemon.wait_for_event("stack_instance.transition", account=TWO, status="OUTDATED")
        history = daemon.inside("stackset-monitor", "history", "--config", "/etc/stackset-monitor/monitor.yaml")
        assert TWO in history
        processes = [line.split() for line in daemon.inside("cat", "/proc/1/status").splitlines()]
        status = {line[0]: line[1:] for line in processes if line}
        assert (set(status["Uid:"]), set(status["Gid:"])) == ({"65532"}, {"65532"})
        assert int(status["CapBnd:"][0], 16) == int(status["CapEff:"][0], 16) == 0
        assert status["NoNewPrivs:"] == ["1"]
        assert daemon.stop_as_docker_does() == 0
        assert daemon.entries[-1]["event"] == "monitor.stopped"
        assert daemon.stderr() == ""

    aws.stack_sets.throttled = True
    with DaemonContainer(built, configuration) as daemon:
        assert daemon.samples(STATUS, account=ONE) == inoperable
        assert daemon.samples(STATUS, account=TWO)[US, "OUTDATED"] == 1
        assert daemon.get("/readyz") == (200, b"ok\n")
        assert daemon.stop_as_docker_does() == 0


def test_documented_options_are_tested() -> None:
    """docs/install.md has the options that these tests use."""
    assert " ".join(HARDENED) in (ROOT / "docs" / "install.md").read_text()
