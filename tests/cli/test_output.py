"""Rows as a table, as JSON and as CSV."""

import csv
import io
import json
from collections.abc import Iterator

import pytest

from monitor.cli.output import LAID_OUT_ROWS, Output, Row, print_rows

COLUMNS = ("name", "observed_at")


def test_columns_are_aligned_by_what_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """Wide characters count as two columns, and no line ends with a space."""
    rows: list[Row] = [
        {"name": "守护", "observed_at": "a"},
        {"name": "é", "observed_at": None},
        {"name": "12345", "observed_at": 7},
    ]
    print_rows(rows, COLUMNS, Output.TABLE)
    assert capsys.readouterr().out == "NAME   OBSERVED AT\n守护   a\né\n12345  7\n"


def test_a_long_table_is_printed_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """No row waits for the last one, and columns only become wider: memory does not grow with the rows."""

    def rows() -> Iterator[Row]:
        yield from ({"name": "ab", "observed_at": "c"} for _ in range(LAID_OUT_ROWS - 1))
        assert capsys.readouterr().out.endswith("ab    c\n")
        yield {"name": "abcdef", "observed_at": "c"}
        yield {"name": "ab", "observed_at": "c"}

    print_rows(rows(), COLUMNS, Output.TABLE)
    assert capsys.readouterr().out == "abcdef  c\nab      c\n"


def test_a_name_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, newlines and brackets of rich's markup are shown as they are."""
    print_rows([{"name": "\x1b[2J\n[red]x[/red]\u202e", "observed_at": ""}], COLUMNS, Output.TABLE)
    assert capsys.readouterr().out.splitlines()[1] == r"\x1b[2J\n[red]x[/red]\u202e"


def test_json_keeps_every_text(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON keeps quotes, newlines, None and every script."""
    rows: list[Row] = [{"name": 'a"\n\\守', "observed_at": None}, {"name": "", "observed_at": 0}]
    print_rows(rows, COLUMNS, Output.JSON)
    out = capsys.readouterr().out
    assert json.loads(out) == rows
    assert "守" in out


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_is_no_formula_of_a_spreadsheet(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A CSV cell that a spreadsheet would run starts with a quote; JSON keeps the name."""
    rows: list[Row] = [{"name": f"{start}1+1", "observed_at": -1}]
    print_rows(rows, COLUMNS, Output.CSV)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert row == {"name": f"'{start}1+1", "observed_at": "-1"}
    print_rows(rows, COLUMNS, Output.JSON)
    assert json.loads(capsys.readouterr().out) == rows


@pytest.mark.parametrize("output", list(Output))
def test_an_error_before_the_first_row_comes_before_any_output(
    output: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    """A header without rows would look like a result."""
    known: dict[str, Row] = {}
    with pytest.raises(KeyError):
        print_rows((known[name] for name in ["unknown"]), COLUMNS, output)
    assert capsys.readouterr().out == ""
