"""The daemon in its container: read-only, without capabilities, as its user, from start to stop to start."""

import time
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.e2e.process import WAIT, DaemonProcess, eventually
from tests.image.conftest import REVISION, ROOT, Built
from tests.image.podman import HARDENED
from tests.making import EU, ONE, TWO, US

pytestmark = [pytest.mark.needs("mmdebstrap", "podman", "runc"), pytest.mark.timeout(400)]
PRODUCT = "pp-aaaaaaaaaaaaa"
STATUS = "servicecatalog_stack_instance_status"
# Without `state`: the default is a relative path, which has to be in the volume.
CONFIGURATION = """
poll: {interval: 1s, timeout: 1s}
products: [{id: pp-aaaaaaaaaaaaa, name: baseline}]
sources: [{name: hub, region: eu-west-1, calls_per_second: 1000}]
web: {listen: "127.0.0.1:0"}
"""


class DaemonContainer(DaemonProcess):
    """One run of the image as it is, without arguments."""

    def __init__(self, built: Built, configuration: Path) -> None:
        """Start it with a volume for its state, which podman makes on the first run."""
        self._podman = built.podman
        volumes = (f"{configuration}:/etc/stackset-monitor:ro", "state:/var/lib/stackset-monitor")
        names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        options = (*(f"--volume={each}" for each in volumes), *(f"--env={name}" for name in names))
        self._start(self._podman.run("--name=monitor", "--env=PYTHONWARNINGS=error", *options, built.name))

    def close(self) -> list[dict[str, object]]:
        """Remove the container if it still runs: it does not end with podman."""
        self._podman("rm", "--force", "--ignore", "--time=0", "monitor")
        return super().close()

    def inside(self, *command: str) -> str:
        """Run a command beside the daemon, and return what it prints."""
        return self._podman("exec", "monitor", *command)

    def stop_as_docker_does(self) -> int:
        """Ask podman to stop the container, which kills it after ten seconds; return the daemon's exit code."""
        self._podman("stop", "--time=10", "monitor")
        code = self._process.wait(WAIT)
        self._reader.join(WAIT)
        return code


def test_a_start_a_stop_and_a_start(built: Built, aws: Aws, configuration: Path) -> None:
    """It polls and is ready, stops when it is told to, and shows what it knew before AWS has said anything again."""
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


def test_the_document_says_how_it_was_run() -> None:
    """docs/install.md has the options that this was tried with."""
    assert " ".join(HARDENED) in (ROOT / "docs" / "install.md").read_text()
