"""The diff of two listings: examples and properties."""

import random
from collections.abc import Mapping
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from monitor.aws.listing import ListingBuilder, Page
from monitor.model.diff import Transition, apply, diff, net_change
from monitor.model.instances import InstanceKey, InstanceState, Status
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, listing, snapshot

Statuses = Mapping[InstanceKey, Status]

keys = st.tuples(st.sampled_from([ONE, TWO, THREE, "444444444444"]), st.sampled_from([EU, US, "ap-southeast-2"]))
fleets = st.dictionaries(keys, st.sampled_from(list(Status)))


def held(states: Mapping[InstanceKey, InstanceState]) -> Statuses:
    """Return the statuses without their times."""
    return {key: instance_state.status for key, instance_state in states.items()}


def test_first_snapshot_is_a_baseline_without_transitions() -> None:
    """There is nothing to compare it with."""
    change = diff(None, listing({(ONE, EU): Status.OUTDATED}), BASELINE, "poll-1", EPOCH)
    assert change.baseline
    assert change.transitions == ()
    assert change.snapshot.states == {(ONE, EU): InstanceState(Status.OUTDATED, EPOCH)}
    assert change.snapshot.counts == {Status.CURRENT: 0, Status.OUTDATED: 1, Status.INOPERABLE: 0}


