"""What only the store in DynamoDB does: several owners, lost answers, costs and limits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.aws.dynamodb import DynamoDbTable
from monitor.config.settings import TableSettings
from monitor.model.diff import Change, diff
from monitor.model.instances import InstanceKey, Product, Status
from monitor.model.products import ProductStatus
from monitor.poller.protocols import NotOwnerError, StateError
from monitor.simulation.aws import ENVIRONMENT
from monitor.state import dynamodb_items
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.migrate import DynamoDbSource
from monitor.state.table import Item, Key, Table, Value
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, baseline, listing
from tests.state.engines import DAY, DynamoDbEngine, OwnEpoch
from tests.state.values import CHANGED, STATUSES, described

FIRST = baseline(STATUSES)
SECOND = diff(FIRST.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
THIRD = diff(SECOND.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))


class FlakyTable:
    """A table that counts what it writes, and fails before or after it wrote."""

    def __init__(self, table: Table) -> None:
        """Pass everything on."""
        self._table = table
        self.written: list[Item] = []
        self.deleted: list[Key] = []
        self.fail_before = self.fail_after = False

    def get(self, key: Key) -> Item | None:
        """Pass it on."""
        return self._table.get(key)

    def query(self, partition: str, first: str = "", last: str = "\uffff") -> Iterator[Item]:
        """Pass it on."""
        return self._table.query(partition, first, last)

    def write(
        self, items: Sequence[Item], deleted: Sequence[Key] = (), expected: Mapping[str, Value | None] | None = None
    ) -> bool:
        """Fail as it is set."""
        if self.fail_before:
            raise StateError("not written")
        result = self._table.write(items, deleted, expected)
        self.written += items
        self.deleted += deleted
        if self.fail_after:
            raise StateError("the answer was lost")
        return result

    def raise_number(self, key: Key, name: str, value: int) -> Item | None:
        """Pass it on."""
        return self._table.raise_number(key, name, value)


def ids(store: DynamoDbStore) -> list[str]:
    """Return the ids of the unpublished transitions."""
    return [transition.event_id for _, transition in store.unpublished(1000)]


def ids_of(*changes: Change) -> list[str]:
    """Return the ids of the transitions of some changes."""
    return [transition.event_id for change in changes for transition in change.transitions]


def test_a_former_owner_cannot_write(dynamodb: DynamoDbEngine) -> None:
    """Once the next owner has loaded a product, every write of the one before is refused."""
    old = dynamodb.open()
    old.commit(FIRST)
    new = DynamoDbStore(dynamodb.table, OwnEpoch(2), DAY)
    assert new.load(BASELINE.id).snapshot == FIRST.snapshot
    for write in (
        lambda: old.commit(SECOND),
        lambda: old.save_description(BASELINE.id, described(ProductStatus.TAINTED)),
        lambda: old.mark_missing(BASELINE.id),
        lambda: old.load(BASELINE.id),
    ):
        with pytest.raises(NotOwnerError, match=r"^another replica has taken over pp-a+; nothing was written$"):
            write()
    stored = dynamodb.reader().load(BASELINE.id)
    assert (stored.snapshot, stored.missing, stored.detail) == (FIRST.snapshot, False, None)
    assert list(dynamodb.reader().transitions(EPOCH)) == []
    new.commit(SECOND)
    assert ids(new) == ids_of(SECOND)


def test_a_product_that_another_replica_owned_meanwhile_is_loaded_before_a_commit(dynamodb: DynamoDbEngine) -> None:
    """A poll compared with the snapshot of before: what the other replica found would get a second id."""
    epoch = OwnEpoch(1)
    store = DynamoDbStore(dynamodb.table, epoch, DAY)
    store.commit(FIRST)
    store.release(lambda _: True)
    other = DynamoDbStore(dynamodb.table, OwnEpoch(2), DAY)
    other.load(BASELINE.id)
    other.commit(SECOND)
    epoch.number = 3
    late = diff(FIRST.snapshot, listing(CHANGED), BASELINE, "poll-of-before", LATER + timedelta(minutes=1))
    message = r"^pp-a+ was not loaded since another replica may have owned it; nothing was written$"
    with pytest.raises(NotOwnerError, match=message):
        store.commit(late)
    with pytest.raises(NotOwnerError, match=message):
        store.save_description(BASELINE.id, described(ProductStatus.TAINTED))
    with pytest.raises(NotOwnerError, match=message):
        store.mark_missing(BASELINE.id)
    assert [one.event_id for one in dynamodb.reader().transitions(EPOCH)] == ids_of(SECOND)
    assert store.load(BASELINE.id).snapshot == SECOND.snapshot
    store.commit(THIRD)
    assert ids(store) == ids_of(SECOND, THIRD)


def test_the_next_owner_publishes_what_was_not_published(dynamodb: DynamoDbEngine) -> None:
    """Under the same ids; the former owner forgets it."""
    old = dynamodb.open()
    for change in (FIRST, SECOND, THIRD):
        old.commit(change)
    old.mark_published(len(SECOND.transitions))
    new = DynamoDbStore(dynamodb.table, OwnEpoch(2), DAY)
    new.load(BASELINE.id)
    new.load(BASELINE.id)
    assert ids(new) == ids_of(THIRD)
    old.release(lambda product_id: product_id == BASELINE.id)
    assert ids(old) == []


def test_unpublished_transitions_outlive_the_time_to_live(dynamodb: DynamoDbEngine) -> None:
    """DynamoDB may delete the history before its transitions are published: they are published all the same."""
    store = dynamodb.open()
    for change in (FIRST, SECOND):
        store.commit(change)
    (expiring,) = [key for key, item in every_item(dynamodb).items() if "expires" in item]
    assert dynamodb.table.write((), [expiring])
    assert ids_after_restart(dynamodb) == ids_of(SECOND)
    assert [t.event_id for t in DynamoDbSource(dynamodb.table).all_transitions(published=False)] == ids_of(SECOND)


def every_item(dynamodb: DynamoDbEngine) -> dict[Key, Item]:
    """Return the items of the outbox and of the history of the day of the changes, by key."""
    partitions = (dynamodb_items.OUTBOX, f"history#{LATER:%Y-%m-%d}")
    return {(str(i["pk"]), str(i["sk"])): i for name in partitions for i in dynamodb.table.query(name)}


def test_transitions_of_a_product_that_is_not_monitored_any_more_are_published(dynamodb: DynamoDbEngine) -> None:
    """The next owner takes them over without loading the product; it asks for no others."""
    old = dynamodb.open()
    old.commit(FIRST)
    old.commit(SECOND)
    new = dynamodb.open()
    new.adopt_unpublished()
    new.adopt_unpublished()
    new.load(BASELINE.id)
    assert ids(new) == ids_of(SECOND)


@pytest.mark.parametrize("restart", [True, False])
def test_a_commit_whose_answer_was_lost(dynamodb: DynamoDbEngine, restart: bool) -> None:
    """It may have been carried out: its transitions are published once and under their ids, also after a restart."""
    table = FlakyTable(dynamodb.table)
    store = DynamoDbStore(table, OwnEpoch(), DAY)
    store.commit(FIRST)
    table.fail_after = True
    with pytest.raises(StateError, match="lost"):
        store.commit(SECOND)
    table.fail_after = False
    assert ids(store) == []
    if restart:
        store = dynamodb.open()
        assert store.load(BASELINE.id).snapshot == SECOND.snapshot
        store.commit(THIRD)
    else:
        store.commit(replace(THIRD, earlier=SECOND.transitions))
    assert ids(store) == ids_of(SECOND, THIRD)
    assert dynamodb.reader().load(BASELINE.id).snapshot == THIRD.snapshot
    assert [t.event_id for t in dynamodb.reader().transitions(EPOCH)] == ids_of(SECOND, THIRD)


def test_a_poll_without_changes_writes_one_small_item_each_ten_minutes(dynamodb: DynamoDbEngine) -> None:
    """A poll each minute writes its time twice in 20 minutes, and the last one is read after a restart."""
    table = FlakyTable(dynamodb.table)
    store = DynamoDbStore(table, OwnEpoch(), DAY)
    store.commit(FIRST, described(ProductStatus.AVAILABLE))
    table.written.clear()
    last = FIRST.snapshot
    for minute in range(1, 21):
        change = diff(last, listing(STATUSES), BASELINE, f"poll-{minute}", EPOCH + timedelta(minutes=minute))
        store.commit(change, described(ProductStatus.AVAILABLE))
        last = change.snapshot
    assert [item["pk"] for item in table.written] == ["product"] * 2
    assert dynamodb.open().load(BASELINE.id).snapshot == last
    store.commit(replace(FIRST, previous=last, snapshot=last), described(ProductStatus.TAINTED))
    assert [item["pk"] for item in table.written[2:]] == ["product"]


def test_published_transitions_are_removed_from_the_outbox_later(dynamodb: DynamoDbEngine) -> None:
    """If that fails, they are not published again, and the next call removes them."""
    table = FlakyTable(dynamodb.table)
    store = DynamoDbStore(table, OwnEpoch(), DAY)
    for change in (FIRST, SECOND):
        store.commit(change)
    table.fail_before = True
    with pytest.raises(StateError):
        store.mark_published(len(SECOND.transitions))
    table.fail_before = False
    assert ids(store) == []
    assert ids_after_restart(dynamodb) == ids_of(SECOND)
    store.mark_published(0)
    assert len(table.deleted) == 1
    assert ids_after_restart(dynamodb) == []


def ids_after_restart(dynamodb: DynamoDbEngine) -> list[str]:
    """Return the ids of the unpublished transitions that a new process finds."""
    store = dynamodb.open()
    store.load(BASELINE.id)
    return ids(store)


def test_a_large_product_has_several_items(dynamodb: DynamoDbEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it shrinks, those that it does not need any more are deleted; its transitions are several items, too."""
    monkeypatch.setattr(dynamodb_items, "ITEM_ROWS", 100)
    large: dict[InstanceKey, Status] = {(f"{n:012}", EU): Status.CURRENT for n in range(1000)}
    small = dict(list(large.items())[:250])
    store = dynamodb.open()
    first = baseline(large)
    store.commit(first)
    change = diff(first.snapshot, listing(small), BASELINE, "poll-2", LATER)
    store.commit(change)
    again = dynamodb.open()
    assert again.load(BASELINE.id).snapshot == change.snapshot
    assert ids(again) == ids_of(change)
    assert len(list(dynamodb.table.query(f"instances#{BASELINE.id}"))) == 3


