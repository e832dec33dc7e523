"""The scenario of the demo: rollouts in waves, failures, recoveries, new and removed accounts, a minute of throttling.

It has steps of one second and repeats itself. The same seed gives the same scenario.
"""

import random
from collections.abc import Iterator, Mapping
from itertools import product as pairs

from monitor.simulation.rollouts import Key
from monitor.simulation.stack_sets import StackSets

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2")
ACCOUNTS = 40
# Products of the first account.
HUB_PRODUCTS = {"pp-baseline00001": "baseline", "pp-guardrails001": "guardrails"}
# Products of the second account.
NETWORK_PRODUCTS = {"pp-network000001": "network-hub"}
PRODUCTS = HUB_PRODUCTS | NETWORK_PRODUCTS
# Id and name of a product of the second account that is provisioned and terminated again.
TEMPORARY_PRODUCT = ("pp-network000002", "network-temporary")
# The tags of the products of the second account.
TAGS = {"team": "network"}

# Number of steps after which the scenario repeats itself.
CYCLE = 300
# Steps in which AWS throttles.
THROTTLED = range(210, 270)
_ROLLOUTS = {2: "pp-baseline00001", 100: "pp-guardrails001", 150: "pp-network000001"}
_PROVISION_STEP, _TERMINATE_STEP = 30, 240
# Accounts that a rollout updates in one step.
_WAVE_ACCOUNTS = 8
# Share of the instances that a rollout leaves OUTDATED.
_SKIPPED_SHARE = 0.03


class Scenario:
    """Changes the stack instances of two simulated accounts, step by step."""

    def __init__(self, hub: StackSets, network: StackSets, seed: int = 1) -> None:
        """Create all products in all accounts and Regions. Three instances are INOPERABLE, the others CURRENT."""
        self._network = network
        self._stack_sets = dict.fromkeys(HUB_PRODUCTS, hub) | dict.fromkeys(NETWORK_PRODUCTS, network)
        self._random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._accounts = [f"{100_000_000_000 + 7_919_191_919 * n}" for n in range(ACCOUNTS)]
        self._added = 0
        self._waves: list[tuple[str, Iterator[list[str]]]] = []
        for product_id, name in PRODUCTS.items():
            self._stack_sets[product_id].add_product(
                product_id, name, tags=TAGS if product_id in NETWORK_PRODUCTS else None
            )
            for account, region in pairs(self._accounts, REGIONS):
                self._set(product_id, account, region, "CURRENT")
        for _ in range(3):
            self._fail_an_instance()

    def step(self, number: int) -> None:
        """Make the changes of one step; `number` counts from 0."""
        step = number % CYCLE
        for stack_sets in self._stack_sets.values():
            stack_sets.throttled = step in THROTTLED
        if step == _PROVISION_STEP:
            self._provision_temporary()
        if step == _TERMINATE_STEP:
            self._network.remove_product(TEMPORARY_PRODUCT[0])
        if step in _ROLLOUTS:
            self._start_rollout(_ROLLOUTS[step])
        self._continue_rollouts()
        if step % 20 == 15:  # noqa: PLR2004 - every 20 seconds
            self._fail_an_instance()
        if step % 60 == 45:  # noqa: PLR2004
            self._add_account()
        if step % 60 == 55:  # noqa: PLR2004
            self._remove_account()
        if step % 30 == 29 or step == CYCLE - 1:  # noqa: PLR2004
            self._recover(everything=step == CYCLE - 1)

    def _set(self, product_id: str, account: str, region: str, status: str | None) -> None:
        self._stack_sets[product_id].set(product_id, account, region, status)

    def _instances(self, product_id: str) -> Mapping[Key, str]:
        return self._stack_sets[product_id].instances(product_id)

    def _provision_temporary(self) -> None:
        product_id, name = TEMPORARY_PRODUCT
        self._network.add_product(product_id, name, tags=TAGS)
        for account, region in pairs(self._accounts[:5], REGIONS):
            self._network.set(product_id, account, region, "CURRENT")

    def _start_rollout(self, product_id: str) -> None:
        # As at AWS, an update leaves INOPERABLE instances out.
        self._stack_sets[product_id].set_status(product_id, "UNDER_CHANGE")
        for (account, region), status in self._instances(product_id).items():
            if status != "INOPERABLE":
                self._set(product_id, account, region, "OUTDATED")
        accounts = list(self._accounts)
        self._waves.append(
            (product_id, iter([accounts[n : n + _WAVE_ACCOUNTS] for n in range(0, len(accounts), _WAVE_ACCOUNTS)]))
        )

    def _continue_rollouts(self) -> None:
        for entry in list(self._waves):
            product_id, waves = entry
            wave = next(waves, None)
            if wave is None:
                self._waves.remove(entry)
                skipped = "OUTDATED" in self._instances(product_id).values()
                self._stack_sets[product_id].set_status(product_id, "TAINTED" if skipped else "AVAILABLE")
                continue
            for (account, region), status in self._instances(product_id).items():
                if account in wave and status == "OUTDATED" and self._random.random() > _SKIPPED_SHARE:
                    self._set(product_id, account, region, "CURRENT")

    def _fail_an_instance(self) -> None:
        # As at AWS when a stack cannot be deleted.
        product_id = self._random.choice(list(PRODUCTS))
        account, region = self._random.choice(sorted(self._instances(product_id)))
        self._set(product_id, account, region, "INOPERABLE")

    def _recover(self, *, everything: bool) -> None:
        in_rollout = {product_id for product_id, _ in self._waves}
        for product_id in PRODUCTS:
            if product_id in in_rollout:
                continue
            for (account, region), status in self._instances(product_id).items():
                if status != "CURRENT" and (everything or self._random.random() < 0.5):  # noqa: PLR2004
                    self._set(product_id, account, region, "CURRENT")
            if "OUTDATED" not in self._instances(product_id).values():
                self._stack_sets[product_id].set_status(product_id, "AVAILABLE")

    def _add_account(self) -> None:
        self._added += 1
        account = f"{900_000_000_000 + self._added}"
        self._accounts.append(account)
        for region in REGIONS:
            self._set("pp-baseline00001", account, region, "CURRENT")

    def _remove_account(self) -> None:
        account = self._accounts.pop()
        for product_id in PRODUCTS:
            for region in REGIONS:
                self._set(product_id, account, region, None)
