"""What is read from CloudFormation: why instances are not CURRENT, and how far an operation is."""

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.aws import details as module
from monitor.aws.details import DetailsReader, stack_set_name
from monitor.aws.source import DENIED_SECONDS, Source
from monitor.config.settings import DiscoverSettings
from monitor.model.deadline import Deadline
from monitor.model.details import InstanceDetail, Operation, Progress, StackSetDetails
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from monitor.model.instances import InstanceKey, Status
from tests.conftest import Aws
from tests.faulty_aws.exchange import Request, Response
from tests.faulty_aws.server import FaultyAws, forward_to
from tests.making import EU, ONE, THREE, TWO, US
from tests.support import Observer, source_settings

PRODUCT = "pp-aaaaaaaaaaaaa"
HUB = "123456789012"


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test wait for the rate of the details."""
    monkeypatch.setattr("monitor.aws.source.DETAILS_CALLS_PER_SECOND", 1e6)


@pytest.fixture(autouse=True)
def fleet(aws: Aws) -> None:
    """Add one product without stack instances."""
    aws.stack_sets.add_product(PRODUCT, "baseline")


@pytest.fixture
def reader(observer: Observer) -> DetailsReader:
    """Return the details of the real client with the simulated AWS."""
    return opened(Source(replace(source_settings(), details=True), observer, 4))


def opened(source: Source) -> DetailsReader:
    """Return the details of a source that has them."""
    assert source.details is not None
    return source.details


def fill(aws: Aws, current: int, *bad: tuple[str, str, str]) -> dict[InstanceKey, Status]:
    """Add instances that are CURRENT, and OUTDATED ones with an account, a detailed status and a reason."""
    statuses = {(f"{n:012}", EU): Status.CURRENT for n in range(1, current + 1)}
    for account, region in statuses:
        aws.stack_sets.set(PRODUCT, account, region, "CURRENT")
    for account, detailed_status, reason in bad:
        aws.stack_sets.set(PRODUCT, account, EU, "OUTDATED", detailed_status, reason)
        statuses[account, EU] = Status.OUTDATED
    return statuses


def read(reader: DetailsReader, statuses: Mapping[InstanceKey, Status], account: str = HUB) -> StackSetDetails:
    """Read the details of the product."""
    return reader.read(PRODUCT, account, statuses, Deadline(30.0))


def failure(reader: DetailsReader, statuses: Mapping[InstanceKey, Status], account: str = HUB) -> PollFailedError:
    """Read the details, and return how that failed."""
    with pytest.raises(PollFailedError) as caught:
        read(reader, statuses, account)
    return caught.value


def test_each_instance_that_is_not_current_has_its_reason(aws: Aws, reader: DetailsReader) -> None:
    """Reason, detailed status, operation, organizational unit, stack and drift are those of CloudFormation."""
    operation = aws.stack_sets.start_operation(PRODUCT)
    statuses = fill(aws, 3, (ONE, "FAILED", "Resource limit\nexceeded"), (TWO, "SKIPPED_SUSPENDED_ACCOUNT", ""))
    aws.stack_sets.set_drift(PRODUCT, ONE, EU, "DRIFTED")
    found = read(reader, statuses)
    stack = f"arn:aws:cloudformation:{EU}:%s:stack/StackSet-simulated"
    assert found.instances == {
        (ONE, EU): InstanceDetail(
            "FAILED", "Resource limit exceeded", operation, "DRIFTED", None, "ou-ab12-workload", stack % ONE
        ),
        (TWO, EU): InstanceDetail(
            "SKIPPED_SUSPENDED_ACCOUNT", "", operation, "NOT_CHECKED", None, "ou-ab12-workload", stack % TWO
        ),
    }
    assert found.drift == {"DRIFTED": 1, "IN_SYNC": 0, "NOT_CHECKED": 4, "UNKNOWN": 0}
    assert found.counts() == {"FAILED": 1, "SKIPPED_SUSPENDED_ACCOUNT": 1}


def test_an_operation_is_followed_region_by_region(aws: Aws, reader: DetailsReader) -> None:
    """The Regions come in their order, each with what succeeded, failed and is left."""
    for account in (ONE, TWO):
        for region in (EU, US):
            aws.stack_sets.set(PRODUCT, account, region, "OUTDATED")
    operation_id = aws.stack_sets.start_operation(PRODUCT, region_order=(US, EU))
    aws.stack_sets.set(PRODUCT, ONE, US, "CURRENT")
    aws.stack_sets.set(PRODUCT, TWO, US, "OUTDATED", "FAILED", "no quota")
    statuses = {(ONE, US): Status.CURRENT} | dict.fromkeys([(TWO, US), (ONE, EU), (TWO, EU)], Status.OUTDATED)
    found = read(reader, statuses).operation
    assert found is not None
    assert (found.id, found.action, found.status, found.ended_at) == (operation_id, "UPDATE", "RUNNING", None)
    assert found.running
    assert found.progress == Progress(4, 1, 1)
    assert found.progress.remaining == 2
    assert list(found.regions.items()) == [(US, Progress(2, 1, 1)), (EU, Progress(2, 0, 0))]
    aws.stack_sets.end_operation(PRODUCT, "FAILED", "the failure tolerance was exceeded")
    found = read(reader, statuses).operation
    assert found is not None
    assert (found.running, found.status, found.reason) == (False, "FAILED", "the failure tolerance was exceeded")
    assert found.ended_at is not None
    assert found.ended_at >= found.started_at


def test_an_old_api_is_completed_from_the_listing() -> None:
    """Without counts of the API, those of the listing count; Regions in turn without counts stay without."""
    started = datetime(2026, 1, 1, tzinfo=UTC)
    fields = {
        "OperationId": "op-1",
        "Action": "UPDATE",
        "Status": "RUNNING",
        "CreationTimestamp": started,
        "StatusDetails": {"FailedStackInstancesCount": 1},
        "OperationPreferences": {"RegionOrder": [US, EU]},
    }
    statuses = {(ONE, EU): Status.CURRENT, (TWO, EU): Status.OUTDATED, (THREE, EU): Status.OUTDATED}
    expected = Operation("op-1", "UPDATE", "RUNNING", "", started, None, Progress(3, 1, 1), {US: None, EU: None})
    assert module._operation(fields, statuses) == expected


@pytest.mark.parametrize(
    ("current", "bad", "calls"),
    [(99, 1, {"ListStackInstances": 1}), (700, 250, {"ListStackInstances": 7, "DescribeStackSet": 1})],
)
def test_the_list_is_read_whole_or_by_filters_whichever_is_fewer_calls(
    aws: Aws, reader: DetailsReader, current: int, bad: int, calls: Mapping[str, int]
) -> None:
    """A small stack set is read whole, a large one by detailed status: the same reasons, never a call per instance."""
    statuses = fill(aws, current, *((f"9{n:011}", "FAILED", f"reason {n}") for n in range(bad)))
    aws.stack_sets.set_drift(PRODUCT, "000000000001", EU, "IN_SYNC")
    aws.stack_sets.calls.clear()
    found = read(reader, statuses)
    assert [one.reason for one in found.instances.values()] == [f"reason {n}" for n in range(bad)]
    assert found.drift == {"DRIFTED": 0, "IN_SYNC": 1, "NOT_CHECKED": len(statuses) - 1, "UNKNOWN": 0}
    read(reader, statuses)
    made = {name: count // 2 for name, count in aws.stack_sets.calls.items() if name.startswith("DescribeStackSet")}
    made["ListStackInstances"] = aws.stack_sets.calls["ListStackInstances"] // 2
    assert made == calls
    assert aws.stack_sets.calls["SearchProvisionedProducts"] == 1


@pytest.mark.parametrize(("bad", "calls"), [(0, 2), (1_000, 16), (10_000, 106), (100_000, 106)])
def test_a_hundred_thousand_instances_take_few_calls(
    reader: DetailsReader, monkeypatch: pytest.MonkeyPatch, bad: int, calls: int
) -> None:
    """A listing of them takes 5,000. Even if all of them are cancelled, the number is bounded."""
    made: list[str] = []

    def call(operation: str, arguments: Mapping[str, Any], _: Deadline) -> Mapping[str, Any]:
        made.append(operation)
        if operation != "ListStackInstances":
            return {"Summaries": []}
        (condition,) = arguments["Filters"]
        begin, end = int(arguments.get("NextToken", 0)), bad if condition["Values"] == "CANCELLED" else 0
        why = {"StackInstanceStatus": {"DetailedStatus": condition["Values"]}}
        page = [{"Account": f"{n:012}", "Region": EU, **why} for n in range(begin, min(begin + 100, end))]
        return {"Summaries": page} | ({"NextToken": str(begin + 100)} if begin + 100 < end else {})

    monkeypatch.setattr(reader, "_call", call)
    statuses = {(f"{n:012}", EU): Status.OUTDATED if n < bad else Status.CURRENT for n in range(100_000)}
    assert len(read(reader, statuses).instances) == min(bad, 10_000)
    assert len(made) == calls


def test_the_number_of_details_is_bounded(aws: Aws, reader: DetailsReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that cancelled everything does not fill the memory; suspended accounts come first."""
    monkeypatch.setattr(module, "MAX_INSTANCES", 150)
    cancelled = [(f"9{n:011}", "CANCELLED", "") for n in range(700)]
    statuses = fill(aws, 0, *cancelled, (ONE, "SKIPPED_SUSPENDED_ACCOUNT", ""))
    found = read(reader, dict.fromkeys(statuses, Status.OUTDATED) | {(TWO, EU): Status.CURRENT})
    assert len(found.instances) <= 150