def test_changed_new_and_removed_instances_are_transitions() -> None:
    """Each of the three kinds of transition has its previous status, its status and the time since."""
    before = snapshot({(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.INOPERABLE})
    now = listing({(ONE, EU): Status.CURRENT, (ONE, US): Status.OUTDATED, (THREE, EU): Status.CURRENT})
    change = diff(before, now, BASELINE, "poll-2", LATER)

    def transition(
        event_id: str, key: InstanceKey, previous: Status | None, status: Status | None, since: datetime | None
    ) -> Transition:
        return Transition(event_id, "poll-2", BASELINE, *key, previous, status, since, LATER)

    assert change.transitions == (
        transition("7fd759bb-7619-52c0-ac5f-3f58e9e7233f", (ONE, US), Status.CURRENT, Status.OUTDATED, EPOCH),
        transition("757a7860-aa28-5b8c-8e5b-6053cdb0d056", (TWO, EU), Status.INOPERABLE, None, EPOCH),
        transition("5c7240b6-8f75-51a1-a105-ea8e733257f7", (THREE, EU), None, Status.CURRENT, None),
    )
    assert change.snapshot.states == {
        (ONE, EU): InstanceState(Status.CURRENT, EPOCH),
        (ONE, US): InstanceState(Status.OUTDATED, LATER),
        (THREE, EU): InstanceState(Status.CURRENT, LATER),
    }
    assert change.snapshot.counts == {Status.CURRENT: 2, Status.OUTDATED: 1, Status.INOPERABLE: 0}


def test_unknown_status_is_a_status_like_any_other() -> None:
    """An instance goes to UNKNOWN and back, with a transition each way."""
    before = snapshot({(ONE, EU): Status.CURRENT})
    there = diff(before, listing({(ONE, EU): Status.UNKNOWN}), BASELINE, "poll-2", LATER)
    assert there.snapshot.counts == {Status.CURRENT: 0, Status.OUTDATED: 0, Status.INOPERABLE: 0, Status.UNKNOWN: 1}
    back = diff(there.snapshot, listing({(ONE, EU): Status.CURRENT}), BASELINE, "poll-3", LATER)
    assert [(t.previous_status, t.status) for t in there.transitions + back.transitions] == [
        (Status.CURRENT, Status.UNKNOWN),
        (Status.UNKNOWN, Status.CURRENT),
    ]


def test_event_ids_are_derived_from_the_poll() -> None:
    """The same poll gives the same ids, another poll gives others."""
    before = snapshot({(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT})
    now = listing({(ONE, EU): Status.OUTDATED, (ONE, US): Status.OUTDATED})
    first, again, other = (diff(before, now, BASELINE, poll, LATER) for poll in ("poll-2", "poll-2", "poll-3"))
    assert first == again
    ids = {t.event_id for t in first.transitions + other.transitions}
    assert len(ids) == 4


@given(fleets)
def test_equal_listings_have_no_diff(fleet: Statuses) -> None:
    """diff(x, x) is empty, and the states are shared, not copied."""
    before = snapshot(fleet)
    change = diff(before, listing(fleet), BASELINE, "poll-2", LATER)
    assert change.transitions == ()
    assert change.snapshot.states is before.states
    assert change.snapshot.observed_at == LATER


@given(fleets, fleets)
def test_applying_a_diff_gives_the_new_listing(old: Statuses, new: Statuses) -> None:
    """The transitions are complete, and the counts are those of the new listing."""
    before = snapshot(old)
    change = diff(before, listing(new), BASELINE, "poll-2", LATER)
    assert held(apply(before.states, change.transitions)) == new
    assert held(change.snapshot.states) == new
    assert {status: n for status, n in change.snapshot.counts.items() if n} == {
        status: sum(held is status for held in new.values()) for status in set(new.values())
    }


@given(fleets, fleets)
def test_each_difference_is_exactly_one_transition(old: Statuses, new: Statuses) -> None:
    """No transition is repeated, and an unchanged instance has none and keeps its time."""
    change = diff(snapshot(old), listing(new), BASELINE, "poll-2", LATER)
    different = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
    assert [t.key for t in change.transitions] == sorted(different)
    for t in change.transitions:
        assert (t.previous_status, t.status) == (old.get(t.key), new.get(t.key))
        assert (t.previous_since is None) == (t.key not in old)
    for key, instance_state in change.snapshot.states.items():
        assert instance_state.since == (LATER if key in different else EPOCH)


@given(fleets, fleets, fleets)
def test_two_diffs_in_a_row_end_where_one_diff_ends(first: Statuses, second: Statuses, third: Statuses) -> None:
    """The intermediate listing does not matter."""
    start = snapshot(first)
    middle = diff(start, listing(second), BASELINE, "poll-2", LATER).snapshot
    end = diff(middle, listing(third), BASELINE, "poll-3", LATER).snapshot
    assert held(end.states) == held(diff(start, listing(third), BASELINE, "poll-4", LATER).snapshot.states)


@given(fleets, fleets, fleets)
def test_net_change_is_the_difference_between_its_ends(first: Statuses, second: Statuses, third: Statuses) -> None:
    """What changed and changed back is left out; the snapshot keeps the times that the polls saw."""
    start = snapshot(first)
    middle = diff(start, listing(second), BASELINE, "poll-2", LATER).snapshot
    last = diff(middle, listing(third), BASELINE, "poll-3", LATER)
    net = net_change(start, last)
    assert net.snapshot is last.snapshot
    assert net.transitions == diff(start, listing(third), BASELINE, "poll-3", LATER).transitions
    assert net_change(None, last).transitions == ()


@given(fleets, fleets, st.randoms(use_true_random=False))
def test_order_and_duplicates_of_items_do_not_matter(old: Statuses, new: Statuses, chance: random.Random) -> None:
    """In whatever order AWS lists the items, and whichever it lists twice, the diff is the same."""

    def listed(items: list[dict[str, str]]) -> ListingBuilder:
        builder = ListingBuilder()
        builder.add(Page(items, None))
        return builder

    items = [
        {"Account": account, "Region": region, "StackInstanceStatus": status.value}
        for (account, region), status in new.items()
    ]
    shuffled = items + chance.choices(items, k=3) if items else []
    chance.shuffle(shuffled)
    in_order = diff(snapshot(old), listed(items).listing(), BASELINE, "poll-2", LATER)
    shuffled_change = diff(snapshot(old), listed(shuffled).listing(), BASELINE, "poll-2", LATER)
    assert in_order == shuffled_change
