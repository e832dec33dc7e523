"""The heat map of a product: one row an account, one column a Region, one cell a stack instance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from monitor.model.instances import InstanceState, Status
from monitor.model.paging import Place, paginate
from monitor.model.views import RANK, WORST_FIRST, ProductView
from monitor.web.pages.templates import utc

# The most rows of a page.
ACCOUNTS = 500


@dataclass(frozen=True, slots=True)
class Row:
    """An account and its cells as HTML: rendered here, because a template needs four times as long for 8,500 cells."""

    account: str
    cells: Markup


@dataclass(frozen=True, slots=True)
class HeatMap:
    """A part of the accounts of a product, those with the worst status first."""

    regions: Sequence[str]
    rows: Sequence[Row]
    accounts: int
    """The accounts of all pages."""
    cursor: str | None
    """Where the next page begins; None on the last page."""


def heat_map(view: ProductView, cursor: str | None, limit: int = ACCOUNTS) -> HeatMap:
    """Return a page of the heat map of a product.

    Raises:
        CursorError: the cursor is not one of this heat map.
    """
    accounts = {account for account, _ in view.keys}
    places = dict[str, Place]((account, (len(WORST_FIRST), 0, account)) for account in accounts)
    places |= _places_of_broken(view)
    page = paginate(accounts, places.__getitem__, limit, cursor)
    regions = sorted(view.regions)
    return HeatMap(regions, list(_rows(view.states, page.items, regions)), len(accounts), page.cursor)


def _places_of_broken(view: ProductView) -> Mapping[str, Place]:
    """Place accounts by their worst status, then by their number of instances that are not CURRENT, most first."""
    ranks: dict[str, int] = {}
    counts: dict[str, int] = {}
    for key in view.non_current:
        account = key[0]
        ranks.setdefault(account, RANK[view.states[key].status])  # `non_current` has the worst status first
        counts[account] = counts.get(account, 0) + 1
    return {account: (rank, -counts[account], account) for account, rank in ranks.items()}


def _rows(
    states: Mapping[tuple[str, str], InstanceState], accounts: Iterable[str], regions: Sequence[str]
) -> Iterable[Row]:
    # Instances that changed in the same poll share their state, so few different cells are rendered. The key is the
    # identity: the hash of 8,500 states takes longer than everything else of the map.
    cells = {id(None): "<td></td>"}
    for account in accounts:
        row = []
        for region in regions:
            state = states.get((account, region))
            if id(state) not in cells and state is not None:
                cells[id(state)] = _cell(state.status, state.since)
            row.append(cells[id(state)])
        yield Row(account, Markup("".join(row)))  # noqa: S704 - statuses and times only


def _cell(status: Status, since: datetime) -> str:
    """Return a cell. It contains the status as a word for screen readers; the style sheet shows a symbol instead."""
    if status is Status.CURRENT:
        return '<td class="CURRENT">CURRENT</td>'
    return f'<td class="{status}" title="{status} since {utc(since)}">{status}</td>'
