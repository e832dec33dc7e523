"""A fleet that lives: rollouts in waves, failures and recoveries, accounts that join and leave, a throttled minute.

The story is told in steps of one second and repeats itself. The same seed tells the same story.
"""

import random
from collections.abc import Iterator, Mapping
from itertools import product as pairs

from monitor.simulation.stack_sets import Key, StackSets

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2")
ACCOUNTS = 40
HUB_PRODUCTS = {"pp-baseline00001": "baseline", "pp-guardrails001": "guardrails"}
"""In the first account."""
NETWORK_PRODUCTS = {"pp-network000001": "network-hub"}
"""In the second one."""
PRODUCTS = HUB_PRODUCTS | NETWORK_PRODUCTS
GUEST = ("pp-network000002", "network-guest")
"""A product of the second account that comes and goes."""
TAGS = {"team": "network"}
"""Of the products of the second account."""

CHAPTER = 300
"""Steps after which the story begins again."""
THROTTLED = range(210, 270)
_ROLLOUTS = {2: "pp-baseline00001", 100: "pp-guardrails001", 150: "pp-network000001"}
_GUEST_COMES, _GUEST_GOES = 30, 240
_WAVE = 8
"""Accounts that a rollout reaches in one step."""
_LEFT_BEHIND = 0.03
"""Share of a rollout's instances that stay OUTDATED until the end of the chapter."""


class Scenario:
    """Changes the stack instances of two simulated accounts, step by step."""

    def __init__(self, hub: StackSets, network: StackSets, seed: int = 1) -> None:
        """Set the scene: every product in every account and Region, all CURRENT."""
        self._network = network
        self._home = dict.fromkeys(HUB_PRODUCTS, hub) | dict.fromkeys(NETWORK_PRODUCTS, network)
        self._random = random.Random(seed)  # noqa: S311 - a story, not a secret
        self._accounts = [f"{100_000_000_000 + 7_919_191_919 * n}" for n in range(ACCOUNTS)]
        self._joined = 0
        self._waves: list[tuple[str, Iterator[list[str]]]] = []
        for product_id, name in PRODUCTS.items():
            self._home[product_id].add_product(product_id, name, tags=TAGS if product_id in NETWORK_PRODUCTS else None)
            for account, region in pairs(self._accounts, REGIONS):
                self._set(product_id, account, region, "CURRENT")
        for _ in range(3):
            self._fail_one()

    def step(self, number: int) -> None:
        """Let one second pass."""
        moment = number % CHAPTER
        for stack_sets in self._home.values():
            stack_sets.throttled = moment in THROTTLED
        if moment == _GUEST_COMES:
            self._guest_comes()
        if moment == _GUEST_GOES:
            self._network.remove_product(GUEST[0])
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

    def _set(self, product_id: str, account: str, region: str, status: str | None) -> None:
        self._home[product_id].set(product_id, account, region, status)

    def _instances(self, product_id: str) -> Mapping[Key, str]:
        return self._home[product_id].instances(product_id)

    def _guest_comes(self) -> None:
        product_id, name = GUEST
        self._network.add_product(product_id, name, tags=TAGS)
        for account, region in pairs(self._accounts[:5], REGIONS):
            self._network.set(product_id, account, region, "CURRENT")

    def _begin_rollout(self, product_id: str) -> None:
        """Everything is OUTDATED until the rollout reaches it; what is INOPERABLE is left out, as AWS does."""
        self._home[product_id].set_status(product_id, "UNDER_CHANGE")
        for (account, region), status in self._instances(product_id).items():
            if status != "INOPERABLE":
                self._set(product_id, account, region, "OUTDATED")
        accounts = list(self._accounts)
        self._waves.append((product_id, iter([accounts[n : n + _WAVE] for n in range(0, len(accounts), _WAVE)])))

    def _roll_on(self) -> None:
        for entry in list(self._waves):
            product_id, waves = entry
            wave = next(waves, None)
            if wave is None:
                self._waves.remove(entry)
                behind = "OUTDATED" in self._instances(product_id).values()
                self._home[product_id].set_status(product_id, "TAINTED" if behind else "AVAILABLE")
                continue
            for (account, region), status in self._instances(product_id).items():
                if account in wave and status == "OUTDATED" and self._random.random() > _LEFT_BEHIND:
                    self._set(product_id, account, region, "CURRENT")

    def _fail_one(self) -> None:
        """A delete fails somewhere."""
        product_id = self._random.choice(list(PRODUCTS))
        account, region = self._random.choice(sorted(self._instances(product_id)))
        self._set(product_id, account, region, "INOPERABLE")

    def _recover(self, *, all_of_them: bool) -> None:
        """Somebody cleans up: about half of what is not CURRENT, or all of it."""
        under_way = {product_id for product_id, _ in self._waves}
        for product_id in PRODUCTS:
            if product_id in under_way:
                continue
            for (account, region), status in self._instances(product_id).items():
                if status != "CURRENT" and (all_of_them or self._random.random() < 0.5):  # noqa: PLR2004
                    self._set(product_id, account, region, "CURRENT")
            if "OUTDATED" not in self._instances(product_id).values():
                self._home[product_id].set_status(product_id, "AVAILABLE")

    def _join(self) -> None:
        """A new account joins the organisation; the baseline goes out to it."""
        self._joined += 1
        account = f"{900_000_000_000 + self._joined}"
        self._accounts.append(account)
        for region in REGIONS:
            self._set("pp-baseline00001", account, region, "CURRENT")

    def _leave(self) -> None:
        """The account that joined last leaves again."""
        account = self._accounts.pop()
        for product_id in PRODUCTS:
            for region in REGIONS:
                self._set(product_id, account, region, None)
