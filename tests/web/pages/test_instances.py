"""Stack instances with the worst first."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import product as pairs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.accepted import Acceptance
from monitor.model.instances import InstanceKey, InstanceState, Product, Status
from monitor.model.paging import CursorError, InstanceFilter
from monitor.model.products import ProductStatus
from monitor.model.views import WORST_FIRST, ProductView
from monitor.web.pages.instances import NOT_CURRENT, accounts_in_need, counts_in_need, wanted_instances
from tests.making import EPOCH, EU, ONE, THREE, TWO, US, detail
from tests.web.fake_views import product_view

STATES = st.builds(
    InstanceState, st.sampled_from(Status), st.integers(0, 3).map(lambda hours: EPOCH + timedelta(hours=hours))
)
KEYS = st.tuples(st.sampled_from([ONE, TWO, THREE]), st.sampled_from([EU, US]))
FLEET = st.dictionaries(st.sampled_from(["pp-a", "pp-b", "pp-c"]), st.dictionaries(KEYS, STATES))
FILTER = st.builds(
    InstanceFilter,
    st.frozensets(st.sampled_from(sorted(NOT_CURRENT)), min_size=1),
    st.frozensets(st.sampled_from([ONE, TWO])),
    st.frozensets(st.sampled_from([EU, US])),
)


@given(FLEET, FILTER, st.integers(1, 4))
def test_every_page_together_is_the_sorted_list(
    fleet: dict[str, dict[InstanceKey, InstanceState]], wanted: InstanceFilter, limit: int
) -> None:
    """Walking through all pages gives each matching instance once: the worst status first, then the longest."""
    views = [product_view(states, Product(name, name)) for name, states in fleet.items()]
    expected = sorted(
        (WORST_FIRST.index(state.status), state.since, *key, name)
        for name, states in fleet.items()
        for key, state in states.items()
        if state.status in wanted.statuses
        and (not wanted.accounts or key[0] in wanted.accounts)
        and (not wanted.regions or key[1] in wanted.regions)
    )
    seen, cursor = [], None
    while True:
        page = wanted_instances(views, wanted, limit, cursor)
        assert len(page.items) <= limit
        seen += [
            (WORST_FIRST.index(one.state.status), one.state.since, one.account, one.region, one.product.product.id)
            for one in page.items
        ]
        if (cursor := page.cursor) is None:
            break
    assert seen == expected


def test_a_list_with_current_instances_is_sorted_by_account() -> None:
    """A filter that includes CURRENT gives the order of the API."""
    view = product_view({(TWO, EU): Status.INOPERABLE, (ONE, EU): Status.CURRENT})
    page = wanted_instances([view], InstanceFilter(), 10, None)
    assert [one.account for one in page.items] == [ONE, TWO]


def test_a_wrong_cursor_is_an_error() -> None:
    """A cursor of another list is refused."""
    with pytest.raises(CursorError):
        wanted_instances([product_view({})], InstanceFilter(NOT_CURRENT), 10, "WyJ4Il0")


def view_with(status: ProductStatus | None, **statuses: Status) -> ProductView:
    """Return a product with instances in accounts of these names."""
    view = product_view(
        {(account, EU): state for account, state in statuses.items()}, detail=detail(status) if status else None
    )
    assert view.status is status
    return view


@pytest.mark.parametrize("status", [ProductStatus.UNDER_CHANGE, ProductStatus.PLAN_IN_PROGRESS])
def test_a_rollout_needs_no_attention(status: ProductStatus) -> None:
    """While a product is under change, its OUTDATED instances are expected, and INOPERABLE ones are not."""
    view = view_with(status, a=Status.OUTDATED, b=Status.INOPERABLE, c=Status.CURRENT)
    assert counts_in_need(view) == {Status.INOPERABLE: 1}
    assert [one.account for one in accounts_in_need([view])] == ["b"]


@pytest.mark.parametrize("status", [ProductStatus.AVAILABLE, ProductStatus.TAINTED, None])
def test_an_outdated_instance_needs_attention_without_a_rollout(status: ProductStatus | None) -> None:
    """An instance that is OUTDATED without a rollout was not reached by the last one."""
    view = view_with(status, a=Status.OUTDATED, c=Status.CURRENT)
    assert counts_in_need(view) == {Status.OUTDATED: 1}
    assert [one.account for one in accounts_in_need([view])] == ["a"]


def test_accounts_are_grouped() -> None:
    """An account has the sum of all its products, their Regions, and the time of its oldest problem."""
    old, new = InstanceState(Status.OUTDATED, EPOCH), InstanceState(Status.INOPERABLE, EPOCH + timedelta(hours=5))
    first = product_view({(ONE, EU): new, (ONE, US): old, (TWO, EU): old}, Product("pp-1", "first"))
    second = product_view({(ONE, EU): old, (TWO, EU): Status.CURRENT}, Product("pp-2", "second"))
    one, two = accounts_in_need([first, second])
    assert (one.account, dict(one.counts)) == (ONE, {Status.INOPERABLE: 1, Status.OUTDATED: 2})
    assert ([view.product.name for view in one.products], one.regions) == (["first", "second"], [EU, US])
    assert one.since == EPOCH
    assert (two.account, dict(two.counts), two.regions) == (TWO, {Status.OUTDATED: 1}, [EU])


def test_the_grouping_is_bounded() -> None:
    """Only the worst instances are grouped, whichever product they belong to."""
    accounts = [f"{number:012}" for number in range(1500)]
    outdated = product_view(dict.fromkeys(pairs(accounts, [EU, US]), Status.OUTDATED), Product("pp-1", "many"))
    broken = product_view({("999999999999", EU): Status.INOPERABLE}, Product("pp-2", "broken"))
    found = accounts_in_need([outdated, broken])
    assert found[0].account == "999999999999"
    assert sum(sum(one.counts.values()) for one in found) == 2000


def test_an_accepted_instance_needs_no_attention() -> None:
    """What the configuration accepts is not counted, and its account is named only for other instances."""
    accepted = Acceptance(ONE, frozenset({Status.OUTDATED}), date(2027, 1, 31), "account is suspended")
    view = product_view({(ONE, EU): Status.OUTDATED, (ONE, US): Status.INOPERABLE, (TWO, EU): Status.OUTDATED})
    view = replace(view, accepted={(ONE, EU): accepted})
    assert counts_in_need(view) == {Status.INOPERABLE: 1, Status.OUTDATED: 1}
    assert [(one.account, one.regions) for one in accounts_in_need([view])] == [(ONE, [US]), (TWO, [EU])]
