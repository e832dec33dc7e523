"""stdout and stderr, which may be closed, full, or pipes whose reader has ended."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

import click


def prepare_stdout() -> None:
    """Make stdout UTF-8 in every locale: names are in any script. A closed one discards its input."""
    # Otherwise the next opened file gets descriptor 1, and everything that is printed.
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - stays open
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def discard_stdout() -> None:
    """Discard all output, so that flushing it at the end of the process does not fail again."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def print_error(sentence: str) -> None:
    """Print one sentence to stderr. If stderr is closed or full, only the exit code is left."""
    with suppress(OSError):
        click.echo(f"stackset-monitor: {sentence}", err=True)
