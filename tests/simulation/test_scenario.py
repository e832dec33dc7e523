"""The scenario of the demo, and the simulated products that it changes."""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby

import pytest

from monitor.simulation.rollouts import Key
from monitor.simulation.scenario import CYCLE, HUB_PRODUCTS, PRODUCTS, TEMPORARY_PRODUCT, THROTTLED, Scenario
from monitor.simulation.stack_sets import InstanceChange, NotAStackSetError, ProductNotFoundError, StackSets


class Run:
    """A scenario, and what was observed after each of its steps."""

    def __init__(self, seed: int = 1) -> None:
        """Create the scenario."""
        self.hub, self.network = StackSets(), StackSets("210987654321")
        self.scenario = Scenario(self.hub, self.network, seed)
        self.throttled: list[bool] = []
        self.statuses: dict[str, list[str]] = {product: [] for product in PRODUCTS}
        self.temporary: list[bool] = []

    def run(self, steps: int) -> "Run":
        """Make this many steps."""
        for number in range(steps):
            self.scenario.step(number)
            self.throttled.append(self.hub.throttled)
            for product, statuses in self.statuses.items():
                statuses.append(self.account_of(product).describe(product).status)
            self.temporary.append(TEMPORARY_PRODUCT[0] in self.network.product_ids())
        return self

    def account_of(self, product: str) -> StackSets:
        """Return the account of a product."""
        return self.hub if product in HUB_PRODUCTS else self.network

    def instances(self, product: str) -> Mapping[Key, str]:
        """Return the instances of a product."""
        return self.account_of(product).instances(product)

    @property
    def changes(self) -> list[InstanceChange]:
        """All changes of the permanent products."""
        return [change for change in self.hub.changes + self.network.changes if change.product_id in PRODUCTS]


def test_the_scenario_starts_with_problems() -> None:
    """Three products in 40 accounts and 4 Regions each; at least one instance is INOPERABLE at the start."""
    instances = [Run().instances(product) for product in PRODUCTS]
    assert [len(one) for one in instances] == [160] * 3
    assert [len({account for account, _ in one}) for one in instances] == [40] * 3
    assert [len({region for _, region in one}) for one in instances] == [4] * 3
    assert Counter(status for one in instances for status in one.values())["INOPERABLE"] >= 1


def test_a_cycle_contains_every_kind_of_change() -> None:
    """A rollout of each product, failures, recoveries, added and removed accounts, and a minute of throttling."""
    run = Run().run(CYCLE)
    counts = Counter((change.before, change.after) for change in run.changes)
    for product in PRODUCTS:
        outdated = sum(change.product_id == product and change.after == "OUTDATED" for change in run.changes)
        assert outdated >= 140
    assert counts["OUTDATED", "CURRENT"] > 400
    assert counts["CURRENT", "INOPERABLE"] + counts["OUTDATED", "INOPERABLE"] >= 10
    assert counts["INOPERABLE", "CURRENT"] >= 10
    assert counts[None, "CURRENT"] == 480 + 5 * 4
    assert counts["CURRENT", None] + counts["OUTDATED", None] + counts["INOPERABLE", None] == 5 * 4
    assert [number for number, now in enumerate(run.throttled) if now] == list(THROTTLED)
    assert sum(run.throttled) == 60


def test_a_product_is_under_change_during_its_rollout() -> None:
    """After it, the product is TAINTED while an instance is OUTDATED, then AVAILABLE."""
    run = Run().run(CYCLE)
    for statuses in run.statuses.values():
        assert [status for status, _ in groupby(statuses)][:3] == ["AVAILABLE", "UNDER_CHANGE", "TAINTED"]
        assert statuses[-1] == "AVAILABLE"


def test_a_product_is_provisioned_and_terminated() -> None:
    """Discovery finds it, and later no longer finds it."""
    assert [there for there, _ in groupby(Run().run(CYCLE).temporary)] == [False, True, False]


def test_a_rollout_goes_in_waves() -> None:
    """After some steps, a part of the instances is CURRENT and a part OUTDATED."""
    statuses = Counter(Run().run(5).instances("pp-baseline00001").values())
    assert statuses["CURRENT"] > 20
    assert statuses["OUTDATED"] > 20


def test_a_cycle_ends_with_all_current_and_is_reproducible() -> None:
    """The same seed gives the same changes, another seed gives others."""
    one, again, other = (Run(seed).run(CYCLE) for seed in (1, 1, 2))
    assert one.changes == again.changes != other.changes
    assert {status for product in PRODUCTS for status in one.instances(product).values()} == {"CURRENT"}


def test_a_change_between_two_pages_moves_no_other_instance() -> None:
    """No instance is missed or listed twice."""
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


def test_unknown_products_and_products_of_another_type_are_errors() -> None:
    """The two errors differ, as those of AWS do."""
    stack_sets = StackSets()
    stack_sets.add_product("pp-1", "one", stack_set=False)
    with pytest.raises(NotAStackSetError):
        stack_sets.page("pp-1", None, 20)
    stack_sets.remove_product("pp-1")
    with pytest.raises(ProductNotFoundError):
        stack_sets.page("pp-1", None, 20)
