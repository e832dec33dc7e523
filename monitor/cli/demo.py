"""`stackset-monitor demo`."""

import json
import os
import tempfile
import threading
from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES, CommandError
from monitor.cli.options import checked
from monitor.cli.run import run_daemon
from monitor.config.field_types import checked_address
from monitor.config.load import parse_settings
from monitor.daemon.signals import Signals

NETWORK = "210987654321"
"""The second account, whose products are discovered."""


@click.command(epilog=EXIT_CODES)
@click.option(
    "--listen",
    callback=checked(checked_address),
    default="127.0.0.1:9935",
    show_default=True,
    metavar="HOST:PORT",
    help="Listen here.",
)
@click.pass_obj
def demo(signals: Signals | None, listen: str) -> None:
    """Run the daemon against a simulated AWS on this machine: no account, no credentials.

    Rollouts proceed, fail and recover every few seconds. Nothing is kept.
    """
    stop = (signals or Signals()).stop
    try:
        from monitor.simulation.aws import ENVIRONMENT, SimulatedAws, stack_sets
        from monitor.simulation.scenario import HUB_PRODUCTS, TAGS, Scenario
        from monitor.simulation.stack_sets import REGION
    except ImportError as error:
        message = f"the demo needs more packages: install stackset-monitor[demo] ({error})"
        raise CommandError(message) from error

    aws = SimulatedAws()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # a profile or an endpoint of the real AWS must not be used
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=aws.start())
    scenario = Scenario(stack_sets(), stack_sets(NETWORK))

    def change() -> None:
        number = 0
        while not stop.wait(1.0):
            scenario.step(number)
            number += 1

    threading.Thread(target=change, name="scenario", daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="stackset-monitor-demo-") as folder:
        configuration = {
            "poll": {"interval": "5s", "timeout": "4s"},
            "sources": [
                {"name": "hub", "region": REGION, "calls_per_second": 100},
                {
                    "name": "network",
                    "region": REGION,
                    "role_arn": f"arn:aws:iam::{NETWORK}:role/stackset-monitor",
                    "calls_per_second": 100,
                    "discover": {"tags": TAGS, "interval": "10s"},
                },
            ],
            "products": [{"id": product_id, "source": "hub"} for product_id in HUB_PRODUCTS],
            "state": {"path": f"{folder}/monitor.db"},
            "web": {"listen": listen},
            "log": {"format": "console"},
        }
        settings = parse_settings(json.dumps(configuration).encode(), Path("demo"))
        run_daemon(settings, stop, _print_address)


def _print_address(address: str) -> None:
    click.echo(f"Metrics: http://{address}/metrics (the simulated stack instances change every second)")
    click.echo("The events follow, one per line. Stop with Ctrl-C.")
