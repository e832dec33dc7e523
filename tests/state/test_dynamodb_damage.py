"""Items of the table that cannot be read: they are reported and kept, and everything else goes on."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.model.diff import diff
from monitor.model.instances import InstanceState, Status
from monitor.poller.protocols import StateError
from monitor.state import columns, dynamodb_items
from monitor.state.dynamodb import DynamoDbStore
from tests.making import BASELINE, EU, LATER, ONE, TWO, baseline, listing
from tests.state.engines import DAY, DynamoDbEngine, OwnEpoch
from tests.state.values import CHANGED, STATUSES

FIRST = baseline(STATUSES)
SECOND = diff(FIRST.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
THIRD = diff(SECOND.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))


def reopened(dynamodb: DynamoDbEngine, errors: list[StateError]) -> DynamoDbStore:
    """Return a store of a new process, which appends to `errors`."""
    return DynamoDbStore(dynamodb.table, OwnEpoch(), DAY, on_error=errors.append)


@pytest.mark.parametrize("lost", ["content", "product_id", "observed_at"])
def test_an_outbox_item_that_cannot_be_read_does_not_stop_the_others(dynamodb: DynamoDbEngine, lost: str) -> None:
    """It is reported once and kept: its transitions are not dropped in silence."""
    store = dynamodb.open()
    for change in (FIRST, SECOND, THIRD):
        store.commit(change)
    outbox, _ = dynamodb.table.query(dynamodb_items.OUTBOX)
    dynamodb.table.write([{name: value for name, value in outbox.items() if name != lost}])
    errors: list[StateError] = []
    again = reopened(dynamodb, errors)
    assert again.load(BASELINE.id).snapshot == THIRD.snapshot
    again.adopt_unpublished()
    found = again.unpublished(100)
    assert [one.event_id for _, one in found] == [one.event_id for one in THIRD.transitions]
    (error,) = errors
    assert "cannot be read: " in str(error)
    assert str(error).endswith("; its transitions are not logged, and the item is kept")
    again.mark_published(found[-1][0])
    assert [item["sk"] for item in dynamodb.table.query(dynamodb_items.OUTBOX)] == [outbox["sk"]]


def test_an_item_of_instances_that_cannot_be_read_becomes_a_baseline(dynamodb: DynamoDbEngine) -> None:
    """It is copied before it is replaced; a reader, which cannot copy it, raises an error."""
    dynamodb.open().commit(FIRST)
    (item,) = dynamodb.table.query(f"instances#{BASELINE.id}")
    dynamodb.table.write([{**item, "content": b"later"}])
    message = r"^the item 'instances#pp-\w+' '0000' of the table cannot be read: "
    with pytest.raises(StateError, match=message):
        dynamodb.reader().load(BASELINE.id)
    errors: list[StateError] = []
    store = reopened(dynamodb, errors)
    assert store.load(BASELINE.id).snapshot is None
    (error,) = errors
    with pytest.raises(StateError, match=message + ".* a copy under pk 'unreadable', and the next poll .* a baseline$"):
        raise error
    store.commit(replace(SECOND, previous=None, transitions=()))
    (copy,) = dynamodb.table.query(dynamodb_items.UNREADABLE)
    assert (copy["content"], copy["poll_id"]) == (b"later", item["poll_id"])
    assert reopened(dynamodb, errors).load(BASELINE.id).snapshot == SECOND.snapshot
    assert len(errors) == 1


def test_an_instance_whose_status_cannot_be_read_is_unknown(dynamodb: DynamoDbEngine) -> None:
    """As in the state file; the others keep their status and their time."""
    first = baseline({(ONE, EU): Status.CURRENT, (TWO, EU): Status.OUTDATED})
    dynamodb.open().commit(first)
    (item,) = dynamodb.table.query(f"instances#{BASELINE.id}")
    content = item["content"]
    assert isinstance(content, bytes)
    damaged = {**columns.decode(content), (ONE, EU): (7, "when")}
    dynamodb.table.write([{**item, "content": columns.encode(damaged)}])
    errors: list[StateError] = []
    snapshot = reopened(dynamodb, errors).load(BASELINE.id).snapshot
    assert snapshot is not None
    unknown = InstanceState(Status.UNKNOWN, first.snapshot.observed_at)
    assert snapshot.states == {**first.snapshot.states, (ONE, EU): unknown}
    assert [str(error) for error in errors] == [
        f"1 instances of {BASELINE.id} cannot be read; the table keeps a copy under pk 'unreadable'"
    ]
    assert len(list(dynamodb.table.query(dynamodb_items.UNREADABLE))) == 1
