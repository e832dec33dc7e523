"""A day at a simulated AWS: two rollouts that leave instances behind, failing polls, and new accounts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from monitor.metrics.registry import SourceMetrics
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import Anomaly, InstanceKey, Listing, Product, Status
from monitor.model.products import ProductDetail, ProductStatus
from tests.making import detail

REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "us-west-2", "ap-southeast-2", "sa-east-1")
ACCOUNTS = tuple(f"{111_122_223_333 + number * 37_123_457_911 % 800_000_000_000:012}" for number in range(26))
PRODUCTS = {
    "pp-baseline00001": ("baseline", 26),
    "pp-guardrails001": ("guardrails", 18),
    "pp-network000001": ("network", 12),
    "pp-logging000001": ("central-logging", 22),
    "pp-backup0000001": ("backup-vaults", 9),
}
"""Name and number of accounts of each product."""
LIST, DESCRIBE = "ListStackInstancesForProvisionedProduct", "DescribeProvisionedProduct"
PAGE_SIZE = 20
Step = tuple[int, Callable[[], None]]
"""A minute of the day, and what happens then."""


@dataclass
class SimulatedDay:
    """The products at AWS at one moment. `advance` lets the next minutes happen."""

    statuses: dict[str, dict[InstanceKey, Status]] = field(default_factory=dict)
    product_status: dict[str, ProductStatus] = field(default_factory=dict)
    failing: dict[str, Reason] = field(default_factory=dict)
    slow: float = 1.0
    """Factor of the duration of a call."""
    odd: dict[Anomaly, int] = field(default_factory=dict)
    """Irregularities of the next listing."""

    def __post_init__(self) -> None:
        """Deploy all products, and plan the day."""
        for product_id, (_, accounts) in PRODUCTS.items():
            keys = [(account, region) for account in ACCOUNTS[:accounts] for region in REGIONS]
            self.statuses[product_id] = dict.fromkeys(keys, Status.CURRENT)
            self.product_status[product_id] = ProductStatus.AVAILABLE
        self._steps = sorted(self._plan(), key=lambda step: step[0])

    def advance(self, minute: int) -> None:
        """Let everything happen up to a minute."""
        while self._steps and self._steps[0][0] <= minute:
            self._steps.pop(0)[1]()

    def _plan(self) -> Iterator[Step]:
        baseline, guardrails, network, logging, backup = PRODUCTS
        left = {(account, region) for account in ACCOUNTS[3:7] for region in REGIONS[2:5]}
        yield from self._rollout(baseline, 9 * 60, 14, left, ProductStatus.TAINTED)
        yield from self._rollout(baseline, 15 * 60 + 20, 7, set(), ProductStatus.AVAILABLE)
        inoperable = [(ACCOUNTS[5], "us-east-1"), (ACCOUNTS[11], "us-east-1"), (ACCOUNTS[11], "sa-east-1")]
        yield from self._rollout(guardrails, 12 * 60 + 30, 6, set(inoperable), ProductStatus.AVAILABLE)
        yield 13 * 60 + 6, lambda: self.statuses[guardrails].update(dict.fromkeys(inoperable, Status.INOPERABLE))
        stuck = {(account, region) for account in ACCOUNTS[14:19] for region in REGIONS[4:]}
        yield from self._rollout(logging, 21 * 60 + 10, 9, stuck, ProductStatus.AVAILABLE)
        new = dict.fromkeys(((account, region) for account in ACCOUNTS[9:11] for region in REGIONS), Status.CURRENT)
        yield 7 * 60 + 40, lambda: self.statuses[backup].update(new)
        yield 11 * 60, lambda: self.odd.update({Anomaly.DUPLICATE: 1, Anomaly.INVALID_ITEM: 2})
        yield 17 * 60, lambda: self._degrade(14.0, {network: Reason.THROTTLED, backup: Reason.TIMEOUT})
        yield 18 * 60 + 5, lambda: self._degrade(1.0, {})
        yield 23 * 60 + 30, lambda: self._degrade(1.0, {network: Reason.ACCESS_DENIED})

    def _degrade(self, slow: float, failing: Mapping[str, Reason]) -> None:
        self.slow = slow
        self.failing = dict(failing)

    def _rollout(
        self, product_id: str, start: int, minutes: int, left: set[InstanceKey], end: ProductStatus
    ) -> Iterator[Step]:
        """Yield the steps of a rollout, Region by Region with some minutes for each."""

        def begin() -> None:
            statuses = self.statuses[product_id]
            statuses.update({key: Status.OUTDATED for key, status in statuses.items() if status is Status.CURRENT})
            self.product_status[product_id] = ProductStatus.UNDER_CHANGE

        def update(region: str) -> None:
            statuses = self.statuses[product_id]
            statuses.update({key: Status.CURRENT for key in statuses if key[1] == region and key not in left})

        yield start, begin
        for number, region in enumerate(REGIONS):
            yield start + (number + 1) * minutes, partial(update, region)
        yield start + (len(REGIONS) + 1) * minutes, lambda: self.product_status.update({product_id: end})


@dataclass
class DayCatalog:
    """The `Catalog` of a day. Each call takes time by the clock of the day and is counted as a request."""

    day: SimulatedDay
    requests: SourceMetrics
    sleep: Callable[[float], None]
    calls_per_second: float = 10.0
    page_size: int = PAGE_SIZE
    details: None = None

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Return the instances, or fail as the plan of the day says."""
        statuses = self.day.statuses[product_id]
        pages = -(-len(statuses) // PAGE_SIZE)
        for page in range(pages):
            self._call(LIST, 0.09 + len(product_id) * page % 7 * 0.013)
            if reason := self.day.failing.get(product_id):
                self.requests.failed(LIST, _CODES[reason])
                raise PollFailedError(reason, _CODES[reason], "simulated")
            deadline.check()
        odd, self.day.odd = self.day.odd, {}
        return Listing(dict(statuses), pages, odd)

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return the status of a product."""
        self._call(DESCRIBE, 0.07)
        return detail(self.day.product_status[product_id], Product(product_id, PRODUCTS[product_id][0]))

    def _call(self, operation: str, seconds: float) -> None:
        self.sleep(seconds * self.day.slow)
        self.requests.attempted(operation, seconds * self.day.slow)
        self.requests.waited(0.01 * self.day.slow)


_CODES = {
    Reason.THROTTLED: "ThrottlingException",
    Reason.TIMEOUT: "ReadTimeout",
    Reason.ACCESS_DENIED: "AccessDeniedException",
}
