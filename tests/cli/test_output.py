"""Rows as a table, as JSON and as CSV."""

import csv
import io
import json
from collections.abc import Iterator

import pytest

from monitor.cli.output import LAID_OUT_ROWS, Output, Row, print_rows

COLUMNS = ("name", "time")


def test_columns_are_aligned_by_what_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """Wide characters count as two columns, and no line ends with a space."""
    rows: list[Row] = [
        {"name": "守护", "time": "a"},
        {"name": "é", "time": None},
        {"name": "12345", "time": 7},
    ]
    print_rows(rows, COLUMNS, Output.TABLE)
    assert capsys.readouterr().out == "NAME   TIME\n守护   a\né\n12345  7\n"


def test_a_long_table_is_printed_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """No row waits for the last one, and columns only become wider: memory does not grow with the rows."""

    def rows() -> Iterator[Row]:
        yield from ({"name": "ab", "time": "c"} for _ in range(LAID_OUT_ROWS - 1))
        assert capsys.readouterr().out.endswith("ab    c\n")
        yield {"name": "abcdef", "time": "c"}
        yield {"name": "ab", "time": "c"}

    print_rows(rows(), COLUMNS, Output.TABLE)
    assert capsys.readouterr().out == "abcdef  c\nab      c\n"


def test_the_last_column_is_cropped_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long name does not break the rows; a pipe gets all of it."""
    rows: list[Row] = [{"name": "CURRENT", "time": "x" * 100}, {"name": "CURRENT", "time": "守" * 20}]
    monkeypatch.setenv("COLUMNS", "20")
    print_rows(rows, COLUMNS, Output.TABLE)
    assert "x" * 100 in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    print_rows(rows, COLUMNS, Output.TABLE)
    assert capsys.readouterr().out.splitlines()[1:] == ["CURRENT  xxxxxxxxxx…", "CURRENT  守守守守守…"]


def test_a_name_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences, newlines and brackets of rich's markup are shown as they are."""
    print_rows([{"name": "\x1b[2J\n[red]x[/red]\u202e", "time": ""}], COLUMNS, Output.TABLE)
    assert capsys.readouterr().out.splitlines()[1] == r"\x1b[2J\n[red]x[/red]\u202e"


def test_json_keeps_every_text(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON keeps quotes, newlines, None and every script."""
    rows: list[Row] = [{"name": 'a"\n\\守', "time": None}, {"name": "", "time": 0}]
    print_rows(rows, COLUMNS, Output.JSON)
    out = capsys.readouterr().out
    assert json.loads(out) == rows
    assert "守" in out


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_name_is_no_formula_of_a_spreadsheet(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A CSV cell that a spreadsheet would run starts with a quote; JSON keeps the name."""
    rows: list[Row] = [{"name": f"{start}1+1", "time": -1}]
    print_rows(rows, COLUMNS, Output.CSV)
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert row == {"name": f"'{start}1+1", "time": "-1"}
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
