"""A disappearance is accepted only if two listings in a row miss the same instance."""

import random
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Anomaly, InstanceKey, Listing, Status
from monitor.poller.confirmation import list_confirmed
from tests.making import EU, ONE, THREE, TWO, US, listing, snapshot

A, B, C, D = (ONE, EU), (ONE, US), (TWO, EU), (TWO, US)
INVALID = {Anomaly.INVALID_ITEM: 2}


def states(*keys: InstanceKey) -> Mapping[InstanceKey, Status]:
    """Return some instances, all CURRENT."""
    return dict.fromkeys(keys, Status.CURRENT)


def listings_of(*answers: Listing) -> tuple[Callable[[], Listing], list[Listing]]:
    """Return a function that returns the answers one by one, and the answers that are left."""
    left = list(answers)
    return lambda: left.pop(0), left


@pytest.mark.parametrize(
    ("answers", "accepted"),
    [
        ([[A, B, C, D]], 0),
        ([[A, B, C, D, (THREE, EU)]], 0),
        ([[A, B, C], [A, B, C, D]], 1),
        ([[A, B, C], [A, B, C]], 1),
        ([[A, B, C], [A, B, C, (THREE, EU)]], 1),
        ([[], []], 1),
        ([[A, B, C], [A, B, D], [A, B, C, D]], 2),
        ([[A, B, C], [A, B], [A, B]], 2),
        ([[A, B, C, (THREE, EU)], [A, B, C], [A, B, C]], 2),
    ],
    ids=str,
)
def test_listing_is_accepted_if_it_lacks_nothing_of_the_one_before(
    answers: Sequence[Sequence[InstanceKey]], accepted: int
) -> None:
    """The last snapshot counts as the listing before the first, and no listing more than needed is made."""
    list_once, left = listings_of(*(listing(states(*keys)) for keys in answers), listing({}))
    found = list_confirmed(list_once, snapshot(states(A, B, C, D)).states, 1.0)
    assert found == listing(states(*answers[accepted]))
    assert len(left) == 1


def test_first_listing_of_a_product_is_accepted() -> None:
    """Nothing is known that could be missing."""
    list_once, _ = listings_of(listing({}, anomalies=INVALID))
    assert list_confirmed(list_once, {}, 0.0) == listing({}, anomalies=INVALID)


def test_status_of_the_second_listing_is_accepted() -> None:
    """The second listing is the newer truth about every instance."""
    list_once, _ = listings_of(listing({A: Status.CURRENT}), listing({A: Status.OUTDATED}))
    assert list_confirmed(list_once, snapshot(states(A, B)).states, 1.0).statuses == {A: Status.OUTDATED}


def test_three_unstable_listings_fail_the_poll() -> None:
    """Each listing misses an instance that the one before it had."""
    list_once, left = listings_of(*(listing(states(*keys)) for keys in ([A, B, C], [A, B, D], [A, C, D], [A])))
    with pytest.raises(PollFailedError, match=r"^the list changed during each of 3 listings: 1 stack inst") as caught:
        list_confirmed(list_once, snapshot(states(A, B, C, D)).states, 0.5)
    assert (caught.value.reason, caught.value.error_code) == (Reason.INCOMPLETE, "UnstableListing")
    assert len(left) == 1


@pytest.mark.parametrize("complete_first", [False, True])
def test_listing_with_invalid_items_makes_nothing_disappear(complete_first: bool) -> None:
    """A missing instance may be one of the items that could not be read."""
    first = [listing(states(A, B, C))] if complete_first else []
    list_once, _ = listings_of(*first, listing(states(A, B, C), anomalies=INVALID), listing({}))
    with pytest.raises(PollFailedError, match=r"^1 known .* missing from a listing with 2 items") as caught:
        list_confirmed(list_once, snapshot(states(A, B, C, D)).states, 0.5)
    assert (caught.value.reason, caught.value.error_code) == (Reason.INCOMPLETE, "InvalidItems")


