"""A page of transitions is bounded in time and memory, whatever a day of the table contains."""

import gc
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest

from monitor.model.diff import Transition, diff
from monitor.model.instances import InstanceKey, Status
from monitor.model.paging import TransitionFilter
from monitor.poller.protocols import StateError
from monitor.state import dynamodb_items, dynamodb_reader
from monitor.state.table import Item
from tests.making import BASELINE, EPOCH, EU, baseline, listing
from tests.state.engines import DynamoDbEngine

POLLS, ACCOUNTS = 8, 50
ALL = TransitionFilter(EPOCH)


@pytest.fixture
def filled(dynamodb: DynamoDbEngine) -> DynamoDbEngine:
    """Have a day on which each of 8 polls changed 50 instances."""
    store = dynamodb.open()
    change = baseline(statuses(0))
    store.commit(change)
    for number in range(1, POLLS + 1):
        at = EPOCH + timedelta(minutes=number)
        change = diff(change.snapshot, listing(statuses(number)), BASELINE, f"poll-{number}", at)
        store.commit(change)
    return dynamodb


def statuses(number: int) -> dict[InstanceKey, Status]:
    """Return statuses that differ from those of the number before."""
    return {(f"{account:012}", EU): (Status.CURRENT, Status.OUTDATED)[number % 2] for account in range(ACCOUNTS)}


def test_a_page_keeps_no_more_transitions_than_it_returns(
    filled: DynamoDbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day may have millions: beside the page, those of one item are kept."""
    most = 0
    original = dynamodb_items.transitions_of

    def counted(item: Item) -> Iterator[object]:
        nonlocal most
        most = max(most, sum(isinstance(one, Transition) for one in gc.get_objects()))
        return original(item)

    monkeypatch.setattr(dynamodb_items, "transitions_of", counted)
    reader = filled.reader()
    gc.collect()
    before = sum(isinstance(one, Transition) for one in gc.get_objects())
    page = reader.page(ALL, 10, None)
    assert [transition.poll_id for transition in page.items] == [f"poll-{POLLS}"] * 10
    assert most - before <= 2 * ACCOUNTS


def test_the_time_of_a_query_ends_within_a_day(filled: DynamoDbEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is read for each item: the fourth of the day is too late."""
    clock = iter(range(10_000))
    monkeypatch.setattr(dynamodb_reader, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    read: list[Item] = []
    original = dynamodb_items.transitions_of

    def recorded(item: Item) -> Iterator[object]:
        read.append(item)
        return original(item)

    monkeypatch.setattr(dynamodb_items, "transitions_of", recorded)
    with pytest.raises(StateError, match=r"^the query took longer than 5 s: choose a later time, or a product$"):
        filled.reader().page(ALL, 10, None)
    assert 0 < len(read) < 5


@pytest.mark.parametrize("limit", [7, 50, 400])
def test_pages_put_together_are_the_whole_list(filled: DynamoDbEngine, limit: int) -> None:
    """Each transition is on one page, the newest first."""
    reader = filled.reader()
    found: list[Transition] = []
    cursor = None
    for _ in range(20):
        page = reader.page(ALL, limit, cursor)
        found += page.items
        cursor = page.cursor
        if cursor is None or len(found) >= 20 * limit:
            break
    expected = sorted(reader.transitions(EPOCH), key=lambda one: (-one.observed_at.timestamp(), one.account))
    assert found == expected[: len(found)]
    assert len(found) == min(len(expected), 20 * limit)