def test_only_what_the_listing_shows_is_explained(aws: Aws, reader: DetailsReader) -> None:
    """CloudFormation is behind: an instance that is CURRENT by now has no reason, whatever is repeated of it."""
    statuses = fill(aws, 2, (ONE, "FAILED", "old"), (TWO, "FAILED", "still"))
    aws.stack_sets.freeze_details(PRODUCT, frozen=True)
    aws.stack_sets.set(PRODUCT, ONE, EU, "CURRENT")
    assert read(reader, statuses | {(ONE, EU): Status.CURRENT}).instances.keys() == {(TWO, EU)}
    aws.stack_sets.freeze_details(PRODUCT, frozen=False)
    assert read(reader, statuses | {(ONE, EU): Status.CURRENT}).instances.keys() == {(TWO, EU)}


def test_a_stack_set_without_operations_has_details(aws: Aws, reader: DetailsReader) -> None:
    """Nothing was rolled out yet, and a drift detection is no rollout."""
    aws.stack_sets.start_operation(PRODUCT, "DETECT_DRIFT")
    assert read(reader, fill(aws, 1)).operation is None


@pytest.mark.parametrize("operation", module.OPERATIONS)
def test_a_missing_permission_is_said(aws: Aws, reader: DetailsReader, operation: str) -> None:
    """The error names the action and the stack set."""
    statuses = fill(aws, 800, (ONE, "FAILED", ""))
    aws.stack_sets.start_operation(PRODUCT)
    aws.stack_sets.denied.add(operation)
    error = failure(reader, statuses)
    assert (error.reason, error.error_code) == (Reason.ACCESS_DENIED, "AccessDenied")
    assert f"cloudformation:{operation} on resource: arn:aws:cloudformation:{EU}:{HUB}:stackset/SC-" in error.message


