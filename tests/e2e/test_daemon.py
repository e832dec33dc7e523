"""The daemon as a process: boto3 over HTTP to a simulated AWS, scrapes and signals."""

import gzip
import json
import signal
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from tests.conftest import Aws
from tests.e2e.process import DaemonProcess, eventually
from tests.e2e.prometheus import prometheus
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


def test_paths_and_formats(fleet: Aws, config: Path) -> None:
    """Both formats, gzip, the probes and the home page; other paths are a 404 and other methods a 405."""
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("poll.completed")
        status, openmetrics = daemon.get(
            "/metrics", **{"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
        )
        assert status == 200
        assert any(family.name == STATUS for family in parse_openmetrics(gzip.decompress(openmetrics).decode()))  # type: ignore[no-untyped-call]
        assert daemon.get("/livez") == (200, b"ok\n")
        assert daemon.get("/readyz") == (200, b"ok\n")
        status, page = daemon.get("/")
        assert (status, b'href="/metrics"' in page) == (200, True)
        assert daemon.get("/nothing") == (404, b"Not Found")
        request = urllib.request.Request(daemon.url + "/metrics", method="POST")
        with pytest.raises(urllib.error.HTTPError, match="405"):
            urllib.request.urlopen(request, timeout=5)


def test_a_missing_product_does_not_prevent_readiness(aws: Aws, config: Path) -> None:
    """A failed first poll is enough to be ready; the daemon serves what it has."""
    with DaemonProcess(config) as daemon:
        missing = daemon.wait_for_event("provisioned_product.missing")
        assert missing["message"] == f"Provisioned product {PRODUCT} not found."
        assert eventually(lambda: daemon.get("/readyz")[0] == 200)
        assert daemon.samples("servicecatalog_up") == {(): 0}
        assert daemon.samples(STATUS) == {}
        assert daemon.samples("servicecatalog_poll_failures_total", reason="not_found")[()] >= 1


def test_the_daemon_is_alive_and_not_ready_before_the_first_poll(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While AWS accepts connections and sends nothing, /metrics responds and /readyz is a 503."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
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


def test_history_of_a_running_daemon(fleet: Aws, config: Path) -> None:
    """`history` reads the state of a running daemon."""
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("provisioned_product.baseline")
        fleet.stack_sets.set(PRODUCT, ONE, EU, "OUTDATED")
        told = daemon.wait_for_event("stack_instance.transition")
        command = [sys.executable, "-m", "monitor", "history", "--config", str(config), "--output", "json"]
        history = subprocess.run(command, capture_output=True, text=True, check=True)
        (row,) = json.loads(history.stdout)
        assert row == {key: told[key] for key in row}


@pytest.mark.needs("prometheus")
def test_prometheus_finds_an_outdated_instance(fleet: Aws, config: Path, tmp_path: Path) -> None:
    """With `honor_labels`, a query returns the account and Region of the instance."""
    fleet.stack_sets.set(PRODUCT, TWO, US, "OUTDATED")
    with DaemonProcess(config) as daemon:
        daemon.wait_for_event("poll.completed")
        target = daemon.url.removeprefix("http://")
        with prometheus(target, tmp_path) as server:
            outdated = f'{STATUS}{{status="OUTDATED"}} == 1'
            assert eventually(lambda: bool(server.query(outdated)))
            (found,) = server.query(outdated)
            assert found["metric"] == {
                "__name__": STATUS,
                "account": TWO,
                "region": US,
                "status": "OUTDATED",
                "provisioned_product_id": PRODUCT,
                "provisioned_product_name": "baseline",
                "instance": target,
                "job": "stackset-monitor",
            }
            assert server.value(f"count({STATUS})") == 3 * 42
