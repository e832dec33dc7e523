"""The parameters of a page."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.datastructures import QueryParams

from monitor.model.instances import Status
from monitor.web.pages.instances import NOT_CURRENT
from monitor.web.pages.parameters import Parameters
from monitor.web.queries import ParameterError
from tests.making import EPOCH, EU, ONE


def parameters(query: str) -> Parameters:
    """Return the parameters of a query."""
    return Parameters(QueryParams(query))


@pytest.mark.parametrize("query", ["", "status=&account=&region=", "status=+&cursor=x"])
def test_an_empty_field_counts_as_left_out(query: str) -> None:
    """By default, the instances that are not CURRENT are wanted, of all accounts and Regions."""
    wanted = parameters(query).instance_filter()
    assert (wanted.statuses, wanted.accounts, wanted.regions) == (NOT_CURRENT, frozenset(), frozenset())


def test_several_values() -> None:
    """A parameter that is given several times lets each of its values pass."""
    wanted = parameters(f"status=CURRENT&status=UNKNOWN&account=+{ONE}+&region={EU}").instance_filter()
    assert wanted.statuses == {Status.CURRENT, Status.UNKNOWN}
    assert wanted.accounts == {ONE}
    assert wanted.regions == {EU}
    assert parameters("status=any").instance_filter().statuses == frozenset()
    assert parameters("status=ABSENT&status=CURRENT").transition_statuses() == {None, Status.CURRENT}


@pytest.mark.parametrize("query", ["status=broken", "status=current", "status=%00", "status=ABSENT"])
def test_an_unknown_status_is_an_error(query: str) -> None:
    """The error names the value and those that exist."""
    with pytest.raises(ParameterError, match="does not exist; use CURRENT, OUTDATED"):
        parameters(query).instance_filter()


@pytest.mark.parametrize(
    ("query", "moment"),
    [
        ("", EPOCH - timedelta(days=1)),
        ("since=90m", EPOCH - timedelta(minutes=90)),
        ("since=2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("since=2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_since_is_a_duration_or_a_time(query: str, moment: datetime) -> None:
    """A time without a time zone is UTC."""
    assert parameters(query).since(EPOCH, "24h") == moment


@pytest.mark.parametrize("text", ["yesterday", "-1h", "24", "2026-13-01", "999y", "%00"])
def test_another_since_is_an_error(text: str) -> None:
    """The error names the parameter and both forms."""
    with pytest.raises(ParameterError, match=r"since: .* is neither a duration like 24h nor a time like 2026"):
        parameters(f"since={text}").since(EPOCH, "24h")


def test_a_link_changes_one_parameter() -> None:
    """The other parameters stay as they are, and text is encoded."""
    found = parameters("status=OUTDATED&status=UNKNOWN&cursor=abc&account=1%262")
    assert found.link("cursor", None) == "?status=OUTDATED&status=UNKNOWN&account=1%262"
    assert found.link("cursor", "x=&") == "?status=OUTDATED&status=UNKNOWN&account=1%262&cursor=x%3D%26"


def test_the_twin_has_the_filters_but_not_the_cursor() -> None:
    """The API gets what the page filters by; `any` is no status there."""
    assert parameters("since=7d&status=ABSENT&cursor=x&map_cursor=y").twin() == "since=7d&status=ABSENT"
    assert parameters(f"account={ONE}&region=").twin("OUTDATED") == f"account={ONE}&status=OUTDATED"
    assert parameters("status=any").twin("OUTDATED") == ""