def test_a_stack_set_that_does_not_exist_is_said(aws: Aws, reader: DetailsReader) -> None:
    """A product of another tool, or one that is being terminated."""
    statuses = fill(aws, 1)
    aws.stack_sets.absent.add(PRODUCT)
    error = failure(reader, statuses)
    assert (error.reason, error.error_code) == (Reason.NOT_FOUND, "StackSetNotFoundException")


def test_the_name_is_guessed_if_the_search_is_denied(aws: Aws, reader: DetailsReader) -> None:
    """SearchProvisionedProducts is only needed for `discover`; Service Catalog names stack sets by a rule."""
    aws.stack_sets.denied.add("SearchProvisionedProducts")
    assert read(reader, fill(aws, 0, (ONE, "FAILED", "why"))).instances[ONE, EU].reason == "why"
    assert failure(opened(Source(replace(source_settings(), details=True), Observer(), 1)), {}, "").error_code == (
        "NoStackSetName"
    )


def test_a_permission_that_is_added_is_used_without_a_restart(aws: Aws, reader: DetailsReader) -> None:
    """Without the account of the product there is no name to guess, so the search is tried again."""
    statuses = fill(aws, 0, (ONE, "FAILED", "no quota"))
    aws.stack_sets.denied.add("SearchProvisionedProducts")
    assert failure(reader, statuses, account="").error_code == "NoStackSetName"
    aws.stack_sets.denied.clear()
    assert list(read(reader, statuses, account="").instances) == [(ONE, EU)]


def test_a_discovery_saves_the_search_for_the_name(aws: Aws, observer: Observer) -> None:
    """The search for products returns the physical ids of all of them."""
    settings = replace(source_settings(), details=True, discover=DiscoverSettings(("*",), {}, 900.0))
    source = Source(settings, observer, 1)
    source.search(Deadline(30.0))
    read(opened(source), fill(aws, 1))
    assert observer.attempts["SearchProvisionedProducts"] == 1


@pytest.mark.parametrize(
    ("physical_id", "name"),
    [
        (f"arn:aws:cloudformation:{EU}:{HUB}:stackset/SC-{HUB}-pp-1:8e3c", f"SC-{HUB}-pp-1:8e3c"),
        ("", f"SC-{HUB}-pp-1"),
        (f"arn:aws:cloudformation:{EU}:{HUB}:stack/SC-{HUB}-pp-1/8e3c", f"SC-{HUB}-pp-1"),
    ],
)
def test_the_name_of_a_stack_set_comes_from_its_arn(physical_id: str, name: str) -> None:
    """CloudFormation takes the name with the UUID, not the ARN."""
    assert stack_set_name(physical_id, HUB, "pp-1") == name


