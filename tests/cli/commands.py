"""Run commands in this process or in a process of their own."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.cli import main

PRODUCT, OTHER = "pp-aaaaaaaaaaaaa", "pp-bbbbbbbbbbbbb"


@dataclass(frozen=True)
class Result:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


def here(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    """Run a command in this process, which keeps its signal handlers."""
    capsys.readouterr()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Result(ended.value.code, printed.out, printed.err)


def python(*arguments: str) -> Sequence[str]:
    """Return the command line that runs a command in a process of its own."""
    return [sys.executable, "-m", "monitor", *arguments]


def process(command: Sequence[str], env: Mapping[str, str] | None = None) -> Result:
    """Run a command line to its end."""
    ended = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=50, check=False, env=env)
    return Result(ended.returncode, ended.stdout, ended.stderr)


@contextmanager
def started(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start a command line, and kill it at the end of the block."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", env=env
    ) as running:
        try:
            yield running
        finally:
            running.kill()  # which does nothing where it has ended


def configuration(folder: Path, *products: str, more: str = "") -> str:
    """Write a configuration with a state file in the same folder; return its path."""
    path = folder / "monitor.yaml"
    listed = "".join(f"  - {product}\n" for product in products or (PRODUCT,))
    path.write_text(f"products:\n{listed}state:\n  path: {folder}/monitor.db\n{more}", encoding="utf-8")
    return str(path)
