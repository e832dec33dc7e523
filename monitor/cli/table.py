"""Rows printed as a table for people, as JSON or as CSV for programs."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice

from monitor.cli.options import Output
from monitor.cli.streams import drop_stdout

Row = Mapping[str, str | int | None]

STYLES = {"CURRENT": "green", "OUTDATED": "yellow", "INOPERABLE": "red", "UNKNOWN": "magenta"}


def print_rows(rows: Iterable[Row], columns: Sequence[str], output: Output) -> None:
    """Print rows to stdout: JSON as one array, CSV with a header line, a table with aligned columns.

    Nothing is printed where there is an error before the first row. A reader who leaves early, as `head`
    does, is no error: what the command found is its exit code all the same.
    """
    left = iter(rows)
    rows = chain(list(islice(left, 1)), left)
    try:
        match output:
            case Output.JSON:
                _print_json(rows)
            case Output.CSV:
                writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            case Output.TABLE:
                _print_table(rows, columns)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_stdout()


def _print_json(rows: Iterable[Row]) -> None:
    """Write row by row: a history may be long."""
    separator = "["
    for row in rows:
        sys.stdout.write(f"{separator}\n  {json.dumps(row, ensure_ascii=False)}")
        separator = ","
    sys.stdout.write("[]\n" if separator == "[" else "\n]\n")


def _print_table(rows: Iterable[Row], columns: Sequence[str]) -> None:
    from rich.cells import cell_len
    from rich.console import Console
    from rich.text import Text

    cells = [[column.replace("_", " ").upper() for column in columns]]
    cells += [["" if row[column] is None else _printable(str(row[column])) for column in columns] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    console = Console(soft_wrap=True, highlight=False)

    def painted(text: str, style: str) -> str:
        with console.capture() as captured:
            console.print(Text(text, style), end="")
        return captured.get()

    # A status is painted once and not in each line: rich takes seconds for 100,000 of them.
    paint = {status: painted(status, style) for status, style in STYLES.items()}
    for number, line in enumerate(cells):
        padded = [
            paint.get(cell, cell) + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        ]
        text = "  ".join(padded).rstrip()
        sys.stdout.write(f"{text if number else painted(text, 'bold')}\n")


def _printable(text: str) -> str:
    """Show control characters instead of obeying them: names come from AWS."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
