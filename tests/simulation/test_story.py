"""The story of the demo: everything that a fleet goes through, within five minutes, and the same each time."""

from collections import Counter

import pytest

from monitor.simulation.stack_sets import NotAStackSetError, NotThereError, StackSets
from monitor.simulation.story import CHAPTER, PRODUCTS, THROTTLED, Story


def told(seed: int = 1) -> tuple[StackSets, list[bool]]:
    """Tell one chapter; return the stack sets, and when AWS was throttled."""
    stack_sets = StackSets()
    story = Story(stack_sets, seed)
    throttled = []
    for number in range(CHAPTER):
        story.step(number)
        throttled.append(stack_sets.throttled)
    return stack_sets, throttled


def test_it_is_large_enough_to_look_at() -> None:
    """Three products in forty accounts and four Regions, a few of them broken from the start."""
    stack_sets = StackSets()
    Story(stack_sets)
    fleets = [stack_sets.instances(product) for product in PRODUCTS]
    assert [len(fleet) for fleet in fleets] == [160] * 3
    assert [len({account for account, _ in fleet}) for fleet in fleets] == [40] * 3
    assert [len({region for _, region in fleet}) for fleet in fleets] == [4] * 3
    assert Counter(status for fleet in fleets for status in fleet.values())["INOPERABLE"] >= 1


def test_everything_happens_in_a_chapter() -> None:
    """A rollout of each product, failures, recoveries, accounts that join and leave, and a throttled minute."""
    stack_sets, throttled = told()
    made = Counter((change.before, change.after) for change in stack_sets.made)
    for product in PRODUCTS:
        outdated = sum(change.product_id == product and change.after == "OUTDATED" for change in stack_sets.made)
        assert outdated >= 140
    assert made["OUTDATED", "CURRENT"] > 400
    assert made["CURRENT", "INOPERABLE"] + made["OUTDATED", "INOPERABLE"] >= 10
    assert made["INOPERABLE", "CURRENT"] >= 10
    assert made[None, "CURRENT"] == 480 + 5 * 4
    assert made["CURRENT", None] + made["OUTDATED", None] + made["INOPERABLE", None] == 5 * 4
    assert [number for number, now in enumerate(throttled) if now] == list(THROTTLED)
    assert sum(throttled) == 60


def test_a_rollout_goes_in_waves() -> None:
    """After some steps a part of the fleet is reached, and not all of it."""
    stack_sets = StackSets()
    story = Story(stack_sets)
    for number in range(8):
        story.step(number)
    statuses = Counter(stack_sets.instances("pp-baseline00001").values())
    assert statuses["CURRENT"] > 20
    assert statuses["OUTDATED"] > 20


def test_a_chapter_ends_well_and_the_same_seed_tells_the_same() -> None:
    """Everything is CURRENT in the end; another seed tells another story."""
    one, again, other = (told(seed)[0] for seed in (1, 1, 2))
    assert one.made == again.made != other.made
    assert {status for product in PRODUCTS for status in one.instances(product).values()} == {"CURRENT"}


def test_pages_hold_although_the_fleet_changes_between_them() -> None:
    """What joins or leaves between two pages moves nothing else: no instance is missed or listed twice."""
    stack_sets = StackSets()
    stack_sets.add_product("pp-1", "one")
    for number in range(10):
        stack_sets.set("pp-1", f"{number:012}", "eu-west-1", "CURRENT")
    first, token = stack_sets.page("pp-1", None, 4)
    stack_sets.set("pp-1", f"{1:012}", "eu-west-1", None)
    second, token = stack_sets.page("pp-1", token, 4)
    third, last = stack_sets.page("pp-1", token, 4)
    assert [int(item["Account"]) for item in first + second + third] == list(range(10))
    assert last is None


def test_what_is_not_there_or_no_stack_set() -> None:
    """Both are told apart, as AWS does."""
    stack_sets = StackSets()
    stack_sets.add_product("pp-1", "one", stack_set=False)
    with pytest.raises(NotAStackSetError):
        stack_sets.page("pp-1", None, 20)
    stack_sets.remove_product("pp-1")
    with pytest.raises(NotThereError):
        stack_sets.page("pp-1", None, 20)
