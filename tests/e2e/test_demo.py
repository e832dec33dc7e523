"""The demo as a process, and the commands that it says can be tried."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import process, python, started
from tests.e2e.process import eventually

COMMANDS = {
    "status": 1,
    "poll": 1,
    "check --aws": 0,
    "history": 0,
    "wait --product guardrails": 1,
    "iam-policy": 0,
}
"""The commands to try, and their exit codes: some instances are not CURRENT."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run the demo; yield where to look, by name, and at the end check that nothing is left."""
    folder = tmp_path_factory.mktemp("demo")
    command = ["env", f"TMPDIR={folder}", *python("demo", "--listen", "127.0.0.1:0")]
    with started(command) as running:
        assert running.stdout
        places = {}
        while (line := running.stdout.readline().strip()) != "Stop with Ctrl-C.":
            name, _, place = line.partition(" ")
            places[name] = place.strip()
        yield places | {"happens": running.stdout.readline()}
        running.terminate()
        _, err = running.communicate(timeout=15)
    assert (running.returncode, err) == (0, "")
    assert list(folder.iterdir()) == []


def read(url: str) -> bytes:
    """Return what a URL serves."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        content: bytes = answer.read()
    return content


def test_the_demo_says_where_to_look(demo: dict[str, str]) -> None:
    """The page and the metrics show what happens, and discovery finds the product of the other account."""
    assert eventually(lambda: b"network-hub" in read(demo["Page"]))
    broken = b'provisioned_product_name="guardrails",status="INOPERABLE"} 2\n'
    assert eventually(lambda: broken in read(demo["Metrics"]))
    discovered = b'source="network",source_account="210987654321",source_region="eu-west-1"} 1\n'
    assert eventually(lambda: discovered in read(demo["Metrics"]))
    assert "INOPERABLE" in demo["happens"]


def test_the_demo_logs_to_a_file(demo: dict[str, str]) -> None:
    """The terminal stays readable."""
    events = Path(demo["Events"].removeprefix("tail -f "))
    assert eventually(lambda: '"event": "provisioned_product.baseline"' in events.read_text())


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_works_beside_the_demo(command: str, demo: dict[str, str]) -> None:
    """In a shell that has read the file that the demo names."""
    assert eventually(lambda: b"network-hub" in read(demo["Page"]))
    script = f". {demo['.']} && {sys.executable} -m monitor {command} --config monitor.yaml"
    found = process(["bash", "-c", script])
    assert found.code == COMMANDS[command], found.err
    assert found.out


def test_an_occupied_port_says_how_to_change_it(demo: dict[str, str]) -> None:
    """The message names the option and the variable of make."""
    address = demo["Page"].removeprefix("http://").rstrip("/")
    found = subprocess.run(python("demo", "--listen", address), capture_output=True, text=True, timeout=30, check=False)
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr == (
        f"stackset-monitor: cannot listen on {address}: Address already in use; choose another with --listen HOST:PORT,"
        " or make demo LISTEN=HOST:PORT\n"
    )
