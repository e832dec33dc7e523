"""A fixed fleet with one of everything: broken, behind, in rollout, unreadable, waiting for its first poll."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import product as pairs

from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.diff import Transition
from monitor.model.errors import Reason
from monitor.model.instances import InstanceKey, InstanceState, Product, Status
from monitor.model.products import STACK_SET, ProductDetail, ProductStatus
from monitor.model.views import DiscoveryView, PollFailure, ProductView
from tests.web.fake_views import FakeViews, product_view, source_view

NOW = datetime(2026, 11, 24, 3, 12, 40, tzinfo=UTC)
SINCE_START = timedelta(days=12)
REGIONS = (
    "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
    "eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
)  # fmt: skip
HUB, NETWORK = "111122223333", "444455556666"
BASELINE = Product("pp-4hmdjxq2vabcy", "baseline")
GUARDRAILS = Product("pp-7vk3nzr5wqsta", "guardrails")
NETWORK_HUB = Product("pp-b2x6yfp9klmno", "network-hub")
LOGGING = Product("pp-c9w4tgs8hjkla", "central-logging")
BACKUP = Product("pp-d5q7rvm3zxcvb", "backup-plans")
FAILED = ("FAILED", 'Resource handler returned message: "Access denied by a service control policy" (AccessDenied).')
SUSPENDED_ACCOUNT = ("SKIPPED_SUSPENDED_ACCOUNT", "")
AUDIT = Product("pp-e8n2lkj6poiuy", "audit-roles")


def fleet(accounts: int = 40, now: datetime = NOW) -> FakeViews:
    """Return the fleet as it is `now`. The baseline is in so many accounts and 17 Regions."""

    def minutes(number: float) -> datetime:
        return now - timedelta(minutes=number)

    chance = random.Random(7)  # the same fleet each time
    numbers = [f"{100_000_000_000 + 7_919_191_919 * n % 900_000_000_000}" for n in range(accounts)]
    baseline = _states(now, numbers, REGIONS)
    history: list[Transition] = []
    for account in numbers[3:12:4]:
        for region in chance.sample(REGIONS, 4):
            _change(baseline, history, BASELINE, (account, region), Status.OUTDATED, minutes(194))
    for key, ago in (
        ((numbers[7], "eu-west-1"), 71),
        ((numbers[3], "us-east-1"), 71),
        ((numbers[20], "eu-north-1"), 1584),
    ):
        _change(baseline, history, BASELINE, key, Status.INOPERABLE, minutes(ago))
    for _ in range(60):
        key = (chance.choice(numbers[21:]), chance.choice(REGIONS))
        begin = chance.uniform(90, 1300)
        _change(baseline, history, BASELINE, key, Status.OUTDATED, minutes(begin))
        _change(baseline, history, BASELINE, key, Status.CURRENT, minutes(begin - chance.uniform(20, 80)))
    for number in numbers[-2:]:
        del baseline[number, "sa-east-1"]
    guardrails = _states(now, numbers, REGIONS[5:12])
    for account in numbers[:22]:
        for region in REGIONS[5:12]:
            _change(guardrails, history, GUARDRAILS, (account, region), Status.OUTDATED, minutes(6))
    operation = Operation(
        "op-1", "UPDATE", "FAILED", "The failure tolerance was exceeded.", minutes(240), minutes(194),
        Progress(len(baseline), len(baseline) - 12, 12),
    )  # fmt: skip
    details = StackSetDetails(
        {
            key: InstanceDetail(*(SUSPENDED_ACCOUNT if key[0] == numbers[11] else FAILED))
            for key, state in baseline.items()
            if state.status is Status.OUTDATED
        },
        {"IN_SYNC": 640, "DRIFTED": 3, "NOT_CHECKED": len(baseline) - 643},
        operation,
    )
    running = Operation(
        "op-2", "UPDATE", "RUNNING", "", minutes(6), None, Progress(len(guardrails), len(guardrails) - 154, 0),
        {REGIONS[5]: Progress(40, 18, 0), **dict.fromkeys(REGIONS[6:12], None)},
    )  # fmt: skip
    network = _states(now, numbers[:12], REGIONS[8:12])
    logging = _states(now, numbers, ("eu-west-1",))
    logging[numbers[7], "eu-west-1"] = InstanceState(Status.UNKNOWN, minutes(400))
    denied = PollFailure(
        Reason.ACCESS_DENIED,
        "AccessDeniedException",
        "arn:aws:sts::444455556666:assumed-role/stackset-monitor/stackset-monitor is not authorized to perform "
        "servicecatalog:ListStackInstancesForProvisionedProduct on pp-b2x6yfp9klmno.",
        minutes(2),
    )
    views = [
        _view(now, baseline, BASELINE, ProductStatus.TAINTED, minutes(194), details=details),
        _view(
            now,
            guardrails,
            GUARDRAILS,
            ProductStatus.UNDER_CHANGE,
            minutes(6),
            details=StackSetDetails(operation=running),
        ),
        _view(now, network, NETWORK_HUB, account=NETWORK, source="network", failure=denied, polled_at=minutes(47)),
        _view(now, logging, LOGGING, account=NETWORK, source="network"),
        _view(now, _states(now, numbers, ("eu-west-1", "eu-central-1")), BACKUP),
        ProductView(AUDIT, "hub", 300.0, next_poll_at=now - timedelta(seconds=3)),
    ]
    sources = [
        source_view("hub", accounts=(HUB,), products=4, used_calls_per_second=2.4),
        source_view(
            "network",
            region="eu-central-1",
            role_arn=f"arn:aws:iam::{NETWORK}:role/stackset-monitor",
            accounts=(NETWORK,),
            products=2,
            failing=1,
            failure=denied,
            allowed_calls_per_second=4.0,
            used_calls_per_second=3.7,
            discovery=DiscoveryView(900.0, ("network-*", "central-*"), {"team": "platform"}, minutes(8), 2),
        ),
    ]
    history.sort(key=lambda change: change.observed_at, reverse=True)
    return FakeViews(views, sources, history)


def _states(now: datetime, accounts: list[str], regions: tuple[str, ...]) -> dict[InstanceKey, InstanceState]:
    return dict.fromkeys(pairs(accounts, regions), InstanceState(Status.CURRENT, now - SINCE_START))


def _change(
    states: dict[InstanceKey, InstanceState],
    history: list[Transition],
    product: Product,
    key: InstanceKey,
    status: Status,
    at: datetime,
) -> None:
    before = states[key]
    history.append(
        Transition(f"event-{len(history)}", "poll", product, *key, before.status, status, before.since, at, None)
    )
    states[key] = InstanceState(status, at)


def _view(
    now: datetime,
    states: Mapping[InstanceKey, InstanceState],
    product: Product,
    status: ProductStatus = ProductStatus.AVAILABLE,
    since: datetime | None = None,
    *,
    account: str = HUB,
    **fields: object,
) -> ProductView:
    region = "eu-west-1" if account == HUB else "eu-central-1"
    found = ProductDetail(product.id, product.name, STACK_SET, status, "prod-x2y3z4", "pa-v17", account, region)
    defaults = {
        "detail": found,
        "status_since": since or now - SINCE_START,
        "polled_at": now - timedelta(minutes=1.4),
        "next_poll_at": now + timedelta(minutes=3.6),
        "seconds": 2.9,
    }
    return product_view(states, product, now - timedelta(minutes=1.4), **defaults | {"source": "hub"} | fields)