def test_listing_with_invalid_items_is_accepted_if_nothing_is_missing() -> None:
    """The items are counted, and every known instance is there."""
    list_once, _ = listings_of(listing(states(A, B), anomalies=INVALID))
    assert list_confirmed(list_once, snapshot(states(A)).states, 0.5).anomalies == INVALID


@pytest.mark.parametrize(
    ("first", "share", "counted"),
    [([A, B], 0.5, False), ([A], 0.5, True), ([A, B, C], 0.0, True), ([], 1.0, False), ([A, B, C, D], 0.0, False)],
)
def test_shrink_counts_what_the_first_listing_lost(first: Sequence[InstanceKey], share: float, counted: bool) -> None:
    """More than the share `confirm_shrink`, whatever the second listing has."""
    list_once, _ = listings_of(listing(states(*first)), listing(states(A, B, C, D)))
    found = list_confirmed(list_once, snapshot(states(A, B, C, D)).states, share)
    assert found.anomalies == ({Anomaly.SHRINK: 1} if counted else {})


def test_replaced_instances_are_a_loss() -> None:
    """As many new instances as lost ones leave the number as it was, and are confirmed all the same."""
    list_once, left = listings_of(listing(states(C, D)), listing(states(C, D)))
    found = list_confirmed(list_once, snapshot(states(A, B)).states, 0.5)
    assert found.anomalies == {Anomaly.SHRINK: 1}
    assert left == []


class ChangingList:
    """A list that is paged by position and changes between two pages; each key comes or goes at most once."""

    def __init__(self, size: int, page_size: int, chance: random.Random, rate: float) -> None:
        self.items = [(f"{n:012}", EU) for n in range(size)]
        self.page_size = page_size
        self.chance = chance
        self.rate = rate
        self.removed: set[InstanceKey] = set()
        self.added = 0

    def known(self) -> Mapping[InstanceKey, Status]:
        """Return the instances as the last poll saw them."""
        return states(*self.items)

    def change(self) -> None:
        """Remove some instances of the beginning, and add some anywhere."""
        while self.chance.random() < self.rate:
            if self.chance.random() < 0.5:
                self.added += 1
                self.items.insert(self.chance.randint(0, len(self.items)), (f"{self.added:012}", US))
            elif old := [key for key in self.items if key[1] == EU]:
                gone = self.chance.choice(old)
                self.items.remove(gone)
                self.removed.add(gone)

    def list_once(self) -> Listing:
        """Read every page; the list changes after each of them."""
        found: list[InstanceKey] = []
        place = 0
        while place == 0 or place < len(self.items):
            found += self.items[place : place + self.page_size]
            place += self.page_size
            self.change()
        return listing(states(*found))


@given(st.integers(1, 9), st.integers(1, 4), st.randoms(use_true_random=False), st.floats(0, 0.6))
@example(6, 2, random.Random(5), 0.3)
def test_no_disappearance_is_false_whatever_changes_between_pages(
    size: int, page_size: int, chance: random.Random, rate: float
) -> None:
    """Each instance that an accepted listing lacks was removed while the product was listed."""
    changing = ChangingList(size, page_size, chance, rate)
    known = changing.known()
    try:
        found = list_confirmed(changing.list_once, snapshot(known).states, 0.5)
    except PollFailedError as error:
        assert error.error_code == "UnstableListing"  # noqa: PT017 - most lists are accepted, and raise nothing
    else:
        assert known.keys() - found.statuses.keys() <= changing.removed


@given(st.integers(1, 9), st.integers(1, 4), st.randoms(use_true_random=False))
def test_list_that_is_reordered_once_loses_nothing(size: int, page_size: int, chance: random.Random) -> None:
    """One listing in whatever order, with instances that moved between its pages, does not make one disappear."""
    changing = ChangingList(size, page_size, chance, 0.0)
    known = changing.known()

    changes = iter([lambda: chance.shuffle(changing.items), lambda: None, lambda: None])

    def list_once() -> Listing:
        changing.change = next(changes)  # type: ignore[method-assign]
        return changing.list_once()

    found = list_confirmed(list_once, snapshot(known).states, 0.5)
    assert found.statuses.keys() == known.keys()
