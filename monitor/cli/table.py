"""Rows printed as a table for people, as JSON or as CSV for programs."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from monitor.cli.options import Output

Row = Mapping[str, str | int | None]


def print_rows(rows: Iterable[Row], columns: Sequence[str], output: Output) -> None:
    """Print rows to stdout: JSON as one array, CSV with a header line, a table with aligned columns."""
    match output:
        case Output.JSON:
            _print_json(rows)
        case Output.CSV:
            writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        case Output.TABLE:
            _print_table(rows, columns)


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
    for number, line in enumerate(cells):
        text = Text(style="bold" if number == 0 else "")
        for place, (cell, width) in enumerate(zip(line, widths, strict=True)):
            padding = "" if place == len(columns) - 1 else " " * (width - cell_len(cell) + 2)
            text.append(cell, style=STYLES.get(cell, "")).append(padding)
        console.print(text)


STYLES = {"CURRENT": "green", "OUTDATED": "yellow", "INOPERABLE": "red", "UNKNOWN": "magenta"}


def _printable(text: str) -> str:
    """Show control characters instead of obeying them: names come from AWS."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
