"""Output to closed pipes, full disks, a closed stdout, and in any locale."""

import os
import shlex
from pathlib import Path

import pytest

from tests.cli.commands import PRODUCT, Result, configuration, process, python
from tests.conftest import Aws
from tests.making import EU

pytestmark = pytest.mark.needs("bash")


def shell(*command: str, then: str) -> Result:
    """Run a command in a shell with a pipe or a redirection; return the exit code of the command."""
    return process(["bash", "-c", f"{shlex.join(command)} {then}; exit ${{PIPESTATUS[0]}}"])


@pytest.fixture
def poll(aws: Aws, tmp_path: Path) -> list[str]:
    """Return the command line of a `poll` with many instances, one of them OUTDATED."""
    aws.stack_sets.add_product(PRODUCT, "baseline")
    for number in range(400):
        aws.stack_sets.set(PRODUCT, f"{number:012d}", EU, "CURRENT" if number else "OUTDATED")
    name = f"{{id: {PRODUCT}, name: {'🚦' * 128}}}"  # 512 bytes in each line: more than a pipe holds
    path = configuration(tmp_path, name, more="sources: [{name: a, calls_per_second: 1000}]\n")
    return [*python("poll", "--config", path, "--all", "--output")]


@pytest.mark.parametrize("output", ["table", "json", "csv"])
def test_a_reader_that_ends_early(output: str, poll: list[str]) -> None:
    """Nothing is printed to stderr, and the exit code is that of the instances."""
    found = shell(*poll, output, then="| head -1")
    assert (found.code, found.err) == (1, "")
    assert found.out.count("\n") == 1


def test_a_reader_that_reads_nothing() -> None:
    """Buffered output fails only when it is flushed at the end."""
    found = shell(*python("schema"), then="| true")
    assert (found.code, found.out, found.err) == (0, "", "")


@pytest.mark.parametrize(("arguments", "code"), [("nonsense", 2), ("check --config /nowhere", 3)])
def test_a_full_stderr(arguments: str, code: int) -> None:
    """Only the exit code is left."""
    assert shell(*python(*arguments.split()), then="2> /dev/full") == Result(code, "", "")


@pytest.mark.parametrize("command", ["version", "schema", "--help"])
def test_a_full_disk(command: str) -> None:
    """Lost output is a failure, reported in one sentence."""
    found = shell(*python(command), then="> /dev/full")
    assert found == Result(3, "", "stackset-monitor: the output: No space left on device\n")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
def test_no_stdout(closed: str, tmp_path: Path) -> None:
    """A closed stdout is no error."""
    found = shell(*python("check", "--config", configuration(tmp_path)), then=closed)
    assert found == Result(0, "", "")


@pytest.mark.parametrize("output", ["table", "json"])
def test_any_locale(output: str, poll: list[str]) -> None:
    """All output is UTF-8."""
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    found = process([*poll, output], env=env)
    assert (found.code, found.err) == (1, "")
    assert found.out.count("🚦") == (1 if output == "table" else 400) * 128
