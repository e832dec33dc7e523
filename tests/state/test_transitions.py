"""Pages of the stored transitions."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.model.diff import Change, Transition, diff
from monitor.model.instances import Product, Status
from monitor.model.paging import CursorError, TransitionFilter, encode
from monitor.model.products import ProductStatus, describe
from monitor.poller.protocols import StateError
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_transitions import transition_page
from tests.making import BASELINE, EPOCH, EU, ONE, TWO, US, baseline, detail, listing
from tests.state.damage import execute
from tests.state.engines import AnyStore, Engine

GUARDRAILS = Product("pp-bbbbbbbbbbbbb", "guardrails")
ALL = TransitionFilter(EPOCH)


def changes(product: Product, polls: int, first: datetime = EPOCH) -> Iterator[Change]:
    """Yield a baseline and polls that each change two instances; the last one finds an instance gone."""
    change = baseline({(ONE, EU): Status.CURRENT, (TWO, US): Status.OUTDATED}, product, first)
    yield change
    for number in range(1, polls + 1):
        status = Status.OUTDATED if number % 2 else Status.CURRENT
        statuses = {(ONE, EU): status, (TWO, US): Status.INOPERABLE if number % 2 else Status.OUTDATED}
        if number == polls:
            del statuses[TWO, US]
        at = first + timedelta(minutes=number)
        change = diff(change.snapshot, listing(statuses), product, f"{product.id}-{number}", at)
        yield change


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Have a file with the history of two products, and a transition of a product itself."""
    with closing(SqliteStore(tmp_path / "monitor.db")) as state:
        fill(state)
        yield state


@pytest.fixture
def any_store(engine: Engine) -> Iterator[AnyStore]:
    """Have the same with both engines."""
    with closing(engine.open()) as state:
        fill(state)
        yield state


def fill(state: AnyStore) -> None:
    """Commit the history."""
    for change in (*changes(BASELINE, 4), *changes(GUARDRAILS, 3, EPOCH + timedelta(seconds=30))):
        state.commit(change)
    tainted = detail(ProductStatus.TAINTED)
    state.save_description(BASELINE.id, describe(detail(), EPOCH, tainted, BASELINE, "poll-9", EPOCH))


def stored() -> list[Transition]:
    """Return the transitions of the file, the newest first."""
    every = [one for product in (BASELINE, GUARDRAILS) for one in history(product)]
    return sorted(every, key=lambda one: (-one.observed_at.timestamp(), one.product.id, *one.key))


def history(product: Product) -> list[Transition]:
    """Return those of one product."""
    polls, first = (4, EPOCH) if product is BASELINE else (3, EPOCH + timedelta(seconds=30))
    return [one for change in changes(product, polls, first) for one in change.transitions]


def walk(store: AnyStore, wanted: TransitionFilter, limit: int) -> list[Transition]:
    """Return all pages."""
    found: list[Transition] = []
    cursor = None
    while True:
        page = store.transitions(wanted, limit, cursor)
        assert len(page.items) <= limit
        found += page.items
        if page.cursor is None:
            return found
        cursor = page.cursor


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_every_transition_is_on_one_page(any_store: AnyStore, limit: int) -> None:
    """The newest come first, in pages of any size; transitions of products themselves are not among them."""
    assert walk(any_store, ALL, limit) == stored()


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (TransitionFilter(EPOCH + timedelta(minutes=3)), lambda one: one.observed_at >= EPOCH + timedelta(minutes=3)),
        (TransitionFilter(EPOCH, frozenset({GUARDRAILS.id})), lambda one: one.product == GUARDRAILS),
        (TransitionFilter(EPOCH, accounts=frozenset({ONE})), lambda one: one.account == ONE),
        (
            TransitionFilter(EPOCH, statuses=frozenset({Status.INOPERABLE, None})),
            lambda one: one.status in (Status.INOPERABLE, None),
        ),
        (
            TransitionFilter(EPOCH, frozenset({BASELINE.id, "pp-x"}), frozenset({ONE, TWO}), frozenset({None})),
            lambda one: one.product == BASELINE and one.status is None,
        ),
        (TransitionFilter(EPOCH, accounts=frozenset({"'"})), lambda _: False),
    ],
)
def test_filters(any_store: AnyStore, wanted: TransitionFilter, matches: Callable[[Transition], bool]) -> None:
    """Time, product, account and status each narrow the list; None stands for instances that disappeared."""
    assert walk(any_store, wanted, 2) == [one for one in stored() if matches(one)]


