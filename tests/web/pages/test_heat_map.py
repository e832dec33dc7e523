"""The heat map."""

import re
from itertools import product as pairs

import pytest

from monitor.model.instances import Status
from monitor.model.paging import CursorError
from monitor.web.pages.heat_map import HeatMap, heat_map
from tests.making import EU, ONE, THREE, TWO, US
from tests.web.fake_views import product_view

CURRENT, OUTDATED, INOPERABLE = Status.CURRENT, Status.OUTDATED, Status.INOPERABLE


def cells(found: HeatMap) -> list[tuple[str, list[str]]]:
    """Return the text of the cells of each account."""
    return [(row.account, re.findall(r"<td[^>]*>([A-Z]*)</td>", row.cells)) for row in found.rows]


def test_one_cell_an_instance() -> None:
    """A row has a cell for each Region, an empty one where the account has no stack instance."""
    found = heat_map(product_view({(ONE, EU): CURRENT, (TWO, US): OUTDATED}), None)
    assert found.regions == [EU, US]
    assert cells(found) == [(TWO, ["", "OUTDATED"]), (ONE, ["CURRENT", ""])]


def test_the_broken_accounts_come_first() -> None:
    """Accounts are sorted by their worst status, then by the number of broken instances, then by number."""
    found = heat_map(
        product_view(
            {
                **dict.fromkeys(pairs((ONE, TWO, THREE), (EU, US)), CURRENT),
                **dict.fromkeys(pairs(("444444444444", "555555555555"), (EU, US)), OUTDATED),
                ("444444444444", EU): CURRENT,
                (THREE, US): INOPERABLE,
            }
        ),
        None,
    )
    assert [row.account for row in found.rows] == [THREE, "555555555555", "444444444444", ONE, TWO]


def test_a_cell_says_since_when() -> None:
    """The tooltip of an instance that is not CURRENT has the status and the time."""
    (row,) = heat_map(product_view({(ONE, EU): INOPERABLE}), None).rows
    assert 'title="INOPERABLE since 2026-01-02 03:04:05 UTC"' in row.cells


def test_the_rows_are_bounded() -> None:
    """All pages together have each account once, in the order of the worst first."""
    accounts = [f"{number:012}" for number in range(7)]
    view = product_view({(account, EU): OUTDATED if account == accounts[5] else CURRENT for account in accounts})
    seen, cursor = [], None
    while True:
        page = heat_map(view, cursor, limit=3)
        assert page.accounts == 7
        seen += [row.account for row in page.rows]
        if (cursor := page.cursor) is None:
            break
    assert seen == [accounts[5], *accounts[:5], accounts[6]]


def test_a_wrong_cursor_is_an_error() -> None:
    """A cursor of another list is refused."""
    with pytest.raises(CursorError):
        heat_map(product_view({(ONE, EU): CURRENT}), "WyJ4Il0")
