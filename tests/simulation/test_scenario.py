"""The story of the demo: everything that a fleet goes through, within five minutes, and the same each time."""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby

import pytest

from monitor.simulation.scenario import CHAPTER, GUEST, HUB_PRODUCTS, PRODUCTS, THROTTLED, Scenario
from monitor.simulation.stack_sets import Key, Made, NotAStackSetError, NotThereError, StackSets


class Told:
    """A story, as far as it was told."""

    def __init__(self, seed: int = 1) -> None:
        """Set the scene."""
        self.hub, self.network = StackSets(), StackSets("210987654321")
        self.story = Scenario(self.hub, self.network, seed)
        self.throttled: list[bool] = []
        self.statuses: dict[str, list[str]] = {product: [] for product in PRODUCTS}
        self.guests: list[bool] = []

    def tell(self, steps: int) -> "Told":
        """Let so many seconds pass."""
        for number in range(steps):
            self.story.step(number)
            self.throttled.append(self.hub.throttled)
            for product, statuses in self.statuses.items():
                statuses.append(self.home(product).described(product).status)
            self.guests.append(GUEST[0] in self.network.product_ids())
        return self

    def home(self, product: str) -> StackSets:
        """Return the account that a product lives in."""
        return self.hub if product in HUB_PRODUCTS else self.network

    def instances(self, product: str) -> Mapping[Key, str]:
        """Return the instances of a product."""
        return self.home(product).instances(product)

    @property
    def made(self) -> list[Made]:
        """Every change of the products that stay."""
        return [change for change in self.hub.made + self.network.made if change.product_id in PRODUCTS]


def test_it_is_large_enough_to_look_at() -> None:
    """Three products of two accounts, in forty accounts and four Regions, a few of them broken from the start."""
    fleets = [Told().instances(product) for product in PRODUCTS]
    assert [len(fleet) for fleet in fleets] == [160] * 3
    assert [len({account for account, _ in fleet}) for fleet in fleets] == [40] * 3
    assert [len({region for _, region in fleet}) for fleet in fleets] == [4] * 3
    assert Counter(status for fleet in fleets for status in fleet.values())["INOPERABLE"] >= 1


def test_everything_happens_in_a_chapter() -> None:
    """A rollout of each product, failures, recoveries, accounts that join and leave, and a throttled minute."""
    told = Told().tell(CHAPTER)
    made = Counter((change.before, change.after) for change in told.made)
    for product in PRODUCTS:
        outdated = sum(change.product_id == product and change.after == "OUTDATED" for change in told.made)
        assert outdated >= 140
    assert made["OUTDATED", "CURRENT"] > 400
    assert made["CURRENT", "INOPERABLE"] + made["OUTDATED", "INOPERABLE"] >= 10
    assert made["INOPERABLE", "CURRENT"] >= 10
    assert made[None, "CURRENT"] == 480 + 5 * 4
    assert made["CURRENT", None] + made["OUTDATED", None] + made["INOPERABLE", None] == 5 * 4
    assert [number for number, now in enumerate(told.throttled) if now] == list(THROTTLED)
    assert sum(told.throttled) == 60


def test_a_product_is_under_change_during_its_rollout() -> None:
    """Then it is AVAILABLE again, or TAINTED as long as the rollout left something behind."""
    told = Told().tell(CHAPTER)
    for statuses in told.statuses.values():
        assert [status for status, _ in groupby(statuses)][:3] == ["AVAILABLE", "UNDER_CHANGE", "TAINTED"]
        assert statuses[-1] == "AVAILABLE"


def test_a_product_of_the_second_account_comes_and_goes() -> None:
    """What discovery has to find, and to miss again."""
    assert [there for there, _ in groupby(Told().tell(CHAPTER).guests)] == [False, True, False]


def test_a_rollout_goes_in_waves() -> None:
    """After some steps a part of the fleet is reached, and not all of it."""
    statuses = Counter(Told().tell(5).instances("pp-baseline00001").values())
    assert statuses["CURRENT"] > 20
    assert statuses["OUTDATED"] > 20


def test_a_chapter_ends_well_and_the_same_seed_tells_the_same() -> None:
    """Everything is CURRENT in the end; another seed tells another story."""
    one, again, other = (Told(seed).tell(CHAPTER) for seed in (1, 1, 2))
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
