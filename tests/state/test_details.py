"""Details of a product in the state: they explain its instances right after a restart."""

import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.diff import Change, diff, explained
from monitor.model.instances import Status
from monitor.model.products import ProductStatus, describe
from monitor.state import details as module
from monitor.state.details import decode_details, encode_details
from monitor.state.sqlite import SqliteStore
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, US, baseline, detail, listing

DETAILS = StackSetDetails(
    {
        (ONE, EU): InstanceDetail("FAILED", "no quota", "op-1", "DRIFTED", LATER, "ou-1", "arn:aws:cloudformation:..."),
        (TWO, EU): InstanceDetail("SKIPPED_SUSPENDED_ACCOUNT"),
    },
    {"DRIFTED": 1, "IN_SYNC": 2},
    Operation("op-1", "UPDATE", "RUNNING", "", EPOCH, None, Progress(4, 1, 1), {US: Progress(2, 1, 0), EU: None}),
)
FLEET = {(ONE, EU): Status.OUTDATED, (TWO, EU): Status.OUTDATED, (ONE, US): Status.CURRENT}


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    """Return an empty store."""
    return SqliteStore(tmp_path / "monitor.db")


def committed(store: SqliteStore, details: StackSetDetails | None) -> Change:
    """Commit a baseline with details."""
    change = replace(baseline(FLEET), details=details)
    store.commit(change)
    return change


def test_details_survive_a_restart(store: SqliteStore, tmp_path: Path) -> None:
    """All of them, except why they could not be read."""
    committed(store, replace(DETAILS, error=None))
    store.close()
    assert SqliteStore(tmp_path / "monitor.db").load(BASELINE.id).details == DETAILS


def test_a_source_without_details_stores_none(store: SqliteStore) -> None:
    """Nor does a poll without details delete the last ones: it may be that of a version that has none."""
    committed(store, None)
    assert store.load(BASELINE.id).details is None


def test_details_are_replaced_and_deleted_with_their_product(store: SqliteStore) -> None:
    """A product that comes back begins without an explanation."""
    change = committed(store, DETAILS)
    same = diff(change.snapshot, listing(FLEET), BASELINE, "poll-1", LATER)
    store.commit(explained(same, StackSetDetails()))
    assert store.load(BASELINE.id).details == StackSetDetails()
    store.delete_products(lambda _: True)
    committed(store, None)
    assert store.load(BASELINE.id).details is None


def test_the_reason_of_a_transition_is_stored_with_it(store: SqliteStore) -> None:
    """The outbox logs what the poll found out, also after a restart."""
    change = committed(store, None)
    now = {**FLEET, (ONE, EU): Status.INOPERABLE}
    changed = explained(diff(change.snapshot, listing(now), BASELINE, "poll-1", LATER), DETAILS)
    failed = replace(detail(ProductStatus.TAINTED), status_message="1 of 3 failed", errors=("Code: 1 of 3 failed", ""))
    store.commit(changed, describe(detail(), EPOCH, failed, BASELINE, "poll-1", LATER))
    product, instance = (transition for _, transition in store.unpublished(10))
    assert (instance,) == changed.transitions
    assert instance is not None
    assert (instance.status_reason, product and product.status_reason) == (
        "no quota",
        "1 of 3 failed; Code: 1 of 3 failed",
    )


@pytest.mark.parametrize("content", [None, b"", b"x", zlib.compress(b"[]"), zlib.compress(b'{"a": 1}')])
def test_details_that_cannot_be_read_are_none(content: object) -> None:
    """They are read again from CloudFormation."""
    assert decode_details(content) is None


@given(
    st.dictionaries(
        st.tuples(st.text(), st.text()), st.builds(InstanceDetail, st.text(), st.text(), st.text(), st.text())
    )
)
def test_any_text_comes_back(instances: dict[tuple[str, str], InstanceDetail]) -> None:
    """Whatever CloudFormation writes into a reason."""
    assert decode_details(encode_details(StackSetDetails(instances))) == StackSetDetails(instances)


def test_very_large_details_are_stored_without_their_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rollout is kept, and the reasons are read again after a restart."""
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    assert decode_details(encode_details(DETAILS)) == replace(DETAILS, instances={})
