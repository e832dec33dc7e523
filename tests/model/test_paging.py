"""Pages: bounded, filtered, and complete although the snapshots change between two pages."""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.instances import InstanceKey, Product, Status
from monitor.model.paging import CursorError, InstanceFilter, InstanceView, decode, encode, instances, paginate
from monitor.model.views import ProductView, by_id, worst_first
from tests.making import EU, ONE, TWO, US
from tests.web.fake_views import product_view

ACCOUNTS, REGIONS, PRODUCTS = (ONE, TWO, "333333333333", "444444444444"), (EU, US), ("pp-a", "pp-b", "pp-c")
KEYS = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(REGIONS))
PRODUCT = st.dictionaries(KEYS, st.sampled_from(Status))
FLEET = st.dictionaries(st.sampled_from(PRODUCTS), PRODUCT)
FILTER = st.builds(
    InstanceFilter,
    st.frozensets(st.sampled_from(Status)),
    st.frozensets(st.sampled_from(ACCOUNTS)),
    st.frozensets(st.sampled_from(REGIONS)),
)
Fleet = dict[str, dict[InstanceKey, Status]]


def views(fleet: Fleet) -> list[ProductView]:
    """Return the views of a fleet."""
    return [product_view(states, Product(product_id, product_id)) for product_id, states in fleet.items()]


def found(fleet: Fleet, wanted: InstanceFilter) -> set[tuple[str, str, str]]:
    """Return what matches, by the obvious way."""
    return {
        (product_id, account, region)
        for product_id, states in fleet.items()
        for (account, region), status in states.items()
        if (not wanted.statuses or status in wanted.statuses)
        and (not wanted.accounts or account in wanted.accounts)
        and (not wanted.regions or region in wanted.regions)
    }


def places(items: Sequence[InstanceView]) -> list[tuple[str, str, str]]:
    """Return product, account and Region of instances."""
    return [(one.product.product.id, one.account, one.region) for one in items]


@given(st.lists(FLEET, min_size=1), FILTER, st.integers(1, 5))
def test_each_instance_is_on_exactly_one_page(fleets: Sequence[Fleet], wanted: InstanceFilter, limit: int) -> None:
    """While snapshots change between pages, an instance that matches throughout is returned once, and none twice."""
    walked: list[tuple[str, str, str]] = []
    cursor, pages = None, 0
    while True:
        page = instances(views(fleets[min(pages, len(fleets) - 1)]), wanted, limit, cursor)
        assert len(page.items) <= limit
        walked += places(page.items)
        pages += 1
        cursor = page.cursor
        if cursor is None:
            break
    assert walked == sorted(set(walked))
    seen = fleets[:pages]
    assert set.intersection(*(found(fleet, wanted) for fleet in seen)) <= set(walked)
    assert set(walked) <= set.union(*(found(fleet, wanted) for fleet in seen))


@given(FLEET, FILTER)
def test_the_filter(fleet: Fleet, wanted: InstanceFilter) -> None:
    """One page that is large enough has what matches and nothing else, with its status."""
    page = instances(views(fleet), wanted, 1000, None)
    assert page.cursor is None
    assert places(page.items) == sorted(found(fleet, wanted))
    assert all(fleet[one.product.product.id][one.account, one.region] is one.state.status for one in page.items)


def test_few_instances_that_are_not_current() -> None:
    """They are found without a look at each instance, and the next page continues after the last one."""
    states = {(f"{number:012}", EU): Status.OUTDATED if number % 50 == 7 else Status.CURRENT for number in range(1000)}
    wanted = InstanceFilter(frozenset({Status.OUTDATED}))
    first = instances([product_view(states)], wanted, 15, None)
    second = instances([product_view(states)], wanted, 15, first.cursor)
    numbers = [int(one.account) for one in (*first.items, *second.items)]
    assert numbers == list(range(7, 1000, 50))
    assert second.cursor is None


def test_pages_in_any_order() -> None:
    """Products are paged by ID or worst first; a page of an empty list is empty, whatever the cursor."""
    fleet = views({"pp-a": {(ONE, EU): Status.CURRENT}, "pp-b": {(ONE, EU): Status.OUTDATED}, "pp-c": {}})
    for order in (by_id, worst_first):
        first = paginate(fleet, order, 2, None)
        second = paginate(fleet, order, 2, first.cursor)
        assert [*first.items, *second.items] == sorted(fleet, key=order)
        assert second.cursor is None
        assert list(paginate([], order, 2, first.cursor).items) == []


@pytest.mark.parametrize(
    "cursor",
    ["", "?", "é", "AAAA", "W10", encode(("pp-a",)), encode((1, "a", "b")), encode(("a", "b", "c", "d")), "W" * 5000],
)
def test_a_cursor_of_no_list_is_refused(cursor: str) -> None:
    """The error names the cursor and says what to do, however the cursor is damaged."""
    with pytest.raises(CursorError, match="is not a cursor of this list; leave it out"):
        instances(views({"pp-a": {(ONE, EU): Status.CURRENT}}), InstanceFilter(), 1, cursor)


def test_a_number_that_no_database_takes_is_refused() -> None:
    """Times are milliseconds, far below 2^53."""
    assert decode(encode((2**53, "a")), (int, str)) == (2**53, "a")
    for number in (2**53 + 1, -(2**70)):
        with pytest.raises(CursorError):
            decode(encode((number, "a")), (int, str))


def test_a_wrong_cursor_of_an_empty_list_is_refused() -> None:
    """Also a list without items knows what is no cursor at all."""
    with pytest.raises(CursorError):
        paginate([], by_id, 1, "abc")


def test_a_deeply_nested_cursor_is_refused() -> None:
    """JSON that exhausts the parser's stack is a wrong cursor and no defect."""
    cursor = urlsafe_b64encode(b"[" * 100_000).decode()
    with pytest.raises(CursorError):
        paginate(views({"pp-a": {}}), by_id, 1, cursor)


@given(st.text())
def test_any_text_as_a_cursor(text: str) -> None:
    """Any text is a cursor or the named error."""
    with suppress(CursorError):
        instances(views({"pp-a": {(ONE, EU): Status.CURRENT}}), InstanceFilter(), 1, text)
