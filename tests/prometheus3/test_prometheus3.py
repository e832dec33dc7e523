"""The scrape of Prometheus 3: what it asks for, what it gets, and what it makes of it.

`make prometheus3` runs the tests of the alerts, the chain and the dashboard with the same programs.
"""

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue

import pytest

from tests.conftest import Aws
from tests.e2e.process import WAIT, DaemonProcess, eventually
from tests.e2e.prometheus import Prometheus, prometheus
from tests.making import EU
from tests.support import missing

FOLDER = Path(__file__).parent
PROGRAMS = FOLDER.parents[1] / "build" / "programs" / "prometheus3"
PRODUCT = "pp-aaaaaaaaaaaaa"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the programs that `make prometheus3` builds before those of the distribution."""
    if not (PROGRAMS / "prometheus").exists():
        missing("Prometheus 3", ": run make prometheus3, which needs Go")
    monkeypatch.setenv("PATH", str(PROGRAMS), prepend=os.pathsep)


@pytest.fixture
def daemon(aws: Aws, tmp_path: Path) -> Iterator[DaemonProcess]:
    """Run a monitor of a product with 200 instances, after its first poll."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for number in range(200):
        aws.stack_sets.set(PRODUCT, f"{number:012}", EU, "CURRENT" if number else "OUTDATED")
    config = tmp_path / "monitor.yaml"
    config.write_text(
        f"sources: [{{name: hub, region: eu-west-1, calls_per_second: 1000}}]\nproducts: [{PRODUCT}]\n"
        f"state: {{path: {tmp_path}/monitor.db}}\nweb: {{listen: '127.0.0.1:0'}}\n"
    )
    with DaemonProcess(config) as process:
        process.wait_for_event("poll.completed")
        yield process


@pytest.fixture
def server(daemon: DaemonProcess, tmp_path: Path) -> Iterator[Prometheus]:
    """Run a Prometheus 3 that has scraped the monitor."""
    with prometheus(daemon.url.removeprefix("http://"), tmp_path) as running:
        assert eventually(lambda: running.value("count(servicecatalog_stack_instance_status)") == 600)
        yield running


@pytest.mark.parametrize(
    ("program", "module", "path"),
    [
        ("prometheus", "prometheus", "github.com/prometheus/prometheus"),
        ("promtool", "prometheus", "github.com/prometheus/prometheus"),
        ("prometheus-alertmanager", "alertmanager", "github.com/prometheus/alertmanager"),
        ("amtool", "alertmanager", "github.com/prometheus/alertmanager"),
    ],
)
def test_programs_have_the_pinned_version(program: str, module: str, path: str) -> None:
    """The programs that these tests find have the version that go.mod requires."""
    found = re.search(rf"{path} v(\S+)", (FOLDER / module / "go.mod").read_text())
    assert found
    pinned = re.sub(r"^0\.3(\d\d)\.", lambda it: f"3.{int(it[1])}.", found[1])  # v0.316.0 of the module is 3.16.0
    printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert f"version {pinned} " in printed


def test_scrape_gets_compressed_openmetrics(daemon: DaemonProcess, tmp_path: Path) -> None:
    """The first choice of the Accept header of Prometheus 3 that the monitor has is OpenMetrics, compressed."""
    asked: Queue[dict[str, str]] = Queue()

    class Target(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.put(dict(self.headers))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer(("127.0.0.1", 0), Target) as target:
        threading.Thread(target=target.serve_forever, daemon=True).start()
        with prometheus(f"127.0.0.1:{target.server_port}", tmp_path):
            headers = asked.get(timeout=WAIT)
        target.shutdown()
    assert "escaping=allow-utf-8" in headers["Accept"], "the header of Prometheus 3"
    status, body = daemon.get("/metrics", Accept=headers["Accept"], **{"Accept-Encoding": headers["Accept-Encoding"]})
    assert status == 200
    assert body[:2] == b"\x1f\x8b", "gzip"


def test_scrape_has_no_error_and_no_lost_sample(daemon: DaemonProcess, server: Prometheus) -> None:
    """Prometheus stores each sample of the scrape: none is out of order, too old, or a duplicate."""
    assert server.value("up") == 1
    assert server.value("scrape_samples_scraped == scrape_samples_post_metric_relabeling") == len(daemon.scrape())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("servicecatalog_stack_instance_status", "gauge"),
        ("servicecatalog_stack_instance_transitions", "counter"),
        ("stackset_monitor_build_info", "gauge"),
    ],
)
def test_metadata_is_known(server: Prometheus, name: str, kind: str) -> None:
    """TYPE and HELP of each family arrive, also of counters, whose name in OpenMetrics has no suffix."""
    ((found,),) = server.metadata(name).values()
    assert found["type"] == kind
    assert found["help"].endswith(".")
