"""The daemon as a process: boto3 over HTTP to a simulated AWS, scrapes and signals."""

import signal
import socket
from pathlib import Path

import pytest

from tests.conftest import Aws
from tests.e2e.process import DaemonProcess
from tests.making import EU, ONE, TWO, US

PRODUCT = "pp-aaaaaaaaaaaaa"
STATUS = "servicecatalog_stack_instance_status"


@pytest.fixture
def fleet(aws: Aws) -> Aws:
    """Fill the simulated AWS: three pages of stack instances, all CURRENT."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for number in range(20):
        for region in (EU, US):
            aws.stack_sets.set(PRODUCT, f"{number:012}", region, "CURRENT")
    aws.stack_sets.set(PRODUCT, ONE, EU, "CURRENT")
    return aws


def test_poll_change_stop_and_restart(fleet: Aws, config: Path) -> None:
    """Statuses are on /metrics and changes are events; a change during a downtime is logged after the restart."""
    with DaemonProcess(config) as daemon:
        baseline = daemon.wait_for_event("provisioned_product.baseline")
        assert baseline["counts"] == {"CURRENT": 41, "OUTDATED": 0, "INOPERABLE": 0}
        assert daemon.samples(STATUS, account=ONE) == {(EU, "CURRENT"): 1, (EU, "OUTDATED"): 0, (EU, "INOPERABLE"): 0}
        daemon.wait_for_events(2, "poll.completed", pages=3, instances=41, transitions=0)

        fleet.stack_sets.set(PRODUCT, ONE, EU, "INOPERABLE")
        told = daemon.wait_for_event("stack_instance.transition")
        assert (told["account"], told["region"]) == (ONE, EU)
        assert (told["previous_status"], told["status"], told["level"]) == ("CURRENT", "INOPERABLE", "error")
        assert daemon.samples(STATUS, account=ONE) == {(EU, "CURRENT"): 0, (EU, "OUTDATED"): 0, (EU, "INOPERABLE"): 1}
        assert daemon.samples("servicecatalog_stack_instances") == {
            ("CURRENT",): 40,
            ("OUTDATED",): 0,
            ("INOPERABLE",): 1,
        }
        assert daemon.samples("servicecatalog_stack_instance_transitions_total", to="INOPERABLE")["CURRENT",] == 1
        assert daemon.stop() == 0
        assert daemon.entries[-1]["event"] == "monitor.stopped"
        assert daemon.stderr() == ""

    fleet.stack_sets.set(PRODUCT, ONE, EU, "CURRENT")
    fleet.stack_sets.set(PRODUCT, TWO, US, "OUTDATED")
    fleet.stack_sets.throttled = True
    with DaemonProcess(config) as daemon:
        # Before any complete poll: exactly what was there before the stop.
        assert daemon.samples(STATUS, account=ONE) == {(EU, "CURRENT"): 0, (EU, "OUTDATED"): 0, (EU, "INOPERABLE"): 1}
        assert daemon.get("/readyz") == (200, b"ok\n")
        fleet.stack_sets.throttled = False
        daemon.wait_for_event("poll.completed", transitions=2)
        transitions = daemon.wait_for_events(2, "stack_instance.transition")
        assert [(t["account"], t["previous_status"], t["status"]) for t in transitions] == [
            (ONE, "INOPERABLE", "CURRENT"),
            (TWO, None, "OUTDATED"),
        ]
        assert transitions[0]["previous_since"] == told["observed_at"]
        assert daemon.stop() == 0
        assert not [entry for entry in daemon.entries if entry["event"] == "provisioned_product.baseline"]


def test_the_daemon_is_alive_and_not_ready_before_the_first_poll(silent: socket.socket, config: Path) -> None:
    """While AWS accepts connections and sends nothing, /metrics responds and /readyz is a 503."""
    config.write_text(config.read_text().replace("300ms", "50m"))
    with DaemonProcess(config) as daemon:
        assert daemon.get("/livez") == (200, b"ok\n")
        assert daemon.get("/readyz") == (503, b"some products have not been polled yet\n")
        assert daemon.get("/metrics")[0] == 200
        assert daemon.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_sigint_stop_the_daemon(fleet: Aws, config: Path, number: int) -> None:
    """SIGTERM and SIGINT end it with exit code 0."""
    with DaemonProcess(config) as daemon:
        assert daemon.stop(number) == 0
        assert daemon.stderr() == ""
