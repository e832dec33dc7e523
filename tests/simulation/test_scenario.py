"""The scenario of the demo, and the simulated products that it changes."""

from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

import pytest
import yaml

from monitor.cli.demo import CONFIGURATION
from monitor.simulation.scenario import (
    BASELINE,
    BROKEN,
    CYCLE,
    GUARDRAILS,
    HUB_PRODUCTS,
    NETWORK,
    OUTDATED,
    PRODUCTS,
    SUSPENDED,
    TEMPORARY_PRODUCT,
    THROTTLED,
    Scenario,
)
from monitor.simulation.stack_sets import NotAStackSetError, ProductNotFoundError, StackSets

ROOT = Path(__file__).parents[2]
WIDTH = 80 - len("20:43:37 ")
"""What a terminal of 80 columns leaves for a sentence after its time."""


class Run:
    """A scenario, and what was observed after each of its steps."""

    def __init__(self) -> None:
        """Create the scenario."""
        self.hub, self.network = StackSets(), StackSets("210987654321")
        self.scenario = Scenario(self.hub, self.network)
        self.sentences: dict[int, str] = {}
        self.throttled: list[int] = []
        self.statuses: list[str] = []
        self.counts: list[Counter[str]] = []
        self.broken: list[bool] = []
        self.temporary: list[bool] = []

    def run(self, steps: int) -> "Run":
        """Make this many steps."""
        for number in range(steps):
            if sentence := self.scenario.step(number):
                self.sentences[number] = sentence
            if self.hub.throttled and self.network.throttled:
                self.throttled.append(number)
            self.statuses.append(self.hub.describe(BASELINE).status)
            self.counts.append(Counter(self.hub.instances(BASELINE).values()))
            self.broken.append("INOPERABLE" in self.hub.instances(GUARDRAILS).values())
            self.temporary.append(TEMPORARY_PRODUCT[0] in self.network.product_ids())
        return self


@pytest.fixture(scope="module")
def cycle() -> Run:
    """Run one cycle."""
    return Run().run(CYCLE)


def seconds_of(alert: str) -> int:
    """Return how long the condition of a shipped alert must hold before it fires."""
    groups = yaml.safe_load((ROOT / "helm" / "alerts.yaml").read_text())["groups"]
    (minutes,) = [rule["for"] for group in groups for rule in group["rules"] if rule.get("alert") == alert]
    assert minutes.endswith("m")
    return int(minutes[:-1]) * 60


def test_the_scenario_starts_with_problems() -> None:
    """Three products in 40 accounts and 4 Regions each, with failures from before."""
    run = Run()
    for product in PRODUCTS:
        instances = (run.hub if product in HUB_PRODUCTS else run.network).instances(product)
        assert len(instances) == 160
        assert (len({account for account, _ in instances}), len({region for _, region in instances})) == (40, 4)
    assert [key for key, status in run.hub.instances(GUARDRAILS).items() if status == "INOPERABLE"] == list(BROKEN)
    assert {key for key, status in run.network.instances(NETWORK).items() if status == "OUTDATED"} == set(OUTDATED)
    assert run.network.describe(NETWORK).status == "TAINTED"
    assert {key for key, status in run.hub.instances(GUARDRAILS).items() if status == "OUTDATED"} == set(SUSPENDED)
    (account,) = {account for account, _ in SUSPENDED}
    assert f'account: "{account}"' in CONFIGURATION


def test_a_rollout_fails_in_some_accounts_which_recover(cycle: Run) -> None:
    """The product is UNDER_CHANGE, TAINTED, UNDER_CHANGE and AVAILABLE; the instances become CURRENT in waves."""
    phases = [(status, len(list(steps))) for status, steps in groupby(cycle.statuses)]
    assert [status for status, _ in phases] == ["AVAILABLE", "UNDER_CHANGE", "TAINTED", "UNDER_CHANGE", "AVAILABLE"]
    assert all(steps >= 10 for _, steps in phases)  # a poll every five seconds sees each of them
    assert {counts["OUTDATED"] for counts in cycle.counts} >= {160, 100, 48, 0}
    assert cycle.counts[-1] == {"CURRENT": 160}


def test_accounts_and_products_come_and_go(cycle: Run) -> None:
    """Instances appear and disappear, and discovery finds a product and loses it."""
    assert [total for total, _ in groupby(sum(counts.values()) for counts in cycle.counts)] == [160, 164, 160]
    assert [there for there, _ in groupby(cycle.temporary)] == [False, True, False]
    assert cycle.throttled == list(THROTTLED)


def test_the_shipped_alerts_fire() -> None:
    """A failure lasts longer than the alert waits, with two minutes for scrapes and evaluations."""
    run = Run().run(4 * CYCLE)
    *whole, _ = [len(list(steps)) for broken, steps in groupby(run.broken) if broken]
    assert min(whole) >= seconds_of("StackInstanceInoperable") + 120
    outdated = {key for key, status in run.network.instances(NETWORK).items() if status == "OUTDATED"}
    assert outdated == set(OUTDATED)
    assert all(change.product_id != NETWORK for change in run.network.changes[160 + len(OUTDATED) :])
    for alert in ("StackInstanceOutdated", "StackInstancesOutdatedMany"):
        assert seconds_of(alert) + 120 <= 4 * CYCLE
    assert len(OUTDATED) > 0.1 * 160  # alerts.outdatedShare


def test_a_sentence_says_what_happens(cycle: Run) -> None:
    """Few lines a minute, each of which fits a terminal."""
    assert 10 <= len(cycle.sentences) <= 2 * CYCLE / 60
    assert max(map(len, cycle.sentences.values())) <= WIDTH
    assert all(later - earlier >= 5 for earlier, later in pairwise(cycle.sentences))
    assert list(cycle.sentences.values())[:3] == [
        "baseline: a rollout to 40 accounts in 4 Regions begins.",
        "baseline: the rollout has reached 60% of the accounts.",
        "baseline: the rollout failed in 12 accounts; 48 instances are OUTDATED.",
    ]


def test_each_cycle_is_the_same(cycle: Run) -> None:
    """Who comes later sees the same."""
    twice = Run().run(2 * CYCLE).sentences
    assert twice == cycle.sentences | {number + CYCLE: sentence for number, sentence in cycle.sentences.items()}


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
