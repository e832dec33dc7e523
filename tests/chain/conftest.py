"""A simulated AWS, the monitor, Prometheus with the shipped rules, Alertmanager, and a webhook receiver."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.simulation.stack_sets import StackSets
from tests.chain.alertmanager import Alertmanager, alertmanager
from tests.chain.scale import group_interval, scaled, shipped_routes, shipped_rules
from tests.chain.webhook import Webhook, webhook
from tests.conftest import Aws
from tests.e2e.process import DaemonProcess, eventually
from tests.e2e.prometheus import Prometheus, prometheus
from tests.making import EU, US

PRODUCT = "pp-aaaaaaaaaaaaa"
INSTANCES = [(f"{number:012}", region) for number in range(20) for region in (EU, US)]
EVALUATION = 0.25
"""Seconds from one evaluation to the next."""
TARGET_LABELS = {"cluster": "one", "namespace": "monitoring", "account": "999999999999", "region": "us-gov-west-1"}
"""Labels of the target. `honor_labels` of the shipped configuration keeps account and Region of the instances."""
CONFIGURATION = """
poll: {{interval: 1s, timeout: 1s}}
sources: [{{name: hub, region: eu-west-1, calls_per_second: 1000, details: {details}}}]
products: [{{id: {product}, name: baseline}}]
state: {{path: {folder}/state/monitor.db}}
web: {{listen: "127.0.0.1:0"}}
"""


@dataclass(frozen=True)
class Chain:
    """The running programs. A test may kill the monitor and start another on the same state."""

    stack_sets: StackSets
    monitor: DaemonProcess
    prometheus: Prometheus
    alertmanager: Alertmanager
    webhook: Webhook
    config: Path

    def start(self, listen: str) -> DaemonProcess:
        """Start a monitor on the existing state."""
        return DaemonProcess(self.config, "--listen", listen)

    def eventually(self, expression: str) -> bool:
        """Wait until an expression has a result in Prometheus."""
        return eventually(lambda: bool(self.prometheus.query(expression)))

    def let_pass(self, duration: str) -> None:
        """Wait for as many evaluations as the scaled `for` lasts, and for the notification after it."""
        ticks = (scaled(duration) + group_interval()) / EVALUATION + 2  # the first and the last may be under way
        until = self.prometheus.evaluations() + ticks
        assert eventually(lambda: self.prometheus.evaluations() >= until, 3 * ticks * EVALUATION)


@pytest.fixture
def details() -> bool:
    """Return whether the monitor reads from CloudFormation why an instance is not CURRENT. A test can override it."""
    return False


@pytest.fixture
def chain(aws: Aws, tmp_path: Path, details: bool) -> Iterator[Chain]:
    """Run all programs with all instances CURRENT, until the rules were evaluated without an alert."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for account, region in INSTANCES:
        aws.stack_sets.set(PRODUCT, account, region, "CURRENT")
    config = tmp_path / "monitor.yaml"
    config.write_text(CONFIGURATION.format(product=PRODUCT, folder=tmp_path, details=str(details).lower()))
    every = f"{round(EVALUATION * 1000)}ms"
    with (
        webhook() as notified,
        alertmanager(shipped_routes(notified.address), tmp_path) as manager,
        DaemonProcess(config) as monitor,
        prometheus(
            address(monitor),
            tmp_path,
            interval=every,
            evaluation_interval=every,
            alertmanager=manager.address,
            target_labels=TARGET_LABELS,
        ) as server,
    ):
        running = Chain(aws.stack_sets, monitor, server, manager, notified, config)
        # Prometheus finds its targets five seconds after its start, which is longer than 5m are here: rules come later.
        assert running.eventually("servicecatalog_up == 1")
        server.load_rules(shipped_rules())
        assert eventually(lambda: server.alertmanagers() == 1 and server.evaluations() >= 2)
        yield running


def address(daemon: DaemonProcess) -> str:
    """Return the address of a monitor, which Prometheus uses as its label instance."""
    return daemon.url.removeprefix("http://")
