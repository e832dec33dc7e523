"""stdout and stderr, which may be closed, full, or pipes whose reader leaves."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

import click


def prepare_stdout() -> None:
    """Write UTF-8, whatever the locale: names are in any script, and JSON is UTF-8. Into nothing where it is closed."""
    # Without a stdout, the first file that is opened would take its number, and get what is printed.
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def drop_stdout() -> None:
    """Lose what is and will be printed, so that nothing fails on it again, the end of the process included."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def tell(sentence: str) -> None:
    """Write one sentence to stderr. Where that cannot be, the exit code is all there is."""
    with suppress(OSError):
        click.echo(f"stackset-monitor: {sentence}", err=True)
