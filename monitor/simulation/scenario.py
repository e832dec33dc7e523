"""The scenario of the demo: a rollout that fails in some accounts, and what else happens to products.

It has steps of one second and repeats itself after ten minutes. Two failures last longer than the alerts wait:
two INOPERABLE instances for nine minutes (StackInstanceInoperable waits 5), and the OUTDATED instances of a rollout
that failed before the demo for as long as it runs (StackInstanceOutdated and StackInstancesOutdatedMany wait 30).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product as pairs

from monitor.simulation.stack_sets import StackSets

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-southeast-2")
ACCOUNTS = tuple(f"{100_000_000_000 + 7_919_191_919 * number}" for number in range(40))
BASELINE, GUARDRAILS = "pp-baseline00001", "pp-guardrails001"
HUB_PRODUCTS = {BASELINE: "baseline", GUARDRAILS: "guardrails"}
"""Products of the first account."""
NETWORK = "pp-network000001"
NETWORK_PRODUCTS = {NETWORK: "network-hub"}
"""Products of the second account."""
PRODUCTS = HUB_PRODUCTS | NETWORK_PRODUCTS
TEMPORARY_PRODUCT = ("pp-network000002", "network-temporary")
"""Id and name of a product of the second account that is provisioned and terminated again."""
TAGS = {"team": "network"}
"""The tags of the products of the second account."""

CYCLE = 600
"""Number of steps after which the scenario repeats itself."""
ROLLOUT, ROLLOUT_AGAIN = 10, 120
"""Steps in which the rollouts of the baseline begin."""
THROTTLED = range(240, 300)
"""Steps in which AWS throttles."""
PROVISIONED = range(180, 420)
"""Steps in which the temporary product exists."""
REPAIRED = range(530, 590)
"""Steps in which no instance is INOPERABLE."""
JOINED = range(330, 380)
"""Steps in which one account more is in the organization."""
NEW_ACCOUNT = "900000000001"
FAILED_ACCOUNTS = ACCOUNTS[2::3][:12]
"""The accounts in which the first rollout of the baseline fails."""
SHOWN_SHARE = 0.6
"""The progress of a rollout that is reported."""
BROKEN = tuple(pairs(ACCOUNTS[7:8], REGIONS[:2]))
OUTDATED = tuple(pairs(ACCOUNTS[5:40:8], REGIONS))
SUSPENDED = tuple(pairs(ACCOUNTS[3:4], REGIONS))
"""The instances of an account that the configuration of the demo accepts as they are."""
_BUCKET = "ResourceLogicalId:AuditLogs, ResourceType:AWS::S3::Bucket, ResourceStatusReason:"
EXISTS, NOT_EMPTY = f"{_BUCKET}audit-logs-{{account}} already exists.", f"{_BUCKET}The bucket is not empty."
"""Reasons as CloudFormation writes them (API: `StackInstanceSummary.StatusReason`)."""


class Scenario:
    """Changes the stack instances of two simulated accounts, step by step."""

    def __init__(self, hub: StackSets, network: StackSets) -> None:
        """Create all products in all accounts and Regions, with the failures from before the demo."""
        self._hub = hub
        self._network = network
        for product_id, name in PRODUCTS.items():
            stack_sets, tags = (hub, None) if product_id in HUB_PRODUCTS else (network, TAGS)
            stack_sets.add_product(product_id, name, tags=tags)
            for account, region in pairs(ACCOUNTS, REGIONS):
                stack_sets.set(product_id, account, region, "CURRENT")
        for account, region in BROKEN:
            hub.set(GUARDRAILS, account, region, "INOPERABLE", "INOPERABLE", NOT_EMPTY)
        for account, region in SUSPENDED:
            hub.set(GUARDRAILS, account, region, "OUTDATED", "SKIPPED_SUSPENDED_ACCOUNT", "The account is suspended.")
        for account, region in OUTDATED:
            network.set(NETWORK, account, region, "OUTDATED")
        network.set_status(NETWORK, "TAINTED")
        self._rollout: Iterator[str | None] = iter(())
        self._actions: Mapping[int, Callable[[], str]] = {
            ROLLOUT: self._roll_out,
            ROLLOUT_AGAIN: self._roll_out_again,
            PROVISIONED.start: self._provision,
            PROVISIONED.stop: self._terminate,
            THROTTLED.start: self._throttle,
            THROTTLED.stop: self._answer,
            JOINED.start: self._add_account,
            JOINED.stop: self._remove_account,
            REPAIRED.start: self._repair,
            REPAIRED.stop: self._break,
        }

    def step(self, number: int) -> str | None:
        """Make the changes of one step, which is counted from 0. Return a sentence if there is something to tell."""
        progress = next(self._rollout, None)
        action = self._actions.get(number % CYCLE)
        return action() if action else progress

    def _roll_out(self) -> str:
        self._rollout = self._waves(ACCOUNTS, FAILED_ACCOUNTS)
        return f"baseline: a rollout to {len(ACCOUNTS)} accounts in {len(REGIONS)} Regions begins."

    def _roll_out_again(self) -> str:
        self._rollout = self._waves(FAILED_ACCOUNTS, ())
        return f"baseline: the rollout is repeated in the {len(FAILED_ACCOUNTS)} accounts."

    def _waves(self, accounts: Sequence[str], failed: Sequence[str]) -> Iterator[str | None]:
        """Update one account in each step, except those that fail."""
        self._hub.set_status(BASELINE, "UNDER_CHANGE")
        self._hub.start_operation(BASELINE)
        for account, region in pairs(accounts, REGIONS):
            self._hub.set(BASELINE, account, region, "OUTDATED")
        yield None
        for number, account in enumerate(accounts, 1):
            for region in REGIONS:
                if account in failed:
                    reason = EXISTS.format(account=account)
                    self._hub.set(BASELINE, account, region, "OUTDATED", "FAILED", reason)
                else:
                    self._hub.set(BASELINE, account, region, "CURRENT")
            shown = number == round(SHOWN_SHARE * len(accounts))
            yield f"baseline: the rollout has reached {SHOWN_SHARE:.0%} of the accounts." if shown else None
        self._hub.end_operation(BASELINE, "FAILED" if failed else "SUCCEEDED")
        self._hub.set_status(BASELINE, "TAINTED" if failed else "AVAILABLE")
        if failed:
            instances = len(failed) * len(REGIONS)
            yield f"baseline: the rollout failed in {len(failed)} accounts; {instances} instances are OUTDATED."
        else:
            yield f"baseline: the {len(accounts)} accounts recover; every instance is CURRENT."

    def _provision(self) -> str:
        product_id, name = TEMPORARY_PRODUCT
        self._network.add_product(product_id, name, tags=TAGS)
        for account, region in pairs(ACCOUNTS[:5], REGIONS):
            self._network.set(product_id, account, region, "CURRENT")
        return f"{name}: a new product; the monitor discovers it by its tag."

    def _terminate(self) -> str:
        self._network.remove_product(TEMPORARY_PRODUCT[0])
        return f"{TEMPORARY_PRODUCT[1]}: the product is terminated."

    def _throttle(self) -> str:
        self._hub.throttled = self._network.throttled = True
        return "AWS throttles every call for a minute: polls fail, the data stays."

    def _answer(self) -> str:
        self._hub.throttled = self._network.throttled = False
        return "AWS answers again."

    def _add_account(self) -> str:
        for region in REGIONS:
            self._hub.set(BASELINE, NEW_ACCOUNT, region, "CURRENT")
        return f"baseline: account {NEW_ACCOUNT} joins; {len(REGIONS)} instances appear."

    def _remove_account(self) -> str:
        for region in REGIONS:
            self._hub.set(BASELINE, NEW_ACCOUNT, region, None)
        return f"baseline: account {NEW_ACCOUNT} leaves again; its instances disappear."

    def _repair(self) -> str:
        for account, region in BROKEN:
            self._hub.set(GUARDRAILS, account, region, "CURRENT")
        return f"guardrails: the {len(BROKEN)} INOPERABLE instances are repaired."

    def _break(self) -> str:
        for account, region in BROKEN:
            self._hub.set(GUARDRAILS, account, region, "INOPERABLE", "INOPERABLE", NOT_EMPTY)
        return f"guardrails: a delete fails; {len(BROKEN)} instances are INOPERABLE."