def test_new_transitions_do_not_move_the_pages(any_store: AnyStore) -> None:
    """What is stored between two pages is newer than the cursor: nothing is repeated or left out."""
    first = any_store.transitions(ALL, 3, None)
    later = list(changes(Product("pp-c", "later"), 2, EPOCH + timedelta(hours=1)))
    for change in later:
        any_store.commit(change)
    rest = any_store.transitions(ALL, 1000, first.cursor)
    assert [*first.items, *rest.items] == stored()
    assert any_store.transitions(ALL, 1, None).items[0].product.id == "pp-c"


def test_reading_does_not_wait_for_the_writer(store: SqliteStore, tmp_path: Path) -> None:
    """A transaction of another connection is under way, and the committed transitions are returned."""
    with closing(sqlite3.connect(tmp_path / "monitor.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM transition")
        assert walk(store, ALL, 1000) == stored()
        writer.execute("ROLLBACK")


def test_a_state_in_memory(tmp_path: Path) -> None:
    """Without a usable file the transitions since the start are returned."""
    (tmp_path / "file").touch()
    with closing(SqliteStore(tmp_path / "file" / "monitor.db")) as store:
        for change in changes(BASELINE, 4):
            store.commit(change)
        assert walk(store, ALL, 2) == [one for one in stored() if one.product == BASELINE]


def test_damaged_rows_are_left_out(store: SqliteStore, tmp_path: Path) -> None:
    """A transition that cannot be read is not on a page, and does not end the list."""
    execute(tmp_path / "monitor.db", "UPDATE transition SET observed_at = 'x' WHERE product_id = 'pp-bbbbbbbbbbbbb'")
    execute(tmp_path / "monitor.db", "UPDATE transition SET region = x'ff' WHERE status IS NULL")
    expected = [one for one in stored() if one.product == BASELINE and one.status]
    assert walk(store, ALL, 2) == expected


def test_a_query_without_end_is_interrupted(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do, and the next query works."""
    monkeypatch.setattr("monitor.state.sqlite_transitions.QUERY_SECONDS", -1.0)
    monkeypatch.setattr("monitor.state.sqlite_transitions._STEPS", 1)
    with pytest.raises(StateError, match="the query took longer than -1 s: choose a later time, or a product"):
        store.transitions(ALL, 1, None)
    monkeypatch.undo()
    assert walk(store, ALL, 1000) == stored()


@pytest.mark.parametrize(
    "cursor", ["x", encode((1, "a", "b")), encode(("1", "a", "b", "c")), encode((2**63, "a", "b", "c"))]
)
def test_a_cursor_of_another_list_is_refused(any_store: AnyStore, cursor: str) -> None:
    """The error names the cursor."""
    with pytest.raises(CursorError, match="is not a cursor of this list"):
        any_store.transitions(ALL, 1, cursor)


def test_a_query_of_one_product_reads_no_other(store: SqliteStore, tmp_path: Path) -> None:
    """A product without transitions takes no longer in a long history: an index leads to those of the product."""
    queries: list[str] = []
    with closing(sqlite3.connect(tmp_path / "monitor.db")) as connection:
        connection.set_trace_callback(queries.append)
        transition_page(connection, TransitionFilter(EPOCH, frozenset({"pp-x"})), 1, None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {queries[0]}").fetchall()
    assert "transition_by_product (product_id=? AND observed_at>? AND observed_at<?)" in str(plan)
