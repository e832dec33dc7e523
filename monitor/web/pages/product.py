"""The values of the page of a product."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.model.details import Operation
from monitor.model.diff import Transition
from monitor.model.instances import Status
from monitor.model.paging import MAX_LIMIT, InstanceFilter, InstanceView, Page, TransitionFilter
from monitor.model.products import IN_ROLLOUT
from monitor.model.views import WORST_FIRST, ProductView
from monitor.poller.protocols import StateError
from monitor.web.pages.console_links import ProductLinks, product_links
from monitor.web.pages.fleet import ROWS
from monitor.web.pages.heat_map import HeatMap, heat_map
from monitor.web.pages.instances import wanted_instances
from monitor.web.pages.timeline import Timeline, timeline
from monitor.web.views import Views

# Transitions that are listed below the timeline.
RECENT = 10


@dataclass(frozen=True, slots=True)
class History:
    """The transitions of a product since a moment."""

    timeline: Timeline
    recent: Sequence[Transition]
    number: int
    complete: bool
    """False: there are more than `number`, and the timeline begins with the oldest of them."""


@dataclass(frozen=True, slots=True)
class ProductPage:
    """The page of a product."""

    view: ProductView
    links: ProductLinks | None
    instances: Page[InstanceView]
    heat_map: HeatMap
    history: History | None
    history_problem: str
    """Why the transitions cannot be read."""

    @property
    def present(self) -> Sequence[Status]:
        """Return the statuses, the worst first, of the instances that are neither CURRENT nor accepted."""
        accepted = Counter(self.view.states[key].status for key in self.view.accepted)
        return [status for status in WORST_FIRST[:-1] if self.view.counts.get(status, 0) > accepted[status]]

    @property
    def number(self) -> int:
        """Return the number of stack instances."""
        return len(self.view.keys)

    @property
    def operation(self) -> Operation | None:
        """Return the last rollout; None if it was not read."""
        return self.view.details.operation if self.view.details else None

    @property
    def detailed_statuses(self) -> Mapping[str, int]:
        """Return how many instances that are not accepted have each detailed status of CloudFormation."""
        found = self.view.details.instances if self.view.details else {}
        return Counter(detail.detailed_status for key, detail in found.items() if key not in self.view.accepted)

    @property
    def in_rollout(self) -> bool:
        """Say whether the product is under change."""
        return self.view.status in IN_ROLLOUT


@dataclass(frozen=True, slots=True)
class Cursors:
    """Where the parts of the page begin."""

    instances: str | None
    heat_map: str | None


def product_page(
    views: Views, view: ProductView, wanted: InstanceFilter, cursors: Cursors, since: datetime, now: datetime
) -> ProductPage:
    """Return the values of the page of a product.

    Raises:
        CursorError: a cursor is not one of its list.
    """
    history, problem = None, ""
    try:
        history = _history(views, view, since, now)
    except StateError as error:  # the rest of the page does not depend on the state
        problem = str(error)
    return ProductPage(
        view=view,
        links=product_links(view.detail),
        instances=wanted_instances([view], wanted, ROWS, cursors.instances),
        heat_map=heat_map(view, cursors.heat_map),
        history=history,
        history_problem=problem,
    )


def _history(views: Views, view: ProductView, since: datetime, now: datetime) -> History:
    page = views.transitions(TransitionFilter(since, frozenset({view.product.id})), MAX_LIMIT, None)
    complete = page.cursor is None
    return History(
        timeline=timeline(view, page.items, since, now, complete=complete),
        recent=page.items[:RECENT],
        number=len(page.items),
        complete=complete,
    )
