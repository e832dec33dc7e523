"""A fleet that lives: rollouts in waves, failures and recoveries, accounts that join and leave, a throttled minute.

The story is told in steps of one second and repeats itself. The same seed tells the same story.
"""

import random
from collections.abc import Iterator
from itertools import product as pairs

from monitor.simulation.stack_sets import StackSets

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2")
ACCOUNTS = 40
PRODUCTS = {"pp-baseline00001": "baseline", "pp-guardrails001": "guardrails", "pp-logarchive001": "log-archive"}

CHAPTER = 300
"""Steps after which the story begins again."""
THROTTLED = range(210, 270)
_ROLLOUTS = {5: "pp-baseline00001", 100: "pp-guardrails001", 150: "pp-logarchive001"}
_WAVE = 8
"""Accounts that a rollout reaches in one step."""
_LEFT_BEHIND = 0.03
"""Share of a rollout's instances that stay OUTDATED until the end of the chapter."""


class Story:
    """Changes the stack instances of one simulated account and Region, step by step."""

    def __init__(self, stack_sets: StackSets, seed: int = 1) -> None:
        """Set the scene: every product in every account and Region, all CURRENT."""
        self._stack_sets = stack_sets
        self._random = random.Random(seed)  # noqa: S311 - a story, not a secret
        self._accounts = [f"{100_000_000_000 + 7_919_191_919 * n}" for n in range(ACCOUNTS)]
        self._joined = 0
        self._waves: list[tuple[str, Iterator[list[str]]]] = []
        for product_id, name in PRODUCTS.items():
            stack_sets.add_product(product_id, name)
            for account, region in pairs(self._accounts, REGIONS):
                stack_sets.set(product_id, account, region, "CURRENT")
        for _ in range(3):
            self._fail_one()

    def step(self, number: int) -> None:
        """Let one second pass."""
        moment = number % CHAPTER
        self._stack_sets.throttled = moment in THROTTLED
        if moment in _ROLLOUTS:
            self._begin_rollout(_ROLLOUTS[moment])
        self._roll_on()
        if moment % 20 == 15:  # noqa: PLR2004 - a rhythm
            self._fail_one()
        if moment % 60 == 45:  # noqa: PLR2004
            self._join()
        if moment % 60 == 55:  # noqa: PLR2004
            self._leave()
        if moment % 30 == 29 or moment == CHAPTER - 1:  # noqa: PLR2004
            self._recover(all_of_them=moment == CHAPTER - 1)

    def _begin_rollout(self, product_id: str) -> None:
        """Everything is OUTDATED until the rollout reaches it; what is INOPERABLE is left out, as AWS does."""
        for (account, region), status in self._stack_sets.instances(product_id).items():
            if status != "INOPERABLE":
                self._stack_sets.set(product_id, account, region, "OUTDATED")
        accounts = list(self._accounts)
        self._waves.append((product_id, iter([accounts[n : n + _WAVE] for n in range(0, len(accounts), _WAVE)])))

    def _roll_on(self) -> None:
        for entry in list(self._waves):
            product_id, waves = entry
            wave = next(waves, None)
            if wave is None:
                self._waves.remove(entry)
                continue
            for (account, region), status in self._stack_sets.instances(product_id).items():
                if account in wave and status == "OUTDATED" and self._random.random() > _LEFT_BEHIND:
                    self._stack_sets.set(product_id, account, region, "CURRENT")

    def _fail_one(self) -> None:
        """A delete fails somewhere."""
        product_id = self._random.choice(list(PRODUCTS))
        account, region = self._random.choice(sorted(self._stack_sets.instances(product_id)))
        self._stack_sets.set(product_id, account, region, "INOPERABLE")

    def _recover(self, *, all_of_them: bool) -> None:
        """Somebody cleans up: about half of what is not CURRENT, or all of it."""
        under_way = {product_id for product_id, _ in self._waves}
        for product_id in PRODUCTS:
            if product_id in under_way:
                continue
            for (account, region), status in self._stack_sets.instances(product_id).items():
                if status != "CURRENT" and (all_of_them or self._random.random() < 0.5):  # noqa: PLR2004
                    self._stack_sets.set(product_id, account, region, "CURRENT")

    def _join(self) -> None:
        """A new account joins the organisation; the baseline goes out to it."""
        self._joined += 1
        account = f"{900_000_000_000 + self._joined}"
        self._accounts.append(account)
        for region in REGIONS:
            self._stack_sets.set("pp-baseline00001", account, region, "CURRENT")

    def _leave(self) -> None:
        """The account that joined last leaves again."""
        account = self._accounts.pop()
        for product_id in PRODUCTS:
            for region in REGIONS:
                self._stack_sets.set(product_id, account, region, None)
