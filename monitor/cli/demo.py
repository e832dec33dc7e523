"""`stackset-monitor demo`."""

import os
import shlex
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import click

from monitor.cli.errors import EXIT_CODES, CommandError
from monitor.cli.options import checked
from monitor.cli.run import run_daemon
from monitor.config.field_types import checked_address
from monitor.config.load import load_settings
from monitor.daemon.signals import Signals
from monitor.web.listen import ListenError

NETWORK = "210987654321"
"""The second account, whose products are discovered."""
CONFIGURATION = """\
# The configuration of the demo: two accounts of the simulated AWS.
poll: {{interval: 5s, timeout: 4s}}
sources:
  - {{name: hub, region: {region}, calls_per_second: 100, details: true}}
  - name: network
    region: {region}
    role_arn: arn:aws:iam::{network}:role/stackset-monitor
    calls_per_second: 100
    discover: {{tags: {{team: network}}, interval: 10s}}
products:
  - {{id: pp-baseline00001, source: hub}}
  - {{id: pp-guardrails001, source: hub}}
accepted:
  - {{account: "123757575757", statuses: [OUTDATED], until: 2099-12-31, reason: the account is suspended}}
state: {{path: {folder}/monitor.db}}
web: {{listen: "{listen}"}}
"""
BEFORE = (
    "guardrails: a delete failed; 2 instances are INOPERABLE.",
    "network-hub: a rollout failed in 5 accounts; 20 instances are OUTDATED.",
)
"""What happened before the demo."""


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

    A rollout begins, fails in some accounts and recovers, and more happens, within ten minutes that repeat
    themselves. The terminal says what happens and where to look. Nothing is kept.
    """
    stop = (signals or Signals()).stop
    try:
        from monitor.simulation.aws import ENVIRONMENT, SimulatedAws, stack_sets
        from monitor.simulation.scenario import Scenario
        from monitor.simulation.stack_sets import REGION
    except ImportError as error:
        message = f"the demo needs more packages: install stackset-monitor[demo] ({error})"
        raise CommandError(message) from error

    aws = SimulatedAws()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # a profile or an endpoint of the real AWS must not be used
    environment = {**ENVIRONMENT, "AWS_ENDPOINT_URL": aws.start()}
    os.environ.update(environment)
    scenario = Scenario(stack_sets(), stack_sets(NETWORK))
    with tempfile.TemporaryDirectory(prefix="stackset-monitor-demo-") as name:
        folder = Path(name)
        configuration = folder / "monitor.yaml"
        configuration.write_text(
            CONFIGURATION.format(region=REGION, network=NETWORK, folder=folder, listen=listen), encoding="utf-8"
        )
        (folder / "env").write_text(_shell(environment, folder), encoding="utf-8")
        with (folder / "events.jsonl").open("wb") as events, ExitStack() as until_the_end:

            def begin(address: str) -> None:
                places = _places(address, folder, environment["AWS_ENDPOINT_URL"])
                say = until_the_end.enter_context(_screen(places))
                threading.Thread(target=_play, args=(scenario.step, stop, say), name="scenario", daemon=True).start()

            try:
                run_daemon(load_settings(configuration), stop, begin, log_to=events.fileno())
            except CommandError as error:
                if not isinstance(error.__cause__, ListenError):
                    raise
                message = f"{error}; choose another with --listen HOST:PORT, or make demo LISTEN=HOST:PORT"
                raise CommandError(message) from error


def _play(step: Callable[[int], str | None], stop: threading.Event, say: Callable[[str], None]) -> None:
    """Make a step of the scenario each second, and say what happens."""
    for sentence in BEFORE:
        say(sentence)
    number = 0
    while not stop.wait(1.0):
        if happened := step(number):
            say(happened)
        number += 1


@contextmanager
def _screen(places: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that prints a sentence with its time. On a terminal, `places` stays visible below."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        click.echo(places)
        yield lambda sentence: click.echo(_with_time(sentence))
        return
    with Live(Text(f"\n{places}"), console=console, auto_refresh=False, transient=True):
        yield lambda sentence: console.print(_with_time(sentence), markup=False)


def _with_time(sentence: str) -> str:
    return f"{datetime.now().astimezone():%H:%M:%S} {sentence}"


def _places(address: str, folder: Path, aws: str) -> str:
    """Return where to look, and what to try."""
    host, _, port = address.rpartition(":")
    url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 - compared, not bound
    return f"""\
Page     {url}/
Metrics  {url}/metrics
Events   tail -f {folder}/events.jsonl
AWS      {aws} (simulated)

In another terminal:
  . {folder}/env
  stackset-monitor status --config monitor.yaml
Also: poll, check --aws, history, wait --product baseline, iam-policy.
Stop with Ctrl-C."""


def _shell(environment: Mapping[str, str], folder: Path) -> str:
    """Return a script for a shell in which the commands work against the simulated AWS."""
    programs = shlex.quote(str(Path(sys.executable).parent))
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    unset = "unset AWS_PROFILE AWS_SESSION_TOKEN"
    return "\n".join([unset, *exports, f"export PATH={programs}:$PATH", f"cd {shlex.quote(str(folder))}", ""])