def test_throttling_of_cloudformation_is_waited_for(
    aws: Aws, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tenth of the real time: CloudFormation allows 20 calls a second. The rate of Service Catalog stays."""
    monkeypatch.setattr("monitor.aws.source.DETAILS_CALLS_PER_SECOND", 50.0)
    monkeypatch.setattr("monitor.aws.caller.FIRST_BACKOFF", 0.05)
    aws.stack_sets.cloudformation_calls_per_second = 20.0
    source = Source(replace(source_settings(), details=True), observer, 1)
    statuses = fill(aws, 700, *((f"9{n:011}", "FAILED", "why") for n in range(250)))
    assert len(read(opened(source), statuses).instances) == 250
    assert observer.errors["ListStackInstances", "Throttling"] > 0
    assert set(observer.rates) == {10_000.0}


def test_polls_come_before_details(aws: Aws, observer: Observer) -> None:
    """A call for details takes only a slot that no poll waits for; a stop ends its wait."""
    source = Source(replace(source_settings(calls_per_second=0.5), details=True), observer, 1)
    source._connect()
    limiter = opened(source)._budget
    for _ in range(3):
        limiter.reserve()
    deadline, ended = Deadline(60.0), threading.Event()

    def run() -> None:
        with pytest.raises(PollCancelledError):
            opened(source)._call("ListStackInstances", {"StackSetName": "SC-1"}, deadline)
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    assert not ended.wait(0.1)
    assert not observer.attempts
    deadline.cancel()
    assert ended.wait(5.0)
    assert not observer.attempts


BODIES = {
    "html": b"<html><body>Sign in</body></html>",
    "truncated": b"<ListStackSetOperationsResponse><ListStackSetOperationsResult><Summ",
    "empty": b"",
    "json": b'{"Summaries": []}',
    "no list": b"<ListStackSetOperationsResponse><ListStackSetOperationsResult/></ListStackSetOperationsResponse>",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_response_that_is_no_listing_is_refused(
    aws: Aws, observer: Observer, impatient: None, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """A body that botocore takes for an empty list must not look like details."""
    forward = forward_to(aws.url)

    def respond(request: Request) -> Response:
        if b"ListStackSetOperations" in request.body:
            return Response(200, body, "text/xml")
        return forward(request)

    server = FaultyAws(respond)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.start())
    error = failure(opened(Source(replace(source_settings(), details=True), observer, 1)), fill(aws, 1))
    server.stop()
    assert error.reason is Reason.INCOMPLETE


@pytest.mark.parametrize("tokens", ["aa", "aba", "abcb"])
def test_a_page_that_repeats_a_token_ends_the_reading(
    reader: DetailsReader, monkeypatch: pytest.MonkeyPatch, tokens: str
) -> None:
    """An endless list is refused instead of read until the deadline, also if its tokens alternate."""
    pages = [{"Summaries": [], "NextToken": token} for token in tokens]
    monkeypatch.setattr(reader, "_call", lambda *_: pages.pop(0))
    with pytest.raises(PollFailedError) as caught:
        list(reader._list("SC-1", None, Deadline(1.0)))
    assert caught.value.error_code == "RepeatedPageToken"


def test_a_failed_provisioning_has_its_message_and_errors(
    aws: Aws, observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DescribeRecord is called once for a failed record, without `details`; if it is denied, once in a while."""
    now = 1000.0
    monkeypatch.setattr("monitor.aws.source.monotonic", lambda: now)
    source = Source(source_settings(), observer, 1)
    assert source.describe(PRODUCT, Deadline(30.0)).errors == ()
    aws.stack_sets.set_status(PRODUCT, "TAINTED", "1 of 9 stack instances failed")
    aws.stack_sets.denied.add("DescribeRecord")
    for _ in range(3):
        denied = source.describe(PRODUCT, Deadline(30.0))
        assert (denied.status_message, denied.errors) == ("1 of 9 stack instances failed", ())
    aws.stack_sets.denied.clear()
    now += DENIED_SECONDS
    for _ in range(2):
        found = source.describe(PRODUCT, Deadline(30.0))
        assert found.errors == ("StackSetOperationFailure: 1 of 9 stack instances failed",)
    assert observer.attempts["DescribeRecord"] == 2
    assert observer.errors == {("DescribeRecord", "AccessDeniedException"): 1}


def test_an_endless_wait_for_the_budget_ends_with_the_deadline(aws: Aws, reader: DetailsReader) -> None:
    """Polls that use the whole budget leave none for details."""
    reader._budget._next_slot = time.monotonic() + 60.0
    with pytest.raises(PollFailedError) as caught:
        reader.read(PRODUCT, HUB, fill(aws, 1), Deadline(0.2))
    assert caught.value.reason is Reason.TIMEOUT
