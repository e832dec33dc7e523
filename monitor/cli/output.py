"""What the commands print: rows as a table for people, or as JSON or CSV for programs, and errors.

stdout and stderr may be closed, full, or pipes whose reader has ended.
"""

import csv
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click

from monitor.events.console import printable

Row = Mapping[str, str | int | None]

COLORS = {"CURRENT": "green", "OUTDATED": "yellow", "INOPERABLE": "red", "UNKNOWN": "magenta"}
LAID_OUT_ROWS = 1000
"""Rows of a table that are aligned at once: a history of a week took 631 MiB when it was laid out whole."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""Characters with which a spreadsheet takes a CSV cell for a formula (source: OWASP, CSV Injection)."""


class Output(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


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
        lines = map(printable, f"stackset-monitor: {sentence}".split("\n"))
        click.echo("\n".join(lines), err=True)


def counted(number: int, noun: str) -> str:
    """Return `1 page` or `2 pages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def print_rows(rows: Iterable[Row], columns: Sequence[str], output: Output) -> None:
    """Print rows to stdout: JSON as one array, CSV with a header line, a table with aligned columns.

    Nothing is printed if the first row raises an error.
    """
    left = iter(rows)
    rows = chain(list(islice(left, 1)), left)
    with reader_may_end():
        match output:
            case Output.JSON:
                _print_json(rows)
            case Output.CSV:
                writer = csv.writer(_CsvLines())
                writer.writerow(columns)
                writer.writerows([_without_formula(row[name]) for name in columns] for row in rows)
            case Output.TABLE:
                _print_table(rows, columns)


@contextmanager
def reader_may_end() -> Iterator[None]:
    """Discard the output of the block if its reader ends early, as `head` does.

    That is no error: the exit code still says what the command found.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        discard_stdout()


def colors() -> bool:
    """Return whether stdout is a terminal whose user wants colors (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _print_json(rows: Iterable[Row]) -> None:
    """Print row by row: a history can be larger than the memory."""
    separator = "["
    for row in rows:
        sys.stdout.write(f"{separator}\n  {json.dumps(row, ensure_ascii=False)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _print_table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Print aligned columns. On a terminal, the last one is cropped to its width."""
    from rich.cells import cell_len, set_cell_size

    def styled(text: str, **style: Any) -> str:
        return click.style(text, **style) if colors() else text

    heading = [column.upper() for column in columns]
    cells = chain(
        [heading],
        (["" if row[column] is None else printable(str(row[column])) for column in columns] for row in rows),
    )
    widths = [0] * len(columns)
    terminal = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    statuses = {status: styled(status, fg=color) for status, color in COLORS.items()}
    while chunk := list(islice(cells, LAID_OUT_ROWS)):
        widths = [
            max(width, *map(cell_len, column)) for width, column in zip(widths, zip(*chunk, strict=True), strict=True)
        ]
        room = max(1, terminal - sum(width + 2 for width in widths[:-1]))
        for line in chunk:
            if cell_len(line[-1]) > room:
                line[-1] = set_cell_size(line[-1], room - 1) + "…"
            padded = [
                statuses.get(cell, cell) + " " * (width - cell_len(cell))
                for cell, width in zip(line, widths, strict=True)
            ]
            text = "  ".join(padded).rstrip()
            sys.stdout.write(f"{styled(text, bold=True) if line is heading else text}\n")


class _CsvLines:
    """Writes the lines of a csv.writer to stdout with a newline at the end.

    The writer itself ends them with CR LF: before Python 3.13 it quotes only cells with characters of its line end,
    and a bare CR would start a row for most readers.
    """

    def write(self, line: str) -> int:
        return sys.stdout.write(line.removesuffix("\r\n") + "\n")


def _without_formula(value: str | int | None) -> str | int | None:
    """Put a quote before a text that a spreadsheet would run as a formula: names come from AWS."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
