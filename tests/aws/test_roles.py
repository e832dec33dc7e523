"""Sources that assume a role: their products, credentials and errors."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.aws.clients import create_clients
from monitor.aws.credentials import GET_CREDENTIALS
from monitor.aws.roles import ASSUME_ROLE
from monitor.aws.source import LIST_STACK_INSTANCES, Source, operations
from monitor.aws.transport import Transport
from monitor.config.settings import DiscoverSettings, SourceSettings
from monitor.model.deadline import Deadline
from monitor.model.errors import PollFailedError, Reason
from monitor.model.products import ProductStatus
from monitor.simulation.aws import stack_sets
from tests.aws.polls import PRODUCT, counted, failure
from tests.conftest import Aws
from tests.faulty_aws import faults, roles
from tests.faulty_aws.exchange import Fault, Plan
from tests.faulty_aws.server import FaultyAws, forward_to
from tests.making import EU, ONE
from tests.support import Observer, source_settings

ACCOUNTS = ("111111111111", "222222222222", "333333333333")
UNREADABLE = [fault for fault in faults.BAD_BODIES if not str(fault).startswith(("list is", "item is", "token is"))]
"""Whichever operation was asked."""
EXTERNAL_ID = "canary-external-id"


def role(account: str, partition: str = "aws") -> str:
    """Return the ARN of the role of an account."""
    return f"arn:{partition}:iam::{account}:role/stackset-monitor"


def assuming(account: str, **more: object) -> SourceSettings:
    """Return a source that reads from another account."""
    return replace(source_settings(account), role_arn=role(account), **more)  # type: ignore[arg-type]


@pytest.fixture
def proxy(aws: Aws, impatient: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """Put a faulty server before moto, with one product in each of three accounts."""
    for number, account in enumerate(ACCOUNTS):
        stack_sets(account).add_product(PRODUCT, f"of {account}")
        for other in range(number + 1):
            stack_sets(account).set(PRODUCT, f"{other:012}", EU, "CURRENT")
    server = FaultyAws(forward_to(aws.url))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    yield server
    server.stop()
    roles.reset()


def test_each_source_reads_its_own_account(proxy: FaultyAws, observer: Observer) -> None:
    """Several roles are assumed at once, with the same base credentials."""
    sources = [Source(assuming(account), observer, 4) for account in ACCOUNTS]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(counted, sources * 3)) == [1, 2, 3] * 3
    assert observer.attempts[ASSUME_ROLE] == 3
    keys = {seen.key_id for seen in proxy.requests if seen.operation == LIST_STACK_INSTANCES}
    assert len(keys) == 3
    assert observer.errors == {}


def test_all_operations_use_the_credentials_of_the_role(proxy: FaultyAws, observer: Observer) -> None:
    """These are GetCallerIdentity, DescribeProvisionedProduct and SearchProvisionedProducts."""
    account = ACCOUNTS[1]
    there = stack_sets(account)
    there.add_product("pp-other", "baseline two", tags={"team": "platform", "tier": "1"}, status="A_NEW_STATUS")
    there.add_product("pp-more", "baseline three", tags={"team": "platform"}, stack_set=False)
    there.add_product("pp-third", "guardrails", tags={"team": "platform"})
    wanted = DiscoverSettings(("base*", "*two"), {"team": "platform"}, 60.0)
    source = Source(assuming(account, discover=wanted), observer, 4)
    deadline = Deadline(30.0)
    assert source.caller_identity(deadline) == (
        f"arn:aws:sts::{account}:assumed-role/stackset-monitor/stackset-monitor"
    )
    detail = source.describe(PRODUCT, deadline)
    (found,) = source.search(deadline).products
    assert (detail.name, detail.status, detail.account, detail.region) == (
        f"of {account}", ProductStatus.AVAILABLE, account, "eu-west-1",
    )  # fmt: skip
    assert (found.id, found.name, found.status) == ("pp-other", "baseline two", ProductStatus.UNKNOWN)
    assert there.calls == {"DescribeProvisionedProduct": 1, "SearchProvisionedProducts": 1}
    assert set(observer.attempts) - {"GetCallerIdentity"} <= set(operations(assuming(account, discover=wanted)))


def test_a_search_reads_every_page(proxy: FaultyAws, observer: Observer) -> None:
    """A page has 100 products, and no product is found twice."""
    there = stack_sets(ACCOUNTS[0])
    for number in range(250):
        there.add_product(f"pp-{number:04}", f"product {number}")
    source = Source(assuming(ACCOUNTS[0], discover=DiscoverSettings(("product*",), {}, 60.0)), observer, 4)
    deadline = Deadline(30.0)
    found = source.search(deadline).products
    assert [one.id for one in found] == [f"pp-{number:04}" for number in range(250)]
    assert there.calls["SearchProvisionedProducts"] == 3


@pytest.mark.parametrize("fault", UNREADABLE, ids=str)
@pytest.mark.parametrize("operation", ["DescribeProvisionedProduct", "SearchProvisionedProducts"])
def test_a_response_that_cannot_be_read_is_not_an_empty_one(
    operation: str, fault: Fault, proxy: FaultyAws, observer: Observer
) -> None:
    """Botocore alone would return a success without products."""
    source = Source(assuming(ACCOUNTS[0], discover=DiscoverSettings(("*",), {}, 60.0)), observer, 4)
    proxy.plan(Plan(fault, operation=operation, times=None))
    deadline = Deadline(30.0)
    with pytest.raises(PollFailedError) as caught:
        source.describe(PRODUCT, deadline) if operation.startswith("Describe") else source.search(deadline)
    assert caught.value.reason is Reason.INCOMPLETE


def test_a_role_requires_its_external_id(proxy: FaultyAws, observer: Observer) -> None:
    """Without it or with another one, the reason is `access_denied`."""
    account = ACCOUNTS[0]
    roles.require_external_id(role(account), EXTERNAL_ID)
    assert counted(Source(assuming(account, external_id=EXTERNAL_ID), observer, 4)) == 1
    for wrong in (None, "another-canary-id"):
        reason, code, message = failure(Source(assuming(account, external_id=wrong), observer, 4))
        assert (reason, code) == (Reason.ACCESS_DENIED, "AccessDenied")
        assert f"the role {role(account)} cannot be assumed: " in message
        assert "canary" not in message
    assert observer.errors == {(GET_CREDENTIALS, "AccessDenied"): 2}


def test_the_file_of_the_external_id_is_read_for_each_assume_role(
    proxy: FaultyAws, observer: Observer, tmp_path: Path
) -> None:
    """A rotated external id needs no restart. A missing file is not named: its path may be the external id itself."""
    account, file = ACCOUNTS[0], tmp_path / "external-id"
    roles.require_external_id(role(account), EXTERNAL_ID)
    source = Source(assuming(account, external_id_file=file), observer, 4)
    assert failure(source) == (
        Reason.CREDENTIALS,
        "FileNotFoundError",
        (
            f"the role {role(account)} cannot be assumed: external_id_file: cannot read the file that it names:"
            " No such file or directory"
        ),
    )
    file.write_bytes(b"\xff")
    assert failure(source)[2].endswith(f'external_id_file: cannot read "{file}": it is not UTF-8 text')
    file.unlink()
    file.symlink_to("/dev/zero")
    assert failure(source)[2].endswith(": larger than 4 MiB")
    file.unlink()
    file.write_text("another-canary-id\n")
    assert failure(source)[0] is Reason.ACCESS_DENIED
    file.write_text(f"{EXTERNAL_ID}\n")
    assert counted(source) == 1


def test_a_refused_role_is_assumed_once_it_is_allowed(proxy: FaultyAws, observer: Observer) -> None:
    """Each poll makes one attempt, and recovery needs no restart."""
    account = ACCOUNTS[0]
    roles.refuse(role(account))
    source = Source(assuming(account), observer, 4)
    assert [failure(source)[0] for _ in range(3)] == [Reason.ACCESS_DENIED] * 3
    assert observer.attempts == {ASSUME_ROLE: 3}
    roles.reset()
    assert counted(source) == 1


def test_a_role_whose_credentials_are_not_accepted_is_assumed_again(proxy: FaultyAws, observer: Observer) -> None:
    """The same poll succeeds with the new credentials."""
    source = Source(assuming(ACCOUNTS[2]), observer, 4)
    assert counted(source) == 3
    proxy.plan(Plan(faults.EXPIRED_TOKEN, operation=LIST_STACK_INSTANCES, times=1))
    assert counted(source) == 3
    assert observer.attempts[ASSUME_ROLE] == 2


def test_polling_goes_on_with_a_role_while_sts_is_down(proxy: FaultyAws, observer: Observer) -> None:
    """The credentials of the role are still valid."""
    source = Source(assuming(ACCOUNTS[2]), observer, 4)
    assert counted(source) == 3
    proxy.plan(Plan(faults.INTERNAL_ERROR, operation=ASSUME_ROLE, times=None))
    assert [counted(source) for _ in range(3)] == [3] * 3
    late = Source(assuming(ACCOUNTS[0]), observer, 4)
    assert failure(late)[0] is Reason.CREDENTIALS
    proxy.clear()
    assert counted(late) == 1


def test_a_silent_sts_ends_with_the_deadline(proxy: FaultyAws, observer: Observer) -> None:
    """AssumeRole obeys the deadline of the poll."""
    proxy.plan(Plan(faults.SILENCE, operation=ASSUME_ROLE, times=None))
    deadline = Deadline(0.3)
    with pytest.raises(PollFailedError) as caught:
        Source(assuming(ACCOUNTS[0]), observer, 4).list_stack_instances(PRODUCT, deadline)
    assert caught.value.reason is Reason.TIMEOUT


@pytest.mark.parametrize(
    ("region", "partition", "service_catalog", "sts"),
    [
        ("eu-west-1", "aws", "servicecatalog.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"),
        ("us-east-1", "aws", "servicecatalog.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com"),
        ("cn-north-1", "aws-cn", "servicecatalog.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.amazonaws.com.cn"),
        (
            "us-gov-west-1",
            "aws-us-gov",
            "servicecatalog.us-gov-west-1.amazonaws.com",
            "sts.us-gov-west-1.amazonaws.com",
        ),
    ],
)
@pytest.mark.parametrize("sts_endpoints", ["legacy", "regional", None])
def test_the_endpoints_are_those_of_the_sources_region(
    region: str,
    partition: str,
    service_catalog: str,
    sts: str,
    sts_endpoints: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """STS is never the global one in us-east-1, whatever the environment says."""
    if sts_endpoints:
        monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", sts_endpoints)
    settings = replace(source_settings(region=region), role_arn=role(ONE, partition))
    clients = create_clients(settings, Observer(), Transport(Observer(), 1))
    assert clients.service_catalog.meta.endpoint_url == f"https://{service_catalog}"
    assert clients.create_sts().meta.endpoint_url == f"https://{sts}"
