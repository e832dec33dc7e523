"""What a store keeps is read back complete, also after a restart. Each test runs with both engines."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.diff import Transition, diff
from monitor.model.instances import InstanceKey, Product, Snapshot, Status
from monitor.model.products import ProductStatus
from monitor.poller.protocols import StoredProduct
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, baseline, detail, listing, snapshot
from tests.state.engines import AnyStore, Engine
from tests.state.values import CHANGED, STATUSES, described


@pytest.fixture
def number() -> Iterator[int]:
    """Count, because all examples of a property share one state."""
    return count()


@pytest.fixture
def state(engine: Engine) -> Iterator[AnyStore]:
    """Open a new state."""
    with closing(engine.open()) as opened:
        yield opened


def test_an_unknown_product_has_no_snapshot(state: AnyStore) -> None:
    """A product that was never polled has no snapshot and is not missing."""
    assert state.load(BASELINE.id) == StoredProduct(None, missing=False)


def test_a_baseline_is_loaded_after_a_restart(engine: Engine) -> None:
    """Statuses, times and counts of a snapshot are the same after the state is opened again."""
    with closing(engine.open()) as state:
        state.commit(baseline(STATUSES))
    with closing(engine.open()) as state:
        assert state.load(BASELINE.id) == StoredProduct(baseline(STATUSES).snapshot, missing=False)


def test_a_change_is_loaded_with_its_transitions(state: AnyStore) -> None:
    """Changed, new and removed instances are stored as the diff says, and the transitions in order."""
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    assert state.load(BASELINE.id).snapshot == change.snapshot
    assert [transition for _, transition in state.unpublished(10)] == list(change.transitions)


def test_transitions_of_earlier_polls_are_stored_first(state: AnyStore) -> None:
    """They could not be committed when they were found; an instance may have come and gone meanwhile."""
    first = baseline(STATUSES)
    there = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    back = diff(there.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))
    state.commit(first)
    state.commit(replace(back, earlier=there.transitions))
    assert state.load(BASELINE.id).snapshot == back.snapshot
    assert [transition for _, transition in state.unpublished(10)] == [*there.transitions, *back.transitions]


def test_transitions_that_were_stored_before_are_not_stored_twice(state: AnyStore) -> None:
    """A commit that reported an error may have been written; the poller commits its transitions again."""
    first = baseline(STATUSES)
    there = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    back = diff(there.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))
    state.commit(first)
    state.commit(there)
    state.commit(replace(back, earlier=there.transitions))
    assert [transition for _, transition in state.unpublished(10)] == [*there.transitions, *back.transitions]


def test_products_are_stored_separately(state: AnyStore) -> None:
    """The same account and Region in two products are two instances."""
    other = Product("pp-other", "other")
    state.commit(baseline(STATUSES))
    state.commit(baseline({(ONE, EU): Status.INOPERABLE}, other))
    assert state.load(BASELINE.id).snapshot == baseline(STATUSES).snapshot
    assert state.load("pp-other").snapshot == baseline({(ONE, EU): Status.INOPERABLE}, other).snapshot


def test_published_transitions_are_not_returned_again(state: AnyStore) -> None:
    """Marking covers all transitions up to a position; later ones stay unpublished."""
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    (position, transition), *_ = state.unpublished(1)
    state.mark_published(position)
    assert transition == change.transitions[0]
    assert [t for _, t in state.unpublished(10)] == list(change.transitions[1:])


def test_a_missing_product_keeps_its_snapshot(state: AnyStore) -> None:
    """A product is marked as missing until its next complete listing."""
    first = baseline(STATUSES)
    state.commit(first)
    state.mark_missing(BASELINE.id)
    assert state.load(BASELINE.id) == StoredProduct(first.snapshot, missing=True)
    state.commit(diff(first.snapshot, listing(STATUSES), BASELINE, "poll-2", LATER))
    assert state.load(BASELINE.id).missing is False


def test_a_product_without_a_snapshot_can_be_missing(state: AnyStore) -> None:
    """A product that AWS never knew is missing and has no snapshot."""
    state.mark_missing(BASELINE.id)
    assert state.load(BASELINE.id) == StoredProduct(None, missing=True)


def test_each_commit_calls_on_commit(engine: Engine) -> None:
    """Each commit is reported, because the time of the last commit is a metric."""
    commits: list[str] = []
    with closing(engine.open(lambda: commits.append("commit"))) as state:
        state.commit(baseline(STATUSES))
        state.mark_missing(BASELINE.id)
    assert commits == ["commit", "commit"]


listings = st.dictionaries(
    st.tuples(st.sampled_from([ONE, TWO, THREE]), st.sampled_from([EU, US])), st.sampled_from(list(Status))
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(listings, min_size=1, max_size=5))
def test_any_sequence_of_changes_is_stored(
    engine: Engine, number: Iterator[int], sequence: list[dict[InstanceKey, Status]]
) -> None:
    """After any sequence of changes the store has the last snapshot and every transition once."""
    product = Product(f"pp-{next(number)}", "any")
    snapshot: Snapshot | None = None
    expected: list[Transition] = []
    with closing(engine.open()) as state:
        for place, statuses in enumerate(sequence):
            at = EPOCH + timedelta(minutes=10 * place)  # DynamoDB writes the time of a poll without a change that often
            change = diff(snapshot, listing(statuses), product, f"poll-{place}", at)
            state.commit(change)
            snapshot = change.snapshot
            expected.extend(change.transitions)
    with closing(engine.open()) as state:
        assert state.load(product.id).snapshot == snapshot
        found = state.unpublished(1000)
        assert [transition for _, transition in found] == expected
        if found:
            state.mark_published(found[-1][0])


def test_the_history_is_read_beside_a_daemon(engine: Engine, state: AnyStore) -> None:
    """Transitions are filtered by time, product and account, oldest first."""
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)

    def found(*products: str, accounts: tuple[str, ...] = (), since: timedelta = timedelta()) -> list[InstanceKey]:
        return [t.key for t in engine.transitions(LATER + since, products, accounts)]

    everything = [t.key for t in change.transitions]
    assert found() == found(BASELINE.id) == found(BASELINE.id, "pp-other") == everything
    assert found("pp-other") == []
    assert found(accounts=(THREE,)) == [(THREE, EU)]
    assert found(since=timedelta(milliseconds=1)) == []


def test_the_description_of_a_product_is_stored(engine: Engine) -> None:
    """A description is stored with the snapshot of its poll, or alone if the listing failed."""
    with closing(engine.open()) as state:
        state.save_description(BASELINE.id, described(ProductStatus.TAINTED))
        assert state.load(BASELINE.id) == StoredProduct(
            None, missing=False, detail=detail(ProductStatus.TAINTED), status_since=EPOCH
        )
        state.commit(baseline({(ONE, EU): Status.CURRENT}), described(ProductStatus.AVAILABLE, ProductStatus.TAINTED))
    with closing(engine.open()) as state:
        stored = state.load(BASELINE.id)
        assert (stored.detail, stored.status_since) == (detail(ProductStatus.AVAILABLE), LATER)
        assert stored.snapshot == snapshot({(ONE, EU): Status.CURRENT})


def test_transitions_of_products_and_instances_have_one_order(engine: Engine) -> None:
    """They are published in the order of writing; the history has those of instances only."""
    first = baseline({(ONE, EU): Status.CURRENT})
    change = diff(first.snapshot, listing({(ONE, EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
    product = described(ProductStatus.UNDER_CHANGE, ProductStatus.AVAILABLE)
    with closing(engine.open()) as state:
        state.commit(first)
        state.commit(change, product)
        assert [transition for _, transition in state.unpublished(9)] == [product.transition, *change.transitions]
        assert list(engine.transitions(EPOCH)) == list(change.transitions)