def test_a_product_that_no_transaction_holds_is_refused(
    dynamodb: DynamoDbEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what it needs and what to do; nothing of it is written."""
    monkeypatch.setattr(dynamodb_items, "ITEM_ROWS", 1)
    huge: dict[InstanceKey, Status] = {(f"{n:012}", EU): Status.CURRENT for n in range(100)}
    with pytest.raises(
        StateError, match=r"^product pp-\w+ needs 101 items of 0\.0 MB in one transaction, .*state\.path"
    ):
        dynamodb.open().commit(baseline(huge))
    assert dynamodb.open().load(BASELINE.id).snapshot is None


def test_products_that_are_not_monitored_are_pruned(dynamodb: DynamoDbEngine) -> None:
    """Only those of this replica, and none if everything is old, since the clock may be wrong."""
    store = dynamodb.open()
    new, old = datetime.now(UTC), EPOCH
    for name, moment in (("pp-new", new), ("pp-old", old), ("pp-monitored", old)):
        store.commit(baseline({(ONE, EU): Status.CURRENT}, Product(name, name), moment))
    store.prune(new + timedelta(days=1), {"pp-monitored"})
    assert {product.id for product in dynamodb.reader().products()} == {"pp-new", "pp-old", "pp-monitored"}
    store.prune(new - timedelta(days=1), {"pp-monitored"})
    assert {product.id for product in dynamodb.reader().products()} == {"pp-new", "pp-monitored"}
    assert list(dynamodb.table.query("instances#pp-old")) == []


def test_discovered_products_are_stored(dynamodb: DynamoDbEngine) -> None:
    """The last search of a source replaces the one before."""
    store = dynamodb.open()
    assert store.discovered_products("hub") == ()
    store.save_discovered_products("hub", [Product("pp-one", "one"), BASELINE])
    store.save_discovered_products("hub", [BASELINE])
    assert store.discovered_products("hub") == [BASELINE]


def test_a_missing_table_is_explained(dynamodb: DynamoDbEngine) -> None:
    """The message names the table and its Region, and the command that prints it."""
    table = DynamoDbTable(TableSettings("none", "eu-west-1", dynamodb.settings.endpoint))
    with pytest.raises(StateError, match=r"^the DynamoDB table none in eu-west-1: .*ResourceNotFound.*aws-tem"):
        table.get(("a", "b"))
    with pytest.raises(StateError, match="ResourceNotFoundException"):
        table.write([{"pk": "a", "sk": "b"}])
    with pytest.raises(StateError, match="ResourceNotFoundException"):
        table.raise_number(("a", "b"), "epoch", 1)


def test_a_table_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is an error of the state."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    table = DynamoDbTable(TableSettings("state", "eu-west-1", "http://127.0.0.1:9"))
    with pytest.raises(StateError, match=r"^the DynamoDB table state in eu-west-1: Could not connect"):
        table.get(("a", "b"))
