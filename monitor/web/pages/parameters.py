"""The parameters of a page. A form sends an empty value for each field that was left empty: it counts as left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from monitor.model.instances import Status
from monitor.model.paging import InstanceFilter
from monitor.web.pages.instances import NOT_CURRENT
from monitor.web.queries import ParameterError, parse_since

# The choice of a form for every status.
ANY = "any"
# The choice of a form for transitions of stack instances that disappeared.
ABSENT = "ABSENT"


@dataclass(frozen=True, slots=True)
class Parameters:
    """The query of a request."""

    query: QueryParams

    def all(self, name: str) -> Sequence[str]:
        """Return the values of a parameter, without empty ones."""
        return [value.strip() for value in self.query.getlist(name) if value.strip()]

    def first(self, name: str) -> str | None:
        """Return the first value of a parameter."""
        return next(iter(self.all(name)), None)

    def link(self, name: str, value: str | None) -> str:
        """Return the relative address of the same page with another value of a parameter; None removes it."""
        kept = [pair for pair in self.query.multi_items() if pair[0] != name]
        return f"?{urlencode([*kept, *([(name, value)] if value is not None else [])])}"

    def twin(self, *statuses: str) -> str:
        """Return the query with which the API lists the same. Its cursors are others, and it refuses other parameters.

        With `statuses`, which are the default, it lists stack instances; without, transitions.
        """
        names = ("account", "region") if statuses else ("since", "product", "account")
        kept = [(name, value) for name in names for value in self.all(name)]
        chosen = self.all("status") or statuses
        return urlencode([*kept, *(("status", status) for status in chosen if ANY not in chosen)])

    def instance_filter(self) -> InstanceFilter:
        """Return the filter of stack instances: by default those that are not CURRENT.

        Raises:
            ParameterError: a status does not exist.
        """
        chosen = self.all("status")
        if ANY in chosen:
            statuses: frozenset[Status] = frozenset()
        else:
            statuses = frozenset(_status(name) for name in chosen) or NOT_CURRENT
        return InstanceFilter(statuses, frozenset(self.all("account")), frozenset(self.all("region")))

    def transition_statuses(self) -> frozenset[Status | None]:
        """Return the statuses after a transition; None stands for an instance that disappeared.

        Raises:
            ParameterError: a status does not exist.
        """
        return frozenset(None if name == ABSENT else _status(name, ABSENT) for name in self.all("status"))

    def since(self, now: datetime, default: str) -> datetime:
        """Return the moment that `since` names: a duration back from now, or a time.

        Raises:
            ParameterError: it is neither.
        """
        return parse_since(self.first("since") or default, now)


def _status(name: str, *others: str) -> Status:
    try:
        return Status(name)
    except ValueError as error:
        message = f"status: {name!r:.60} does not exist; use {', '.join((*Status, *others))}"
        raise ParameterError(message) from error
